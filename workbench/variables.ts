import { parseDocument, visit } from 'yaml'
import { UserError } from './user-error.ts'

/** How a file reads a variable: `${env:NAME:-default}`. */
const VARIABLE = /\$\{env:(\w+)(?::-([^}]*))?\}/g

type Values = Readonly<Record<string, string | undefined>>

/** A text as the collector reads it with these variables. An empty one counts as unset. */
export const withVariables = (text: string, env: Values): string =>
  text.replace(VARIABLE, (_, name, otherwise = '') => env[name] || otherwise)

/** The same text with one variable replaced by a value; the others stay for the collector to read. */
export const withValue = (text: string, variable: string, value: string): string =>
  text.replace(VARIABLE, (whole, name) => (name === variable ? value : whole))

/** The variables that a file reads, with their values, except those in comments. */
export function variablesIn(text: string, env: Values = {}): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  visit(parseDocument(text), {
    Scalar: (_, { value }) => {
      for (const [, name = '', otherwise = ''] of String(value).matchAll(VARIABLE))
        found.set(name, env[name] || otherwise)
    },
  })
  return found
}

/** The default that a file has for a variable. Throws `UserError` when it has none. */
export function defaultOf(text: string, variable: string): string {
  const value = variablesIn(text).get(variable)
  if (value) return value
  throw new UserError(`no default for ${variable}: the file must read \${env:${variable}:-…} with a value after :-`)
}
