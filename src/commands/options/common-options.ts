import type { Argv } from 'yargs'
import { UserError } from '../../errors.js'
import type { Connection, EndConnection } from '../../job/connection.js'
import type { Pace } from '../../job/pace.js'
import type { Side } from '../../job/place.js'
import { printable } from '../../keys.js'
import { checkEndpoint, endpointHint } from '../../storage/endpoint.js'
import { dialects } from '../../sandbox/wire/dialects.js'
import type { SandboxOptions } from '../../sandbox/server.js'

/** Flags as yargs hands them over: strings and booleans, each absent unless given. */
export type Flags = Readonly<Record<string, unknown>>

/** What is done when the flags do not say otherwise. */
export const DEFAULT_PACE: Pace = { concurrency: 256, lanes: 16 }

/** The same for deletions: with so many objects in flight to a lane, each request names a thousand. */
export const DELETE_PACE: Pace = { concurrency: 10_000, lanes: 8 }

const MOST_CONCURRENCY = 10_000
const MOST_LANES = 1_000
const MOST_THREADS = 256

/** How much is told, and how. */
export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
}

/** Flags of how fast. */
export function paceFlags<T>(argv: Argv<T>): Argv<T> {
  return argv
    .option('concurrency', textFlag('objects in flight at once', `${DEFAULT_PACE.concurrency}`))
    .option('lanes', textFlag('key ranges listed at once', `${DEFAULT_PACE.lanes}`))
    .option('threads', textFlag('worker threads', 'what the machine and --concurrency can use'))
    .option(
      'max-errors',
      textFlag(
        'stop when more objects than this have failed',
        'when the first 1,000, or from some moment on nearly all, fail alike',
      ),
    )
    .option('retry-for', textFlag('how long what may pass is tried again: 30s, 10m, 2h', '2h'))
    .option(
      'bandwidth',
      textFlag('most bytes a second that pass through this machine each way: 500K, 50M, 1G', 'no limit'),
    )
    .group(['concurrency', 'lanes', 'threads', 'max-errors', 'retry-for', 'bandwidth'], 'Speed and failures:')
}

/** Flags of the jobs that only read. */
export function scanFlags<T>(argv: Argv<T>): Argv<T> {
  return connectionFlags(argv)
    .option('lanes', textFlag('key ranges listed at once', '64'))
    .option('threads', textFlag('worker threads', 'what the machine and --lanes can use'))
    .option('retry-for', textFlag('how long what may pass is tried again: 30s, 10m, 2h', '2h'))
    .option('checkpoint', textFlag('folder in which to keep how far it came, so that it can be resumed'))
    .option('fresh', booleanFlag('begin again, though an unfinished run is in --checkpoint'))
    .option('quiet', { ...booleanFlag('no progress'), alias: 'q' })
    .group(['lanes', 'threads', 'retry-for', 'checkpoint', 'fresh', 'quiet'], 'Run:')
}

/** Flags of `verify`. */
export function verifyFlags<T>(argv: Argv<T>): Argv<T> {
  return scanFlags(argv)
    .option(
      'deep',
      booleanFlag('compare headers, user metadata, tags, checksums, class, encryption and lock too, by HEAD'),
    )
    .option('acl', booleanFlag('compare access control lists too, at a request on each side for each object'))
    .option('bytes', booleanFlag('read the content of both sides'))
    .option('fix', booleanFlag('copy what is missing or different; nothing is ever deleted'))
    .group(['deep', 'acl', 'bytes', 'fix'], 'Comparison:')
    .option(
      'to',
      textFlag('file to write the differences to; .gz and .zst are compressed. It is FILE.part until it is whole'),
    )
    .option('json', booleanFlag('the summary as one line of JSON'))
    .option('verbose', { ...booleanFlag('also write objects of which only the size could be compared'), alias: 'v' })
    .group(['to', 'json', 'verbose'], 'Output:')
    .option('concurrency', textFlag('objects looked at, read or copied at once', `${DEFAULT_PACE.concurrency}`))
    .group(['concurrency', 'lanes', 'threads', 'checkpoint', 'fresh'], 'Run:')
}

/** Flags of `delete`. */
export function deleteFlags<T>(argv: Argv<T>): Argv<T> {
  return argv
    .option('yes', booleanFlag('do not ask for the name of the bucket'))
    .option('all-versions', booleanFlag('each object with all of its versions and delete markers'))
    .group(['all-versions'], 'Objects:')
    .option('concurrency', textFlag('objects in flight at once, a thousand to a request', `${DELETE_PACE.concurrency}`))
    .option('lanes', textFlag('key ranges listed at once', `${DELETE_PACE.lanes}`))
}

/** Flags of `sync`. */
export function syncFlags<T>(argv: Argv<T>): Argv<T> {
  return argv
    .option('size-only', booleanFlag('copy what is missing or has another size, and compare nothing else'))
    .option(
      'newer',
      booleanFlag('copy what is missing or newer at the source (Last-Modified), and compare nothing else'),
    )
    .option('delete', booleanFlag('delete what only the destination has, once both sides have been listed'))
    .option('max-delete', textFlag('with --delete: delete nothing at all when more objects than this would be'))
    .group(['size-only', 'newer', 'delete', 'max-delete'], 'Synchronisation:')
}

/** Flags of `set-headers`. */
export function headerFlags<T>(argv: Argv<T>): Argv<T> {
  return settingFlags(argv)
    .option('if-unset', booleanFlag('set only what is not there'))
    .option('guess-content-type', booleanFlag('by the extension, where Content-Type is missing or binary/octet-stream'))
    .option('force', booleanFlag('with --guess-content-type: replace every Content-Type that differs'))
    .option('rules', textFlag('file of rules, YAML or JSON: which objects get which headers (see README)'))
    .group(['if-unset', 'guess-content-type', 'force', 'rules'], 'Headers:')
    .option('preserve', textFlag('acl: keep access control lists, for one more request an object'))
    .option('acl', textFlag('canned access control list for every object rewritten, such as public-read'))
    .option('reset-acl', booleanFlag('let S3 reset access control lists: objects become private'))
    .option('on-loss', textFlag(ON_LOSS, 'warn'))
    .option('folder-markers', booleanFlag('also empty objects whose key ends in /'))
    .group(['preserve', 'acl', 'reset-acl', 'on-loss', 'folder-markers'], 'Objects:')
}

/** Flags of headers and user metadata to be set or taken away. */
export function settingFlags<T>(argv: Argv<T>): Argv<T> {
  return argv
    .option('cache-control', textFlag("such as 'public, max-age=31536000'"))
    .option('content-type', textFlag('such as text/html'))
    .option('content-encoding', textFlag('such as gzip'))
    .option('content-language', textFlag('such as en'))
    .option('content-disposition', textFlag('such as attachment'))
    .option('expires', textFlag('a date: 2027-01-31, or as HTTP has it'))
    .option('metadata', many('NAME=VALUE of user metadata, repeatable'))
    .option('remove', many('header to take away, repeatable'))
    .option('remove-metadata', many('NAME of user metadata to take away, repeatable'))
    .group(
      [
        ...['cache-control', 'content-type', 'content-encoding', 'content-language', 'content-disposition', 'expires'],
        ...['metadata', 'remove', 'remove-metadata'],
      ],
      'Headers:',
    )
}

/** Flags of how the store is reached. */
export function connectionFlags<T>(argv: Argv<T>): Argv<T> {
  return argv
    .option('endpoint-url', textFlag('URL of the S3 endpoint, for stores other than AWS'))
    .option('region', textFlag('region of the buckets; S3 is asked when it is another'))
    .option('profile', textFlag('profile of the AWS config files'))
    .option(
      'path-style',
      booleanFlag(
        'name the bucket in the path; the default for endpoints other than AWS (--no-path-style: in the host)',
      ),
    )
    .option('request-payer', booleanFlag('pay for the requests on requester-pays buckets'))
    .option('sign-request', { ...booleanFlag('--no-sign-request: do not sign, for public buckets'), hidden: true })
    .option('no-sign-request', booleanFlag('do not sign requests, for public buckets'))
    .option('ca-bundle', textFlag('file of PEM certificates to trust'))
    .option('verify-ssl', { ...booleanFlag('--no-verify-ssl: accept any certificate'), hidden: true })
    .option('no-verify-ssl', booleanFlag('accept any TLS certificate; for tests only'))
    .option('expected-bucket-owner', textFlag('account that the buckets must belong to'))
    .option('connect-timeout', textFlag('how long a connection may take to be established', '10s'))
    .option(
      'read-timeout',
      textFlag('how long a server may stay silent, at most: it is less where answers usually come soon', '60s'),
    )
    .option(
      'min-rate',
      textFlag('least bytes a second at which content must come, on average over --read-timeout; 0 for none', '1K'),
    )
    .group(
      [
        'endpoint-url',
        'region',
        'profile',
        'path-style',
        'request-payer',
        'no-sign-request',
        'ca-bundle',
        'no-verify-ssl',
        'expected-bucket-owner',
        'connect-timeout',
        'read-timeout',
        'min-rate',
      ],
      'Connection (AWS’s environment variables and config files work as in the AWS CLI):',
    )
}

/** Flags of how the two sides are reached, where they are not reached alike. */
export function sideFlags<T>(argv: Argv<T>): Argv<T> {
  const names = ['endpoint-url', 'region', 'profile', 'path-style', 'no-sign-request', 'expected-bucket-owner'] as const
  return argv
    .option('source-endpoint-url', textFlag('endpoint of the source alone'))
    .option('source-region', textFlag('region of the source alone'))
    .option('source-profile', textFlag('profile for the source alone'))
    .option('source-path-style', booleanFlag('--path-style for the source alone'))
    .option('source-no-sign-request', booleanFlag('do not sign requests to the source'))
    .option('source-expected-bucket-owner', textFlag('account that the bucket of the source must belong to'))
    .option('destination-endpoint-url', textFlag('endpoint of the destination alone'))
    .option('destination-region', textFlag('region of the destination alone'))
    .option('destination-profile', textFlag('profile for the destination alone'))
    .option('destination-path-style', booleanFlag('--path-style for the destination alone'))
    .option('destination-no-sign-request', booleanFlag('do not sign requests to the destination'))
    .option('destination-expected-bucket-owner', textFlag('account that the bucket of the destination must belong to'))
    .group(
      ['source', 'destination'].flatMap((side) => names.map((name) => `${side}-${name}`)),
      'Connection of one side, where it differs:',
    )
}

/** Flags of what is told. */
export function tellingFlags<T>(argv: Argv<T>): Argv<T> {
  return argv
    .option('json', booleanFlag('one line of JSON for each event, on standard output'))
    .option('quiet', { ...booleanFlag('tell only of warnings and failures'), alias: 'q' })
    .option('verbose', { ...booleanFlag('tell of each object'), alias: 'v' })
    .group(['json', 'quiet', 'verbose'], 'Output:')
}

/** Flags of the simulated server. */
export function sandboxFlags<T>(argv: Argv<T>) {
  return argv
    .positional('buckets', {
      type: 'string',
      array: true,
      describe: 'NAME[:FLAG,..] or NAME:LAYOUT:COUNT[:OPTION=VALUE,..]',
    })
    .option('port', textFlag('port to listen on', 'a free one'))
    .option('access-key', textFlag('AK:SK, to verify signatures with', 'any signature is accepted'))
    .option('latency', textFlag('CLASS=MIN-MAX,.. in ms; classes: list, copy, head, get, put, delete, other, all'))
    .option('rate', textFlag('write=N,read=N: requests a second for each first folder; 503 SlowDown beyond'))
    .option('fault', {
      type: 'string',
      array: true,
      requiresArg: true,
      nargs: 1,
      describe:
        'KIND=RATE[@Operation], repeatable; kinds: 500, 503, reset, reset-after, truncate, hang, copy200err, copy200empty, space, expired, disorder, denied',
    })
    .option('dialect', textFlag(DIALECT, 'all that S3 knows'))
    .option('restore', textFlag('seconds that restoring an archived object takes', '0: ready at once'))
    .option('seed', textFlag('seed of latencies and faults', '1'))
}

const DIALECT = `another store that it plays: ${Object.keys(dialects).join(', ')}; or switches, as README lists them`

/** The sandbox that the flags ask for. */
export function readSandbox(flags: Flags): SandboxOptions {
  const buckets = texts(flags.buckets)
  const faults = texts(flags.fault)
  const [accessKeyId, secretAccessKey, ...more] = readText(flags, 'access-key')?.split(':') ?? []
  if (accessKeyId !== undefined && (secretAccessKey === undefined || more.length > 0)) {
    throw new UserError('--access-key wants an access key and a secret key', 'write --access-key AK:SK')
  }
  const given: { -readonly [Name in keyof SandboxOptions]: SandboxOptions[Name] | undefined } = {
    port: readWhole(flags, 'port', 0, 65_535),
    buckets: buckets.length > 0 ? buckets : ['src:seq:100k', 'dst'],
    accessKeyId,
    secretAccessKey,
    latency: readText(flags, 'latency'),
    rate: readText(flags, 'rate'),
    faults,
    restoreSeconds: readWhole(flags, 'restore', 0, 1_000_000),
    dialect: readText(flags, 'dialect'),
    seed: readWhole(flags, 'seed', 0, 0xffff_ffff),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

/** The pace that the flags ask for, `base` where they are silent. */
export function readPace(flags: Flags, base: Pace): Pace {
  const maxErrors = readWhole(flags, 'max-errors', 0, Number.MAX_SAFE_INTEGER) ?? base.maxErrors
  const threads = readWhole(flags, 'threads', 1, MOST_THREADS) ?? base.threads
  const retryFor = readDuration(flags, 'retry-for', 0) ?? base.retryFor
  const bandwidth = readRate(flags, 'bandwidth') ?? base.bandwidth
  const onLoss = readOnLoss(flags) ?? base.onLoss
  return {
    concurrency: readWhole(flags, 'concurrency', 1, MOST_CONCURRENCY) ?? base.concurrency,
    lanes: readWhole(flags, 'lanes', 1, MOST_LANES) ?? base.lanes,
    ...(threads === undefined ? {} : { threads }),
    ...(maxErrors === undefined ? {} : { maxErrors }),
    ...(retryFor === undefined ? {} : { retryFor }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(onLoss === 'fail' ? { onLoss } : {}),
  }
}

/** What `--on-loss` is for. */
export const ON_LOSS = 'when a look shows that an object loses what it was to have: warn, or fail'

/** What to do when objects lose something that they were to have; undefined when the flags do not say. */
export function readOnLoss(flags: Flags): 'warn' | 'fail' | undefined {
  return readChoice(flags, 'on-loss', ['warn', 'fail'])
}

/** One of the values that a flag may have, or undefined. */
export function readChoice<const T extends string>(flags: Flags, name: string, allowed: readonly T[]): T | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  const found = allowed.find((one) => one === given)
  if (found !== undefined) return found
  throw new UserError(`--${name} cannot be ${printable(given)}`, `write one of: ${allowed.join(', ')}`)
}

/** The connection that the flags ask for, `base` where they are silent. */
export function readConnection(flags: Flags, base: Connection): Connection {
  const endpointUrl = readText(flags, 'endpoint-url')
  if (endpointUrl !== undefined) checkEndpoint(endpointUrl, endpointHint('--endpoint-url'))
  const given: { -readonly [Name in keyof Connection]: Connection[Name] | undefined } = {
    endpointUrl,
    region: readText(flags, 'region'),
    profile: readText(flags, 'profile'),
    pathStyle: readFlag(flags, 'path-style'),
    noSignRequest: readNegated(flags, 'sign-request'),
    expectedOwner: readText(flags, 'expected-bucket-owner'),
    source: readSide(flags, 'source', base.source),
    destination: readSide(flags, 'destination', base.destination),
    requestPayer: readFlag(flags, 'request-payer'),
    caBundle: readText(flags, 'ca-bundle'),
    noVerifySsl: readNegated(flags, 'verify-ssl'),
    connectTimeout: readDuration(flags, 'connect-timeout', 1),
    readTimeout: readDuration(flags, 'read-timeout', 1),
    minRate: readRate(flags, 'min-rate', 0),
  }
  return { ...base, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) }
}

function readSide(flags: Flags, side: Side, base: EndConnection | undefined): EndConnection | undefined {
  const endpointUrl = readText(flags, `${side}-endpoint-url`)
  if (endpointUrl !== undefined) checkEndpoint(endpointUrl, endpointHint(`--${side}-endpoint-url`))
  const given: { -readonly [Name in keyof EndConnection]: EndConnection[Name] | undefined } = {
    endpointUrl,
    region: readText(flags, `${side}-region`),
    profile: readText(flags, `${side}-profile`),
    pathStyle: readFlag(flags, `${side}-path-style`),
    noSignRequest: readFlag(flags, `${side}-no-sign-request`),
    expectedOwner: readText(flags, `${side}-expected-bucket-owner`),
  }
  const some = Object.entries(given).filter(([, value]) => value !== undefined)
  return some.length === 0 ? base : { ...base, ...Object.fromEntries(some) }
}

/** What the flags say of output. */
export function readTelling(flags: Flags): OutputOptions {
  const [json, quiet, verbose] = (['json', 'quiet', 'verbose'] as const).map((name) => readFlag(flags, name) ?? false)
  if (quiet === true && verbose === true) {
    throw new UserError('--quiet and --verbose contradict each other', 'give one of them')
  }
  return { json: json ?? false, quiet: quiet ?? false, verbose: verbose ?? false }
}

/** The value of a text flag, or undefined. */
export function readText(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw new UserError(`--${name} was given ${value.length} times`, 'give it once')
  if (typeof value !== 'string' || value === '') throw new UserError(`--${name} needs a value`, `write --${name} VALUE`)
  return value
}

/** The values of a flag that may be given several times. */
export function readList(flags: Flags, name: string): string[] {
  const value = flags[name] ?? []
  // yargs makes something else than a list of text of `--name.x VALUE` and of `--no-name`.
  if (Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '')) return texts(value)
  throw new UserError(`--${name} needs a value`, `write --${name} VALUE`)
}

/** The value of a switch, or undefined when it was not given. */
export function readFlag(flags: Flags, name: string): boolean | undefined {
  const value = flags[name]
  if (Array.isArray(value)) throw new UserError(`--${name} was given ${value.length} times`, 'give it once')
  if (value === undefined || typeof value === 'boolean') return value
  throw new UserError(`--${name} is neither yes nor no`, `write --${name} or --${name}=false`)
}

// yargs reads `--no-x` as x being false.
function readNegated(flags: Flags, name: string): boolean | undefined {
  const value = readFlag(flags, name)
  return value === undefined ? undefined : !value
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

/** The milliseconds of a flag such as `90s`, `10m` or `2h` (a number alone is seconds), or undefined. At most 30 days. */
function readDuration(flags: Flags, name: string, least: number): number | undefined {
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
function readRate(flags: Flags, name: string, least = LEAST_RATE): number | undefined {
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

/** A flag with a value, for yargs. */
export function textFlag(describe: string, otherwise?: string) {
  return {
    type: 'string',
    requiresArg: true,
    describe: otherwise === undefined ? describe : `${describe} [default: ${otherwise}]`,
  } as const
}

/** A flag with a value that may be given several times, for yargs. */
export function many(describe: string) {
  return { type: 'string', array: true, nargs: 1, requiresArg: true, describe } as const
}

/** A switch, for yargs. */
export function booleanFlag(describe: string) {
  return { type: 'boolean', describe } as const
}
