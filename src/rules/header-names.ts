import { timeOf } from '../times.js'

/** Headers that S3 keeps with an object and that a person may set, by lower-case name. */
export const SETTABLE = [
  'cache-control',
  'content-type',
  'content-encoding',
  'content-language',
  'content-disposition',
  'expires',
] as const

const META = 'x-amz-meta-'

/** The name of user metadata as Ceph keeps it, which writes `-` for `_`. */
export function nameInCeph(name: string): string {
  return name.replaceAll('_', '-')
}

/** What is wrong with `name` as that of a header to set or remove, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (SETTABLE.some((one) => one === name)) return undefined
  if (name.startsWith(META) && /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name.slice(META.length))) return undefined
  return name.startsWith(META)
    ? 'a name of metadata is of letters, digits and hyphens'
    : `it is none of ${SETTABLE.join(', ')} and ${META}NAME`
}

/** What is wrong with `value` for a header, or undefined. */
export function valueProblem(value: string): string | undefined {
  if (value === '') return 'the value is empty'
  if (value.trim() !== value) return 'the value begins or ends with a blank, which HTTP would drop'
  if (!/^[ -~]*$/.test(value)) return 'the value has characters beyond printable ASCII, which HTTP does not carry'
  return undefined
}

/** A date as `Expires` has it (RFC 9110 §5.6.7), from what a person wrote; undefined when it is no date. */
export function httpDate(text: string): string | undefined {
  const time = timeOf(text)
  return Number.isNaN(time) ? undefined : new Date(time).toUTCString()
}
