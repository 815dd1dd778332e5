import { UserError } from '../../workbench/user-error.ts'
import type { Settings } from '../settings.ts'
import type { Backend } from './backend.ts'
import { addressIn } from './elsewhere.ts'

export const otlp: Backend = {
  id: 'otlp',
  title: 'OTLP',
  endpointVariable: 'OTLP_BACKEND_ENDPOINT',
  needs: { OTLP_BACKEND_ENDPOINT: 'https://api.honeycomb.io' },
  environment: (settings: Settings) => {
    const headers = headersIn(settings.env.OTLP_BACKEND_HEADERS ?? '')
    const endpoint = addressIn(settings, otlp, 'OTLP_BACKEND_ENDPOINT', {
      secret: Object.keys(headers).length > 0,
    })
    // The Collector reads a map from it, and reads a $ as the beginning of a variable.
    return { OTLP_BACKEND_ENDPOINT: endpoint, OTLP_BACKEND_HEADER_MAP: JSON.stringify(headers).replaceAll('$', '$$$$') }
  },
}

/**
 * Reads headers in the form of OpenTelemetry's variables: `name=value,name=value`, with percent-encoded values.
 * Throws a `UserError` that does not name the value, because it is a secret.
 */
function headersIn(given: string): Record<string, string> {
  const pairs = given.split(',').filter((pair) => pair.trim() !== '')
  const seen = new Set<string>()
  return Object.fromEntries(
    pairs.map((pair, index) => {
      const [, name = '', value = ''] = /^\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? []
      if (!name || !value)
        throw new UserError(
          `OTLP_BACKEND_HEADERS: header ${index + 1} has no name or no value. Write name=value, with commas between and %2C for a comma inside a value.`,
        )
      if (seen.has(name.toLowerCase()))
        throw new UserError(`OTLP_BACKEND_HEADERS names ${name} twice: write each header once.`)
      seen.add(name.toLowerCase())
      return [name, decoded(name, value)]
    }),
  )
}

function decoded(name: string, value: string): string {
  let text: string
  try {
    text = decodeURIComponent(value)
  } catch {
    throw new UserError(
      `OTLP_BACKEND_HEADERS: the value of ${name} has a % without a code after it. Write %25 for a %.`,
    )
  }
  if (/\p{Cc}/u.test(text))
    throw new UserError(
      `OTLP_BACKEND_HEADERS: the value of ${name} holds a line break or another character that is not allowed in a header. Remove it.`,
    )
  return text
}
