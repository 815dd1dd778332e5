import { type Command, InvalidArgumentError, Option } from 'commander'

/** One option of a program: its flag, its environment variable, what it is for, its default, and how its text is read. */
export function option(
  flag: string,
  variable: string,
  help: string,
  fallback?: string | number,
  read?: (text: string) => unknown,
): Option {
  const made = new Option(flag, help).env(variable).default(fallback)
  return read ? made.argParser(read) : made
}

function number(rule: string, holds: (value: number, text: string) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (!holds(value, text)) throw new InvalidArgumentError(`It must be ${rule}.`)
    return value
  }
}

export const whole = (least: number, most: number) =>
  number(`a whole number from ${least} to ${most}`, (n, text) => /^\d+$/.test(text) && n >= least && n <= most)

export const decimal = (least: number, most: number) =>
  number(`a number from ${least} to ${most}`, (n) => n >= least && n <= most)

/** Reads flags and variables. An empty variable means unset: make and Compose pass variables on that way. */
export function optionsOf<Options extends object>(program: Command, argv: readonly string[]): Options {
  for (const { envVar } of program.options) if (envVar && process.env[envVar] === '') delete process.env[envVar]
  return program.parse(argv, { from: 'user' }).opts<Options>()
}
