import { createHash } from 'node:crypto'
import { connectionOf, type Connection } from '../job/connection.js'
import { nameOfList } from '../job/files-from.js'
import { isScanJob, kindOf, listFileOf, shardIn, withList, writeKindOf, type Job } from '../job/kinds.js'
import { placeUrl, type Place, type Side } from '../job/place.js'
import { printable } from '../keys.js'
import type { Checkpoint } from './checkpoint.js'

/**
 * Names a job by 8 hexadecimal digits: the same for the same job at the same endpoint, whatever the credentials, the region
 * or the pace.
 */
export function jobHash(job: Job, connection: Connection): string {
  const [endpoint, other] = endpointsOf(connection).map(({ compared }) => (compared === 'none' ? null : compared))
  // With one endpoint the name is what it was when there could not be two.
  const endpoints = endpoint === other ? { endpoint } : { endpoint, other }
  return createHash('sha256')
    .update(canonicalJson({ job: named(job), ...endpoints }))
    .digest('hex')
    .slice(0, 8)
}

/**
 * The name of the folder of a job's run when none is given: `<source>-to-<destination>-<hash>`, with the verb before `to` where it is no copy, or
 * `<source>-<verb>-<hash>`; where it is for a shard, with `-shard-3-of-8` before the digits.
 * Safe as a file name everywhere, never hidden, at most 212 characters.
 */
export function defaultFolderName(job: Job, connection: Connection): string {
  const verb = !isScanJob(job) && writeKindOf(job).unnamed === true ? [] : [job.kind]
  const what = [...verb, ...('destination' in job ? ['to', fileName(job.destination)] : [])].join('-')
  const shard = shardIn(job)
  const part = shard === undefined ? '' : `-shard-${shard.number}-of-${shard.of}`
  return `${fileName(job.source)}-${what}${part}-${jobHash(job, connection)}`
}

/** How it is told that one job has this of a part, and another one that. */
type DifferenceWords = (one: string, other: string) => string

const OF_CHECKPOINT: DifferenceWords = (one, other) => `checkpoint has ${one}, command has ${other}`

/**
 * What keeps a command from going on with a checkpoint: one line for each part of the job that differs, none when it is the
 * same job. Safe to print.
 */
export function differences(
  saved: Pick<Checkpoint, 'job' | 'connection'>,
  wanted: Pick<Checkpoint, 'job' | 'connection'>,
  inWords = OF_CHECKPOINT,
): readonly string[] {
  const [kept, asked] = [parts(saved), parts(wanted)]
  return [...new Set([...kept.keys(), ...asked.keys()])]
    .filter((name) => kept.get(name)?.compared !== asked.get(name)?.compared)
    .map((name) => `${name}: ${inWords(kept.get(name)?.shown ?? 'none', asked.get(name)?.shown ?? 'none')}`)
}

/** The same, where the one is that of a plan. */
export const OF_PLAN: DifferenceWords = (one, other) => `it has ${one}, command has ${other}`

interface Part {
  readonly compared: string
  readonly shown: string
}

function parts({ job, connection }: Pick<Checkpoint, 'job' | 'connection'>): ReadonlyMap<string, Part> {
  const [from, to] = endpointsOf(connection)
  return new Map([
    ['job', same(job.kind)],
    ['source', same(placeUrl(job.source))],
    ...listed(job),
    ...kindOf(job)
      .parts(job)
      .map(([name, value]) => [name, typeof value === 'string' ? same(value) : asJson(value)] as const),
    ['endpoint', from],
    ...(from.compared === to.compared ? [] : ([['destination’s endpoint', to]] as const)),
  ])
}

function listed(job: Job): (readonly [string, Part])[] {
  const list = listFileOf(job)
  if (list === undefined) return []
  const { file: _file, origin, format = 'keys', ...reading } = list
  const how = Object.keys(reading).length === 0 ? '' : `, ${printable(canonicalJson(reading))}`
  const content = origin === undefined ? '' : `, SHA-256 ${origin.sha256 ?? ''}`
  return [['list', same(`${nameOfList(list)} (${format}${how}${content})`)]]
}

// A copied list is known by where it came from and what it holds, not by where the copy is; a round by that it is one.
function named(job: Job): Job {
  if ('follow' in job) return { ...job, follow: {} }
  const list = listFileOf(job)
  if (list?.origin === undefined) return job
  const { from, sha256 } = list.origin
  return withList(job, { ...list, file: '', origin: { from, ...(sha256 === undefined ? {} : { sha256 }) } })
}

function asJson(value: object): Part {
  const compared = canonicalJson(value)
  return { compared, shown: printable(compared) }
}

function same(value: string): Part {
  return { compared: value, shown: value }
}

function endpointsOf(connection: Connection): readonly [source: Part, destination: Part] {
  const part = (side: Side): Part => {
    const url = connectionOf(connection, side).endpointUrl
    return url === undefined ? same('none') : { compared: normalUrl(url), shown: printable(url) }
  }
  return [part('source'), part('destination')]
}

// Whether a URL ends in a slash or names the default port says nothing about the place.
function normalUrl(url: string): string {
  return URL.canParse(url) ? new URL(url).href : url
}

function fileName(place: Place): string {
  const path = `${place.bucket}/${place.prefix}`.replace(/\/+$/, '')
  return path
    .replace(/[^A-Za-z0-9._-]/gu, '_')
    .replace(/^\./, '_')
    .slice(0, 80)
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}
