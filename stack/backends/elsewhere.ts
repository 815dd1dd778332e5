import { UserError } from '../../workbench/user-error.ts'
import type { Settings } from '../settings.ts'
import type { Backend } from './backend.ts'

/** A variable that a backend needs. Throws a `UserError` that says how to set it. */
export function required({ env }: Settings, { id, needs }: Backend, name: string): string {
  const value = env[name]
  if (value) return value
  throw new UserError(
    // Not as an argument of make: every user of the machine can read those.
    `${name} is not set, and the backend ${id} needs it: export ${name}=${needs?.[name] ?? '…'} and then make up BACKENDS=…,${id}`,
  )
}

/**
 * The address of a server on another machine, without a slash at its end. Without a scheme, it is https. Throws `UserError`
 * when it is missing or not an address, or when a secret would be sent to another machine unencrypted.
 */
export function addressIn(
  settings: Settings,
  backend: Backend,
  name: string,
  { secret }: Readonly<{ secret: boolean }>,
): string {
  const given = required(settings, backend, name)
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `https://${given}`
  const parsed = URL.canParse(address) ? new URL(address) : undefined
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol) || parsed.username || parsed.password)
    throw new UserError(
      `${name} must be the address of a server, without a name or password in it, such as ${backend.needs?.[name]}.`,
    )
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|host\.docker\.internal)$/.test(parsed.hostname)
  if (parsed.protocol === 'http:' && secret && !isHere)
    throw new UserError(
      `${name}=${given} would send your key unencrypted: write https://${parsed.host}${parsed.pathname}`,
    )
  return address.replace(/\/+$/, '')
}
