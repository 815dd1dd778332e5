import { UserError } from '../workbench/user-error.ts'
import { COLLECTOR_PORTS, type Settings, url } from './settings.ts'

/** A gateway masks, counts and hands traces on; a sampler judges them and hands on what is kept. */
export type Tier = 'gateway' | 'sampler'

/** One process of the Collector in this stack. Its settings are those of the stack with its own ports. */
export type Instance = Readonly<{ name: string; tier?: Tier; settings: Settings }>

/** How a sentence names a process of the Collector. */
export const titleOf = (name: string): string => (name === 'collector' ? 'the collector' : name)

/** More than the number of ports, so that the last digit says which port it is. */
const PORTS_EACH = 10

/**
 * Every process of the Collector: one, or the gateways and samplers that `TIERS` names. The first has the ports of the stack, the
 * others have those from `TIERS_PORT` on. Throws `UserError` when `TIERS` has a wrong value.
 */
export function collectors(settings: Settings): readonly Instance[] {
  const { TIERS: size = '' } = settings.env
  if (!size || size === 'no') return [{ name: 'collector', settings }]
  const [, gateways, samplers] = /^([1-9])x([1-9])$/.exec(size) ?? []
  if (!gateways || !samplers)
    throw new UserError(
      `TIERS must be "no", or the number of gateways and of samplers, each from 1 to 9, such as TIERS=2x3, not "${size}".`,
    )
  const names = (tier: Tier, count: string) =>
    Array.from({ length: Number(count) }, (_, index) => ({ name: `${tier}-${index + 1}`, tier }))
  return [...names('gateway', gateways), ...names('sampler', samplers)].map((one, index) => ({
    ...one,
    settings: index === 0 ? settings : { ...settings, ports: { ...settings.ports, ...portsFrom(settings, index - 1) } },
  }))
}

const portsFrom = ({ ports }: Settings, index: number): Readonly<Record<string, number>> =>
  Object.fromEntries(COLLECTOR_PORTS.map((name, at) => [name, ports.TIERS_PORT + index * PORTS_EACH + at]))

/** The processes that receive from agents. */
export const receivers = (settings: Settings) => collectors(settings).filter(({ tier }) => tier !== 'sampler')

/** The processes that hold a policy list and hand kept traces on. */
export const judges = (settings: Settings) => collectors(settings).filter(({ tier }) => tier !== 'gateway')

/** The samplers, as the gateways find them. On one machine their addresses do not change. */
export const samplersOf = (settings: Settings): string =>
  JSON.stringify({
    static: { hostnames: judges(settings).map((one) => url(one.settings, 'OTLP_GRPC_PORT').replace('http://', '')) },
  })

/** The samplers, as gateways in containers find them: by the name that all of them have, as in a cluster. */
export const SAMPLERS_BY_NAME = JSON.stringify({
  dns: { hostname: 'sampler', port: '4317', interval: '1s', timeout: '2s' },
})
