import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { classified, classLists, study } from '../../workbench/classes.ts'
import type { Caller, Launcher } from '../../workbench/collector.ts'
import { drawIn } from '../../workbench/draw.ts'
import { readRecording, timeFactorOf } from '../../workbench/recording.ts'
import { comfortableSpeed, replayEach } from '../../workbench/replay.ts'
import { diffRows } from '../../workbench/report.ts'
import { compare, type Diff } from '../../workbench/table.ts'
import { UserError } from '../../workbench/user-error.ts'
import { ANSWER_LIMIT_MS, waitFor } from '../../workbench/wait.ts'
import { reloadCollector } from '../boot.ts'
import { launcherFor } from '../collectors.ts'
import { reloadDocker } from '../docker.ts'
import { activePolicy, checkPolicy, policyBefore, putInForce, slowCall } from '../policy.ts'
import { remembered } from '../remembered.ts'
import { type LastWords, startLimitMs } from '../service.ts'
import { ROOT, type Settings, shownAs, url } from '../settings.ts'
import { type Instance, judges, titleOf } from '../tiers.ts'
import { changeWaits, waitsIn } from '../waits.ts'
import { CLASSES, COMMITTED_RECORDING, classesOf, pricesOf, RECORDINGS } from '../workbench.ts'

type ReloadRequest = Readonly<{
  policy: string
  /** The recording on which the difference is shown; by default the newest one. */
  recording: string | undefined
  launcher: Launcher
  /** Tells a running collector, or a sampler by its name, to read its policy again. */
  tell: (name: string) => Promise<LastWords>
}>

/** Checks a policy file and puts it in force in the running stack. Throws `UserError` as `reload` does, and when no stack is up. */
export async function reloadStack(
  settings: Settings,
  { policy, recording, ...options }: Caller & Readonly<{ policy: string; recording?: string }>,
): Promise<void> {
  const boot = remembered(settings)?.boot
  if (!boot)
    throw new UserError('the stack is not up, so it cannot be reloaded. To start it with a policy: make up POLICY=…')
  const launcher = await launcherFor(settings, options, boot)
  const tell = (name: string) => (boot === 'docker' ? reloadDocker : reloadCollector)(settings, name)
  await reload(settings, { policy, recording, launcher, tell })
}

const LOOK_AGAIN_MS = 50
const SHOWN_LOSSES = 5

/**
 * Checks a policy file, shows what it changes on the newest recording, puts it in force and waits until the collector
 * uses it. It also does so when must-keep traces would be lost, because that is the decision of the user. Then it prints
 * a warning and the command that goes back. When the file has a defect, throws `UserError` and changes nothing. When the
 * collector, or one of the samplers, ends at the reload, puts the list before in force again.
 */
export async function reload(settings: Settings, { policy, recording, launcher, tell }: ReloadRequest): Promise<void> {
  const { say, cancel } = launcher
  const samplers = judges(settings)
  const since = await Promise.all(
    samplers.map(async (one) => {
      const time = await upSince(one)
      if (time !== undefined) return time
      throw new UserError(
        `${titleOf(one.name)} is not running here, or not ready. To see why: make status. To start it: make up.`,
      )
    }),
  )
  waitsIn(settings) // Refuses wrong waits before anything is changed.
  const text = await checkPolicy(launcher, policy)
  const active = activePolicy(settings)
  const before = existsSync(active) ? readFileSync(active, 'utf8') : undefined
  const lost = await tellDifference(settings, launcher, { before, text, recording })
  cancel.throwIfAborted()

  const waiting = (await Promise.all(samplers.map(tracesWaiting))).reduce(sumIfKnown)
  putInForce(settings, text)
  say(`  policy      ${shownAs(policy)} is in force`)
  const waits = changeWaits(settings)
  if (waits) say(`  waits       ${waits}`)
  const began = Date.now()
  const reloading = await Promise.all(
    samplers.map(async (one, index) => ({ one, since: since[index], lastWords: await tell(one.name) })),
  )
  const answers = await Promise.allSettled(reloading.map((sampler) => untilUpAgain(sampler, cancel)))
  const error = answers.find((answer) => answer.status === 'rejected')?.reason
  if (error) {
    if (!(error instanceof UserError) || cancel.aborted || before === undefined) throw error
    putInForce(settings, before)
    // Those that took the new list must not go on with it alone.
    const alive = []
    for (const sampler of reloading) if ((await sampler.lastWords()) === undefined) alive.push(sampler.one)
    await Promise.all(
      alive.map(async (one) => {
        const reloaded = { one, since: await upSince(one), lastWords: await tell(one.name) }
        await untilUpAgain(reloaded, cancel).catch(() => {}) // The first error is the one to be told.
      }),
    )
    const back =
      samplers.length > 1 ? 'what ended with it: make up' : `the collector with it: make up POLICY=${shownAs(active)}`
    throw new UserError(`${error.message}\nThe list before is in force again. To start ${back}`)
  }
  const all = samplers.length > 1 ? `all ${samplers.length} samplers use it` : 'uses it'
  say(`  collector   ${all}, ready again after ${((Date.now() - began) / 1000).toFixed(1)} s`)
  say(`  early       ${early(waiting)}`)
  if (lost > 0)
    say(`\n${lost} must-keep traces of that recording are lost with this list. To go back: ${wayBack(settings)}`)
}

const wayBack = (settings: Settings) => `make reload POLICY=${shownAs(policyBefore(settings))}`

const early = (waiting: number | undefined) =>
  waiting === 0
    ? 'no trace was waiting, so none was decided early'
    : `${waiting === undefined ? 'an unknown number of traces was' : waiting === 1 ? '1 trace was' : `${waiting} traces were`} still waiting and decided at once, by the list before and from the spans that had arrived; later spans are decided on again, so such a trace may be split`

/** Since when a collector is ready, by its own report; each reload changes it. Undefined when it does not answer. */
export const upSince = ({ settings }: Pick<Instance, 'settings'>): Promise<string | undefined> =>
  fetch(url(settings, 'COLLECTOR_HEALTH_PORT'), { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) }).then(
    async (answer) => (answer.ok ? String(((await answer.json()) as { upSince?: unknown }).upSince) : undefined),
    () => undefined,
  )

const sumIfKnown = (one: number | undefined, other: number | undefined) =>
  one === undefined || other === undefined ? undefined : one + other

/** How many undecided traces a sampler holds, by its own counter, which it updates once a second. */
const tracesWaiting = ({ settings }: Instance): Promise<number | undefined> =>
  fetch(url(settings, 'COLLECTOR_METRICS_PORT', '/metrics'), { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) }).then(
    async (answer) => {
      const gauge = /^otelcol_processor_tail_sampling_sampling_traces_on_memory(?:\{.*\})? (\S+)$/m
      const count = gauge.exec(await answer.text())?.[1]
      return count === undefined ? undefined : Number(count)
    },
    () => undefined,
  )

type Reloading = Readonly<{ one: Instance; since: string | undefined; lastWords: LastWords }>

async function untilUpAgain({ one, since, lastWords }: Reloading, cancel: AbortSignal): Promise<void> {
  const withinMs = startLimitMs(one.settings)
  const title = titleOf(one.name)
  const isUpAgain = async () => {
    const now = await upSince(one)
    if (now !== undefined && now !== since) return true
    const said = await lastWords()
    if (said !== undefined) throw new UserError(`${title} ended when it reloaded. Its last log lines:\n${said}`)
    return false
  }
  if (await waitFor(isUpAgain, { withinMs, everyMs: LOOK_AGAIN_MS, cancel })) return
  throw new UserError(
    `${title} was not ready ${withinMs / 1000} s after its reload. To see why: make logs S=${one.name}`,
  )
}

/** Prints what the new list changes, and returns how many must-keep traces it loses. A bad recording does not stop a reload. */
async function tellDifference(
  settings: Settings,
  launcher: Launcher,
  { before, text, recording }: Readonly<{ before: string | undefined; text: string; recording: string | undefined }>,
): Promise<number> {
  if (before === text) {
    launcher.say('  difference  none: the list is already in force')
    return 0
  }
  const path = recording ? resolve(ROOT, recording) : lastRecording(settings)
  try {
    if (before === undefined) throw new UserError('no list was in force')
    const diff = await difference(settings, launcher, { before, text, path })
    for (const line of shown(diff, shownAs(path))) launcher.say(line)
    return diff.mustKeepLost
  } catch (error) {
    launcher.cancel.throwIfAborted()
    const why = (error as Error).message.split('\n')[0]
    launcher.say(`  difference  cannot be shown on ${shownAs(path)}: ${why}`)
    return 0
  }
}

/** The newest recording of the user, or the committed one if that is newer. */
export function lastRecording(settings: Settings): string {
  const made = [resolve(settings.state, 'recordings'), resolve(ROOT, RECORDINGS)].flatMap((folder) =>
    (existsSync(folder) ? readdirSync(folder) : [])
      .filter((name) => /\.jsonl(\.gz)?$/.test(name) && !name.endsWith('.ledger.jsonl'))
      .map((name) => ({ path: join(folder, name), found: statSync(join(folder, name)) }))
      .filter(({ found }) => found.isFile() && found.size > 0),
  )
  const shipped = resolve(ROOT, COMMITTED_RECORDING)
  // Git writes all committed recordings at about the same time, in any order.
  const minute = ({ found }: (typeof made)[number]) => Math.floor(found.mtimeMs / 60_000)
  const [last] = made.sort(
    (one, other) => minute(other) - minute(one) || Number(other.path === shipped) - Number(one.path === shipped),
  )
  return last?.path ?? shipped
}

/** One collector applies both lists to the same traffic at the same time. */
async function difference(
  settings: Settings,
  launcher: Launcher,
  { before, text, path }: Readonly<{ before: string; text: string; path: string }>,
): Promise<Diff> {
  const threshold = slowCall(settings, await timeFactorOf(path))
  const classes = await classesOf(launcher, CLASSES, { ...settings.env, SLOW_CALL: threshold })
  const found = await study(readRecording(path), pricesOf)
  const speed = comfortableSpeed(found.toMs - found.fromMs)
  launcher.say(`  difference  on ${shownAs(path)}: ${found.traces.size} traces, some seconds`)
  const traffic = { requests: () => readRecording(path), speed, slowCall: threshold }
  const kept = await replayEach({ ...launcher, say: () => {} }, traffic, [
    { name: 'before', text: before },
    { name: 'after', text },
    ...classLists(classes),
  ])
  const none = new Map()
  return compare(classified(found, classes, kept), classes, kept.get('before') ?? none, kept.get('after') ?? none)
}

function shown(diff: Diff, recording: string): readonly string[] {
  const losses = diff.dropped.filter(({ mustKeep }) => mustKeep)
  const more = losses.length - SHOWN_LOSSES
  const rows = [['class', 'kept before', 'after', 'lost', 'gained'], ...diffRows(diff)]
  return [
    ...(losses.length > 0 ? [`\nWARNING: ${losses.length} traces that must be kept are lost with this list:`] : []),
    ...losses.slice(0, SHOWN_LOSSES).map(({ trace, classes }) => `  ${trace}  ${classes.join(', ')}`),
    ...(more > 0 ? [`  … and ${more} more; all of them: make tune A=… B=… RECORDING=${recording}`] : []),
    '',
    drawIn('text')(rows).replace(/^/gm, '  '),
    '',
  ]
}
