import { parseDocument, visit } from 'yaml'

/** How a policy file reads a variable: `${env:NAME:-what it is otherwise}`. */
const VARIABLE = /\$\{env:(\w+)(?::-([^}]*))?\}/g

type Values = Readonly<Record<string, string | undefined>>

/** A list as the collector reads it with these variables. An empty one counts as unset. */
export const withVariables = (list: string, env: Values): string =>
  list.replace(VARIABLE, (_, name, otherwise = '') => env[name] || otherwise)

/** The same list with one variable replaced by a value; the others stay for the collector to read. */
export const withValue = (list: string, variable: string, value: string): string =>
  list.replace(VARIABLE, (whole, name) => (name === variable ? value : whole))

/** The variables that a list reads, with their values. What stands in comments is not read. */
export function variablesIn(list: string, env: Values): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  visit(parseDocument(list), {
    Scalar: (_, { value }) => {
      for (const [, name = '', otherwise = ''] of String(value).matchAll(VARIABLE))
        found.set(name, env[name] || otherwise)
    },
  })
  return found
}
