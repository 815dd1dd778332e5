import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { postOtlp } from '../otlp/post.ts'
import { launcherFor } from '../stack/collectors.ts'
import { quiet } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { tsx } from '../stack/service.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { type Running, type Scratch, startCollector } from '../workbench/collector.ts'

type Wishes = Partial<Scratch> & Readonly<{ policy?: string }>

/** Starts the native Collector for a test, with the shipped list unless another is named. Paths are those of the repository. */
export async function collectorFor(
  settings: Settings,
  { folder = settings.state, policy = SHIPPED_POLICY, overlays = [], env, line }: Wishes = {},
): Promise<Running> {
  return startCollector(await launcherFor(settings, quiet, 'native'), {
    folder,
    overlays: overlays.map((file) => resolve(ROOT, file)),
    env: { POLICY_FILE: resolve(ROOT, policy), ...env },
    ...(line && { line }),
  })
}

/** Sends a request that must be taken. */
export async function sendTo(otlp: string, path: string, body: unknown): Promise<void> {
  const answer = await postOtlp(`${otlp}${path}`, body)
  assert.equal(answer.status, 200, await answer.text())
}

/** A command in a process of its own, as make starts it. */
export function main(env: Readonly<Record<string, string>>, ...words: readonly string[]) {
  const { file, args, cwd } = tsx('stack/main.ts', ...words)
  return execa(file, args, { cwd, env, reject: false, all: true })
}
