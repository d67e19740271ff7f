import type { Argv } from './argv.js'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { httpDate, nameProblem, SETTABLE, valueProblem } from '../../rules/header-names.js'
import { grouped, many, readList, readText, textFlag, type Flags } from './flag-values.js'

/** The access control lists that S3 knows by name. */
export const CANNED_ACLS = [
  ...['private', 'public-read', 'public-read-write', 'authenticated-read', 'aws-exec-read'],
  ...['bucket-owner-read', 'bucket-owner-full-control'],
] as const

/** Flags of headers and user metadata to be set or taken away. */
export function settingFlags(argv: Argv): Argv {
  return grouped(argv, 'Headers:', {
    'cache-control': textFlag('VALUE', "such as 'public, max-age=31536000'"),
    'content-type': textFlag('VALUE', 'such as text/html'),
    'content-encoding': textFlag('VALUE', 'such as gzip'),
    'content-language': textFlag('VALUE', 'such as en'),
    'content-disposition': textFlag('VALUE', 'such as attachment'),
    expires: textFlag('DATE', 'a date: 2027-01-31, or as HTTP has it'),
    metadata: many('NAME=VALUE', 'NAME=VALUE of user metadata, repeatable'),
    remove: many('NAME', 'header to take away, repeatable'),
    'remove-metadata': many('NAME', 'NAME of user metadata to take away, repeatable'),
  })
}

/** The headers to be set, by lower-case name. */
export function readSettings(flags: Flags): [string, string][] {
  const set: [string, string][] = []
  for (const name of SETTABLE) {
    const given = flags[name]
    if (given === undefined) continue
    if (given === '') {
      throw new UserError(`--${name} is empty, and S3 keeps no empty header`, `to take it away: ${removal(name)}`)
    }
    const value = readText(flags, name) ?? ''
    if (name !== 'expires') set.push([name, checked(`--${name}`, value)])
    else {
      const date = httpDate(value)
      if (date === undefined) {
        throw new UserError(
          `--expires ${printable(value)} is not a date`,
          "write 2027-01-31, 2027-01-31T12:00:00Z or 'Sun, 31 Jan 2027 12:00:00 GMT'",
        )
      }
      set.push([name, date])
    }
  }
  return set
}

function removal(name: string): string {
  return name === 'content-type' ? 'S3 gives every object one, so set another' : `--remove ${name}`
}

/** The user metadata to be set: NAME=VALUE of `--metadata`. */
export function readMetadata(flags: Flags): [string, string][] {
  return readList(flags, 'metadata').map((given) => {
    const equals = given.indexOf('=')
    if (equals < 1)
      throw new UserError(`--metadata ${printable(given)} is not NAME=VALUE`, 'write --metadata owner=web')
    const name = metadataName('metadata', given.slice(0, equals))
    const value = given.slice(equals + 1)
    if (value === '') {
      throw new UserError(
        `--metadata ${printable(given)} is empty`,
        `to take it away: --remove-metadata ${given.slice(0, equals)}`,
      )
    }
    return [name, checked(`--metadata ${given.slice(0, equals)}`, value)]
  })
}

/** The headers and user metadata to be taken away, by lower-case name. */
export function readRemovedHeaders(flags: Flags): string[] {
  const headers = readList(flags, 'remove').map((given) => {
    const name = given.toLowerCase()
    const problem = nameProblem(name)
    if (problem !== undefined) throw new UserError(`--remove ${printable(given)}: ${problem}`, 'see --help')
    if (name === 'content-type') {
      throw new UserError('a content-type cannot be removed: S3 gives every object one', 'set it with --content-type')
    }
    return name
  })
  return [...headers, ...readList(flags, 'remove-metadata').map((given) => metadataName('remove-metadata', given))]
}

function metadataName(flag: string, given: string): string {
  const name = `x-amz-meta-${given.toLowerCase().replace(/^x-amz-meta-/, '')}`
  const problem = nameProblem(name)
  if (problem === undefined) return name
  throw new UserError(`--${flag} ${printable(given)}: ${problem}`, 'write a name such as owner, without x-amz-meta-')
}

function checked(flag: string, value: string): string {
  const problem = valueProblem(value)
  if (problem === undefined) return value
  throw new UserError(
    `${printable(flag)}: ${problem}`,
    'write it in ASCII; encode other text as RFC 8187 or RFC 2047 have it',
  )
}

/** Refuses a header that is both to be set and to be removed. */
export function refuseBoth(set: readonly (readonly [string, string])[], remove: readonly string[]): void {
  const both = set.find(([name]) => remove.includes(name))
  if (both !== undefined) throw new UserError(`${both[0]} is both to be set and to be removed`, 'do one of them')
}
