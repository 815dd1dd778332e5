import { UserError } from '../workbench/user-error.ts'

/** Reads a number that a user gave under this name. Throws `UserError` if it is not a whole number of 1 or more. */
export function wholeNumber(name: string, given: string | number): number {
  const number = Number(given)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new UserError(`${name} must be a whole number of 1 or more, such as ${name}=3000, not "${given}".`)
}
