import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Launcher, PORTS, type Running, startCollector } from '../../workbench/collector.ts'

/** A gateway or a sampler. However often it is started, it has the same ports and the same folder. */
export type Member = Readonly<{
  name: string
  /** The process that runs now, or the last one. */
  now: () => Running
  start: () => Promise<void>
}>

export type Tiers = Readonly<{
  gateways: readonly Member[]
  samplers: readonly Member[]
  /** Writes who the samplers are. A gateway reads it at its start and when it reloads. */
  list: (samplers: readonly Member[]) => void
}>

type TiersAsked = Readonly<{
  folder: string
  gateways: number
  samplers: number
  /** How many of the samplers gateways know at first, if not all. */
  listed?: number
  /** For all processes. */
  env: Readonly<Record<string, string>>
  /** How gateways wait for a sampler that is away: without, each sampler has a queue. */
  gatewayEnv?: Readonly<Record<string, string>>
  /** Files that all gateways load before the overlay of their tier. */
  gatewayFiles?: readonly string[]
  /** Files that all samplers load before the overlay of their tier, such as those of backends. */
  samplerFiles: readonly string[]
  /** For one sampler, such as where its backends are. */
  samplerEnv: (index: number) => Readonly<Record<string, string>>
}>

/** Starts samplers, and gateways that know them by a fixed list, as `make up TIERS=2x3` does. The caller ends them. */
export async function startTiers(launcher: Launcher, asked: TiersAsked): Promise<Tiers> {
  const known = join(asked.folder, 'samplers.yaml')
  const addresses = new Map<string, string>()
  const list = (some: readonly Pick<Member, 'name'>[]) =>
    writeFileSync(known, JSON.stringify({ static: { hostnames: some.map(({ name }) => addresses.get(name)) } }))

  async function member(name: string, overlays: readonly string[], env: Readonly<Record<string, string>>) {
    const folder = join(asked.folder, name)
    mkdirSync(folder)
    const ports = await launcher.freePorts(PORTS)
    addresses.set(name, `127.0.0.1:${ports[0]}`)
    const own: Launcher = { ...launcher, freePorts: async () => ports }
    let running: Running | undefined
    const start = async () => {
      running = await startCollector(own, { folder, overlays, env: { ...asked.env, COLLECTOR_NAME: name, ...env } })
    }
    return { name, now: () => running as Running, start }
  }
  const startAll = async (members: readonly Member[]) => {
    const starts = await Promise.allSettled(members.map((one) => one.start()))
    const failed = starts.find((start) => start.status === 'rejected')
    if (!failed) return
    // Those that did start would outlive this program.
    await Promise.all(
      members.filter((_, index) => starts[index]?.status === 'fulfilled').map((one) => one.now().kill()),
    )
    throw failed.reason
  }
  const several = (count: number, make: (index: number) => Promise<Member>) =>
    Promise.all(Array.from({ length: count }, (_, index) => make(index)))
  const samplers = await several(asked.samplers, (index) =>
    member(`sampler-${index + 1}`, [...asked.samplerFiles, 'collector/overlays/sampler.yaml'], asked.samplerEnv(index)),
  )
  const gateways = await several(asked.gateways, (index) =>
    member(`gateway-${index + 1}`, [...(asked.gatewayFiles ?? []), 'collector/overlays/gateway.yaml'], {
      SAMPLERS: `\${file:${known}}`,
      ...(asked.gatewayEnv ?? { SAMPLER_QUEUES: 'true' }),
    }),
  )
  list(samplers.slice(0, asked.listed))
  await startAll([...samplers, ...gateways])
  return { gateways, samplers, list }
}

/** Ends all, gateways first, as `make down` does. */
export async function stopTiers({ gateways, samplers }: Tiers): Promise<void> {
  for (const tier of [gateways, samplers]) await Promise.all(tier.map((one) => one.now().stop()))
}
