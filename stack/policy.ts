import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, relative, resolve } from 'node:path'
import { checkPolicyFile } from '../collector/workbench/check.ts'
import { trialWith } from '../collector/workbench/trial.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { freePorts } from './ports.ts'
import { activePolicy, collectorArguments, collectorEnvironment } from './services.ts'

export const SHIPPED_POLICY = 'collector/policies/woodland.yaml'

type Options = Readonly<{
  /** The native collector, or undefined to use the pinned image. */
  collector: string | undefined
  say: (line: string) => void
}>

/**
 * Checks a policy file, by reading it and by a trial of the real collector: the native one that is named, else the
 * pinned image. Throws `Trouble` with every defect.
 */
export async function checkPolicy(place: Place, policy: string, collector: string | undefined): Promise<void> {
  const path = resolve(ROOT, policy)
  const queue = mkdtempSync(resolve(tmpdir(), 'policy-trial-'))
  try {
    const command = collector ? nativeTrial(place, collector, queue) : dockerTrial(place)
    const trial = trialWith({ command, ports: await freePorts(6) })
    const defects = await checkPolicyFile(path, trial).catch((error: Error) => {
      throw new Trouble(`${error.message}.\nNothing was changed.`)
    })
    if (defects.length > 0) {
      const lines = defects.map(({ line, message }) => `${shownAs(path)}${line > 0 ? `:${line}` : ''}: ${message}.`)
      throw new Trouble(`${lines.join('\n')}\nNothing was changed.`)
    }
  } finally {
    rmSync(queue, { recursive: true, force: true })
  }
}

const shownAs = (path: string) => relative(process.cwd(), path)

/**
 * Checks a policy file, then makes it the policy in force in one atomic step. Throws `Trouble` with every defect
 * and leaves the policy in force as it was.
 */
export async function activatePolicy(place: Place, policy: string, { collector, say }: Options): Promise<void> {
  await checkPolicy(place, policy, collector)
  const path = resolve(ROOT, policy)
  const active = activePolicy(place)
  mkdirSync(dirname(active), { recursive: true })
  copyFileSync(path, `${active}.new`)
  renameSync(`${active}.new`, active)
  say(`  policy      ${shownAs(path)} is in force`)
}

type TrialCommand = Parameters<typeof trialWith>[0]['command']

const nativeTrial =
  (place: Place, collector: string, queue: string): TrialCommand =>
  (policyFile, env) => ({
    file: collector,
    args: collectorArguments(place),
    env: { ...collectorEnvironment(place), ...env, POLICY_FILE: policyFile, QUEUE_DIR: queue },
  })

const dockerTrial =
  (place: Place): TrialCommand =>
  (policyFile, env) => {
    const { SLOW_CALL, TOKEN_HEAVY } = collectorEnvironment(place)
    const inside = {
      ...env,
      ...(SLOW_CALL ? { SLOW_CALL } : {}),
      ...(TOKEN_HEAVY ? { TOKEN_HEAVY } : {}),
      COLLECTOR_DIR: '/collector',
      POLICY_FILE: '/policy.yaml',
      QUEUE_DIR: '/queue',
      OTLP_ADDRESS: '0.0.0.0',
    }
    const readOnly = (source: string, target: string) => [
      '--mount',
      `type=bind,source=${source},target=${target},readonly`,
    ]
    const published = env.OTLP_HTTP_PORT
    return {
      file: 'docker',
      args: [
        ...['run', '--rm', '--publish', `127.0.0.1:${published}:${published}`, '--tmpfs', '/queue:mode=1777'],
        ...readOnly(resolve(ROOT, 'collector'), '/collector'),
        ...readOnly(policyFile, '/policy.yaml'),
        ...Object.entries(inside).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        place.env.OTELCOL_IMAGE ?? '',
        '--config=/collector/config.yaml',
        `--feature-gates=${place.env.COLLECTOR_FEATURE_GATES}`,
      ],
      env: place.env,
    }
  }
