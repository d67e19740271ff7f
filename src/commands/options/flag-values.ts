import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import type { Argv, Option } from './argv.js'
import type { Placeholder } from './placeholders.js'

/** Flags as yargs hands them over: strings and booleans, each absent unless given. */
export type Flags = Readonly<Record<string, unknown>>

/** Declares options under a heading of the help; under one that is there already they come last. */
export function grouped(argv: Argv, heading: string, options: Readonly<Record<string, Option>>): Argv {
  return argv.options(options).group(Object.keys(options), heading)
}

/** A flag with a value; `otherwise` is what holds without it, in words. */
export function textFlag(placeholder: Placeholder, describe: string, otherwise?: string) {
  return {
    type: 'string',
    requiresArg: true,
    placeholder,
    describe,
    ...(otherwise === undefined ? {} : { otherwise }),
  } as const
}

/** A flag with a value that may be given several times. */
export function many(placeholder: Placeholder, describe: string) {
  return { type: 'string', array: true, nargs: 1, requiresArg: true, placeholder, describe } as const
}

/** A switch. */
export function booleanFlag(describe: string) {
  return { type: 'boolean', describe } as const
}

/** A positional argument; yargs has seen to it that it is there, or the command knows that it need not be. */
export function readArgument(flags: Flags, name: string): string {
  return String(flags[name])
}

/** The value of a text flag, or undefined. */
export function readText(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw new UserError(`--${name} was given ${value.length} times`, 'give it once')
  if (typeof value !== 'string' || value === '') throw new UserError(`--${name} needs a value`, `write --${name} VALUE`)
  return value
}

/** The last value of a flag in a command line that nobody has parsed yet. */
export function lastGiven(args: readonly string[], name: string): string | undefined {
  const joined = `--${name}=`
  return args
    .flatMap((arg, at) => {
      if (arg === `--${name}`) return args[at + 1] ?? []
      return arg.startsWith(joined) ? arg.slice(joined.length) : []
    })
    .at(-1)
}

/** The values of a flag that may be given several times. */
export function readList(flags: Flags, name: string): string[] {
  const value = flags[name] ?? []
  // yargs makes something else than a list of text of `--name.x VALUE` and of `--no-name`.
  if (Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '')) return texts(value)
  throw new UserError(`--${name} needs a value`, `write --${name} VALUE`)
}

/** What stands in an array of text, in whatever yargs has made of it. */
export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

/** The value of a switch, or undefined when it was not given. */
export function readFlag(flags: Flags, name: string): boolean | undefined {
  const value = flags[name]
  if (Array.isArray(value)) throw new UserError(`--${name} was given ${value.length} times`, 'give it once')
  if (value === undefined || typeof value === 'boolean') return value
  throw new UserError(`--${name} is neither yes nor no`, `write --${name} or --${name}=false`)
}

/** The opposite of a switch, for `--no-x`, which yargs reads as x being false; undefined when it was not given. */
export function readNegated(flags: Flags, name: string): boolean | undefined {
  const value = readFlag(flags, name)
  return value === undefined ? undefined : !value
}

/** One of the values that a flag may have, or undefined. */
export function readChoice<const T extends string>(flags: Flags, name: string, allowed: readonly T[]): T | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  const found = allowed.find((one) => one === given)
  if (found !== undefined) return found
  throw new UserError(`--${name} cannot be ${printable(given)}`, `write one of: ${allowed.join(', ')}`)
}

/** The whole number of a flag, or undefined. */
export function readWhole(flags: Flags, name: string, least: number, most: number): number | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  const number = /^[0-9]+$/.test(given) ? Number(given) : Number.NaN
  if (number >= least && number <= most) return number
  const range =
    most === Number.MAX_SAFE_INTEGER ? `a whole number, ${least} or more` : `a whole number from ${least} to ${most}`
  throw new UserError(
    `--${name} wants ${range}, and was given ${printable(given)}`,
    `write something like --${name} ${Math.min(most, Math.max(least, 64))}`,
  )
}

/** The amount of a flag such as `0.5` or `1200`, more than zero, or undefined. */
export function readAmount(flags: Flags, name: string): number | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  const number = /^\d{1,12}(\.\d{1,6})?$/.test(given) ? Number(given) : Number.NaN
  if (number > 0) return number
  throw new UserError(
    `--${name} wants an amount above 0, in digits alone, and was given ${printable(given)}`,
    `write something like --${name} 500`,
  )
}

/** The milliseconds of a flag such as `90s`, `10m` or `2h` (a number alone is seconds), or undefined. At most 30 days. */
export function readDuration(flags: Flags, name: string, least: number): number | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  const length = durationOf(given)
  if (length !== undefined && length >= least && length <= 30 * DAY) return length
  throw new UserError(
    `--${name} wants a time, up to 30 days, and was given ${printable(given)}`,
    `write something like --${name} 30s, 10m or 2h`,
  )
}

/** The bytes a second of a flag such as `50M` (units of 1024), or undefined. At least 10K. */
export function readRate(flags: Flags, name: string, least = LEAST_RATE): number | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  const [, number = '', unit = ''] = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)([KMGT]?)(?:i?B)?$/i.exec(given) ?? []
  const rate = Math.floor(Number(number) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' '))
  if (number !== '' && rate >= least && rate <= MOST_RATE) return rate
  throw new UserError(
    `--${name} wants bytes a second${least > 0 ? ', 10K or more' : ', or 0 for none'}, and was given ${printable(given)}`,
    `write something like --${name} ${least > 0 ? '50M or 1G' : '1K, or 0 for none'}`,
  )
}

const LEAST_RATE = 10 * 1024
const MOST_RATE = 1024 ** 4

/** The milliseconds of a time such as `90s`, `1.5h` or `7d` (a number alone is seconds); undefined when it is none. */
export function durationOf(text: string): number | undefined {
  const [, number, unit = 's'] = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/.exec(text) ?? []
  return number === undefined ? undefined : Math.round(Number(number) * (UNITS[unit] ?? 1))
}

const DAY = 86_400_000
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY }

/** What was given, without what was not: a part of a job stays as small as the command line. */
export function defined<T extends object>(given: { readonly [Name in keyof T]: T[Name] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>
}
