import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import { type Command, type Launcher, refusingFullDisk, runToEnd, startCollector, withScratch } from './collector.ts'
import { ledgerBeside } from './recording.ts'
import { UserError } from './user-error.ts'
import { isWell, waitFor } from './wait.ts'

/** The programs that make traffic: a model server that answers on a port, and the agents that ask it. */
export type World = Readonly<{
  model: (port: number, otlp: string) => Command
  agents: (port: number, otlp: string, ledger: string) => Command
  cwd: string
}>

/** Longer than the batch delay of every process. */
const SETTLE_MS = 1500
/** Larger than any disk: such a recording is one file. */
const ONE_FILE_MB = 1_000_000_000

/**
 * Plays the world against the shipped collector and records what the sampler saw, masked, with arrival times. The recording
 * and its ledger appear complete, or not at all. Returns the bytes of the recording.
 */
export const record = (launcher: Launcher, world: World, policyFile: string, target: string): Promise<number> =>
  withScratch(async (folder) => {
    const { cancel, say } = launcher
    const plain = join(folder, 'recording.jsonl')
    const ledger = join(folder, 'ledger.jsonl')
    const collector = await startCollector(launcher, {
      folder,
      overlays: [join(import.meta.dirname, '../collector/overlays/record.yaml')],
      env: { POLICY_FILE: policyFile, RECORDING_FILE: plain, RECORDING_FILE_MB: String(ONE_FILE_MB) },
    })
    const leave = new AbortController()
    const [port = 0] = await launcher.freePorts(1)
    const words: string[] = []
    let modelEnded = false
    const model = runToEnd(world.model(port, collector.otlp), {
      cancel: AbortSignal.any([cancel, leave.signal]),
      cwd: world.cwd,
      line: (line) => void words.push(line),
    }).finally(() => {
      modelEnded = true
    })
    model.catch(() => {})
    try {
      await answering(launcher, `http://127.0.0.1:${port}/health`, () => modelEnded, words)
      const code = await runToEnd(world.agents(port, collector.otlp, ledger), {
        cancel,
        cwd: world.cwd,
        line: (line) => {
          if (/^tick +\d*[05] /.test(line) || / spans? /.test(line)) say(`  ${line}`)
          words.push(line)
        },
      })
      cancel.throwIfAborted()
      if (code !== 0)
        throw new UserError(`the agents ended with exit code ${code}. They said:\n${words.slice(-10).join('\n')}`)
      leave.abort()
      await model
      await sleep(SETTLE_MS, undefined, { signal: cancel })
    } finally {
      leave.abort()
      await Promise.allSettled([model])
      await collector.stop()
    }
    return refusingFullDisk(dirname(target), () => publish(plain, ledger, target, cancel))
  })

/** Temporary names in the same folder, so that the last step is a rename: it happens or it does not. */
async function publish(plain: string, ledger: string, target: string, cancel: AbortSignal): Promise<number> {
  mkdirSync(dirname(target), { recursive: true })
  const pairs = [
    { from: `${ledgerBeside(target)}.tmp`, to: ledgerBeside(target) },
    { from: `${target}.tmp`, to: target },
  ]
  try {
    await copyFile(ledger, `${ledgerBeside(target)}.tmp`)
    await pipeline(createReadStream(plain), createGzip({ level: 9 }), createWriteStream(`${target}.tmp`), {
      signal: cancel,
    })
    for (const { from, to } of pairs) renameSync(from, to)
  } finally {
    for (const { from } of pairs) rmSync(from, { force: true })
  }
  return statSync(target).size
}

async function answering(
  { startLimitMs, cancel }: Launcher,
  health: string,
  ended: () => boolean,
  words: readonly string[],
): Promise<void> {
  const isOver = async () => ((await isWell(health)) ? 'answering' : ended() && 'ended')
  if ((await waitFor(isOver, { withinMs: startLimitMs, cancel })) === 'answering') return
  throw new UserError(`the model server does not answer. It said:\n${words.join('\n')}`)
}
