import { printable } from '../keys.js'
import { timeOf } from '../times.js'

/** A value that is not what it should be: `message` names the field, what was expected and what was found. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch'
}

/** Proves that a value read from outside is a `T`, or throws a Mismatch naming `at`, the path of the field (`job.source`). */
export type Check<T> = (value: unknown, at: string) => T

type OptionalKeys<T> = { [K in keyof T]-?: T extends Record<K, T[K]> ? never : K }[keyof T]
type RequiredKeys<T> = Exclude<keyof T, OptionalKeys<T>>

/**
 * An object with exactly the fields of `T`. The types ask for a check of every field, so a field added to an interface
 * cannot be forgotten here; a field that is not known is refused, for ignoring it could mean doing another job.
 */
export function shape<T extends object>(
  required: { readonly [K in RequiredKeys<T>]: Check<T[K]> },
  optional: { readonly [K in OptionalKeys<T>]-?: Check<Exclude<T[K], undefined>> },
): Check<T> {
  const mandatory = Object.entries<Check<unknown>>(required)
  const voluntary = Object.entries<Check<unknown>>(optional)
  const known = new Set([...mandatory, ...voluntary].map(([name]) => name))
  return (value, at) => {
    const fields = asRecord(value, at)
    for (const name of Object.keys(fields)) {
      if (!known.has(name)) throw new Mismatch(`${join(at, name)} is not a field that this version knows`)
    }
    const result: [string, unknown][] = []
    for (const [name, check] of mandatory) {
      if (!Object.hasOwn(fields, name)) throw new Mismatch(`${join(at, name)} is missing`)
      result.push([name, check(fields[name], join(at, name))])
    }
    for (const [name, check] of voluntary) {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined
      if (field !== undefined) result.push([name, check(field, join(at, name))])
    }
    return Object.fromEntries(result) as T
  }
}

/** A list whose items all pass `check`. */
export function list<T>(check: Check<T>): Check<T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw mismatch(at, 'a list', value)
    return value.map((item, index) => check(item, `${at}[${index}]`))
  }
}

/** A list of exactly these items. */
export function tuple<T extends readonly unknown[]>(...checks: { readonly [I in keyof T]: Check<T[I]> }): Check<T> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length !== checks.length) throw mismatch(at, `${checks.length} items`, value)
    return checks.map((check, index) => check(value[index], `${at}[${index}]`)) as unknown as T
  }
}

/** An object whose `kind` says which shape it must have. */
export function byKind<T extends { readonly kind: string }>(kinds: {
  readonly [K in T['kind']]: { readonly shape: Check<Extract<T, { readonly kind: K }>> }
}): Check<T> {
  const known = new Map(Object.entries<{ readonly shape: Check<T> }>(kinds))
  return (value, at) => {
    const { kind } = asRecord(value, at)
    const check = typeof kind === 'string' ? known.get(kind)?.shape : undefined
    if (check === undefined) {
      throw mismatch(join(at, 'kind'), [...known.keys()].map((one) => JSON.stringify(one)).join(' or '), kind)
    }
    return check(value, at)
  }
}

/** Values by name, whatever the names. */
export function record<T>(check: Check<T>): Check<Record<string, T>> {
  return (value, at) =>
    // From entries, because a name such as `__proto__` must become a field like any other.
    Object.fromEntries(Object.entries(asRecord(value, at)).map(([name, item]) => [name, check(item, join(at, name))]))
}

/** A whole number, zero or more. May be beyond 2^53, where it is no longer exact: bytes of a very large run. */
export const checkCount: Check<number> = (value, at) => {
  if (!Number.isInteger(value) || Number(value) < 0) throw mismatch(at, 'a whole number, zero or more', value)
  return Number(value)
}

/** A whole number, one or more. */
export const positive: Check<number> = (value, at) => {
  if (!Number.isInteger(value) || Number(value) < 1) throw mismatch(at, 'a whole number, one or more', value)
  return Number(value)
}

/** A finite number, zero or more. */
export const checkDuration: Check<number> = (value, at) => {
  if (!Number.isFinite(value) || Number(value) < 0) throw mismatch(at, 'a number, zero or more', value)
  return Number(value)
}

/** Counts by name. */
export const counts = record(checkCount)

/** Any string. */
export const text: Check<string> = (value, at) => {
  if (typeof value !== 'string') throw mismatch(at, 'a string', value)
  return value
}

/** `true` or `false`. */
export const flag: Check<boolean> = (value, at) => {
  if (typeof value !== 'boolean') throw mismatch(at, 'true or false', value)
  return value
}

/** A time in UTC as `Date.toISOString` writes it, kept as text. */
export const time: Check<string> = (value, at) => {
  if (typeof value !== 'string' || !ISO_TIME.test(value) || Number.isNaN(timeOf(value))) {
    throw mismatch(at, 'a time such as 2026-01-31T12:00:00.000Z', value)
  }
  return value
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/

/** One of the values given. */
export function oneOf<const T extends string | number>(...allowed: readonly T[]): Check<T> {
  return (value, at) => {
    const found = allowed.find((one) => one === value)
    if (found === undefined) throw mismatch(at, allowed.map((one) => JSON.stringify(one)).join(' or '), value)
    return found
  }
}

function asRecord(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(at, 'an object', value)
  return value as Record<string, unknown>
}

function mismatch(at: string, expected: string, got: unknown): Mismatch {
  // JSON would tell a NaN as null, and has no word for undefined.
  const whole = typeof got === 'number' || got === undefined ? String(got) : printable(JSON.stringify(got))
  const shown = whole.length > 60 ? `${whole.slice(0, 60)}…` : whole
  return new Mismatch(`${at === '' ? 'the document' : at} should be ${expected}, but is ${shown}`)
}

function join(at: string, name: string): string {
  const shown = printable(name)
  return at === '' ? shown : `${at}.${shown}`
}
