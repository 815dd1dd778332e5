import { UserError } from '../workbench/user-error.ts'

/** Reads a number that a user gave by this name. Throws `UserError` unless it is a whole number from 1. */
export function wholeNumber(name: string, given: string | number): number {
  const number = Number(given)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new UserError(`${name}=${given} must be a whole number from 1, such as ${name}=3000.`)
}
