import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { UserError } from '../workbench/user-error.ts'
import { ROOT, type Settings, url } from './settings.ts'
import { collectors, type Tier } from './tiers.ts'

/** Redacts behind the sampler instead of before it. */
const HIGH_VOLUME_OVERLAY = 'collector/overlays/high-volume.yaml'
/** Writes what the sampler sees to a file. */
const RECORD_OVERLAY = 'collector/overlays/record.yaml'
const TOKEN_OVERLAY = 'collector/overlays/token.yaml'
const TLS_OVERLAY = 'collector/overlays/tls.yaml'
const TIER_OVERLAYS = { gateway: 'collector/overlays/gateway.yaml', sampler: 'collector/overlays/sampler.yaml' }

/** Characters that a header may hold without encoding. A token shorter than this can be guessed. */
const TOKEN = /^[A-Za-z0-9._~+/=-]{16,}$/

function oneOf(settings: Settings, name: string, [ordinary, other]: readonly [string, string], what: string): boolean {
  const size = settings.env[name] || ordinary
  if (size !== ordinary && size !== other)
    throw new UserError(`${name} must be "${ordinary}" or "${other}", not "${size}". make up ${name}=${other} ${what}.`)
  return size === other
}

/** Whether the live collector writes what the sampler sees to a file. Throws `UserError` when RECORD is neither yes nor no. */
export const isRecording = (settings: Settings): boolean =>
  oneOf(settings, 'RECORD', ['no', 'yes'], 'writes live traffic to .stack/recordings/')

/** The certificate and its key, as absolute paths; undefined without. Throws `UserError` when one is missing. */
export function tlsFiles({ env }: Settings): Readonly<{ cert: string; key: string }> | undefined {
  const [cert = '', key = ''] = [env.OTLP_TLS_CERT, env.OTLP_TLS_KEY]
  if (!cert && !key) return undefined
  if (!cert || !key)
    throw new UserError(
      `${cert ? 'OTLP_TLS_CERT' : 'OTLP_TLS_KEY'} is set, but ${cert ? 'OTLP_TLS_KEY' : 'OTLP_TLS_CERT'} is not. TLS needs both, a certificate and its key, as PEM files.`,
    )
  for (const [name, path] of [
    ['OTLP_TLS_CERT', cert],
    ['OTLP_TLS_KEY', key],
  ] as const) {
    try {
      accessSync(resolve(ROOT, path), constants.R_OK)
    } catch {
      throw new UserError(`${name}=${path} cannot be read: it must be a PEM file that you may read.`)
    }
  }
  return { cert: resolve(ROOT, cert), key: resolve(ROOT, key) }
}

/**
 * The overlays that the live collector, or one of a tier, loads beside its configuration, as paths from the root of the repository.
 * Throws `UserError` when a variable has a wrong value, or when two options cannot be used together.
 */
export function collectorOverlays(settings: Settings, tier?: Tier): readonly string[] {
  const isRecorded = isRecording(settings)
  const isHighVolume = oneOf(settings, 'VOLUME', ['ordinary', 'high'], 'masks only what is kept')
  if (isHighVolume && isRecorded)
    throw new UserError(
      'RECORD=yes and VOLUME=high cannot be used together: with VOLUME=high the recording would not be masked. Leave out one of the two.',
    )
  const isTiered = collectors(settings).length > 1
  if (isTiered && isHighVolume)
    throw new UserError(
      'TIERS and VOLUME=high cannot be used together: gateways would send spans to the samplers unmasked. Leave out one of the two.',
    )
  if (isTiered && isRecorded)
    throw new UserError(
      'TIERS and RECORD=yes cannot be used together: a recording is one file, and each sampler sees a part. Leave out one of the two.',
    )
  const { OTLP_TOKEN: token = '' } = settings.env
  if (token && !TOKEN.test(token))
    throw new UserError(
      'OTLP_TOKEN is not valid: it must have 16 characters or more, of letters, digits and . _ ~ + / = -. To make one: openssl rand -hex 32',
    )
  return [
    ...(isHighVolume ? [HIGH_VOLUME_OVERLAY] : []),
    ...(isRecorded ? [RECORD_OVERLAY] : []),
    ...(token ? [TOKEN_OVERLAY] : []),
    // Samplers receive on this machine only.
    ...(tlsFiles(settings) && tier !== 'sampler' ? [TLS_OVERLAY] : []),
    ...(tier ? [TIER_OVERLAYS[tier]] : []),
  ]
}

type Sender = {
  OTEL_EXPORTER_OTLP_ENDPOINT: string
  OTEL_EXPORTER_OTLP_HEADERS?: string
  OTEL_EXPORTER_OTLP_CERTIFICATE?: string
}

/** Where and how to send OTLP to this stack, in OpenTelemetry's own variables. */
export function senderEnvironment(settings: Settings): Readonly<Sender> {
  const tls = tlsFiles(settings)
  const { OTLP_TOKEN: token } = settings.env
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: url(settings, 'OTLP_HTTP_PORT').replace(/^http:/, tls ? 'https:' : 'http:'),
    ...(token ? { OTEL_EXPORTER_OTLP_HEADERS: `authorization=${encodeURIComponent(`Bearer ${token}`)}` } : {}),
    ...(tls ? { OTEL_EXPORTER_OTLP_CERTIFICATE: tls.cert } : {}),
  }
}
