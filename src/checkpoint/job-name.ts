import { createHash } from 'node:crypto'
import { connectionOf, type Connection } from '../job/connection.js'
import type { Job, WriteJob } from '../job/kinds.js'
import { placeUrl, type Place, type Side } from '../job/place.js'
import type { SyncJob } from '../job/sync.js'
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
    .update(canonicalJson({ job, ...endpoints }))
    .digest('hex')
    .slice(0, 8)
}

/**
 * The name of the folder of a job's run when none is given: `<source>-to-<destination>-<hash>`, with the verb before `to` where it is no copy, or
 * `<source>-<verb>-<hash>`.
 * Safe as a file name everywhere, never hidden, at most 182 characters.
 */
export function defaultFolderName(job: WriteJob, connection: Connection): string {
  const verb = job.kind === 'copy' ? [] : [job.kind]
  const what = [...verb, ...('destination' in job ? ['to', fileName(job.destination)] : [])].join('-')
  return `${fileName(job.source)}-${what}-${jobHash(job, connection)}`
}

/**
 * What keeps a command from going on with a checkpoint: one line for each part of the job that differs, none when it is the
 * same job. Safe to print.
 */
export function differences(
  saved: Pick<Checkpoint, 'job' | 'connection'>,
  wanted: Pick<Checkpoint, 'job' | 'connection'>,
): readonly string[] {
  const asked = parts(wanted)
  return [...parts(saved)]
    .filter(([name, value]) => asked.get(name)?.compared !== value.compared)
    .map(([name, value]) => `${name}: checkpoint has ${value.shown}, command has ${asked.get(name)?.shown ?? 'none'}`)
}

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
    ...details(job),
    ['endpoint', from],
    ...(from.compared === to.compared ? [] : ([['destination’s endpoint', to]] as const)),
  ])
}

function listed(job: Job): (readonly [string, Part])[] {
  const list = 'list' in job ? job.list : undefined
  if (list === undefined) return []
  const { file, format, ...reading } = list
  const how = Object.keys(reading).length === 0 ? '' : `, ${printable(canonicalJson(reading))}`
  return [['list', same(`${printable(file)} (${format}${how})`)]]
}

function details(job: Job): (readonly [string, Part])[] {
  switch (job.kind) {
    case 'copy':
    case 'move':
    case 'sync': {
      const { destination, attributes, partSize, restore } = job
      const versions = job.kind === 'copy' && job.versions === true
      // What is absent leaves the names of jobs as they were.
      const more = {
        ...(job.kind === 'copy' && job.noClobber === true ? { noClobber: true } : {}),
        ...(restore === undefined ? {} : { restore }),
        ...('prefixAs' in job ? { prefixAs: job.prefixAs } : {}),
      }
      return [
        ['destination', same(placeUrl(destination))],
        ['attributes', asJson({ attributes: attributes ?? null, partSize: partSize ?? null, versions, ...more })],
        ['objects', asJson(job.select ?? {})],
        ...(job.kind === 'sync' ? syncDetails(job) : ([['names', asJson(job.map ?? [])]] as const)),
      ]
    }
    case 'set-headers': {
      const { rules, guess, folderMarkers, acl } = job
      return [['changes', asJson({ rules, guess: guess ?? null, folderMarkers, acl: acl ?? null })]]
    }
    case 'delete':
      // What is absent leaves the names of jobs as they were.
      return [
        [
          'objects',
          asJson({ ...job.select, prefixAs: job.prefixAs, ...(job.versions === true ? { versions: true } : {}) }),
        ],
      ]
    case 'ls':
      return [
        ['format', same(job.format)],
        ['order', same(job.sorted ? 'sorted' : 'as it comes')],
        ['output', same(job.to === undefined ? 'standard output' : printable(job.to))],
      ]
    case 'du':
      // How the result is told changes nothing of what is counted.
      return [['depth', same(String(job.depth))]]
    case 'verify': {
      const { deep, acl = false, bytes, fix, verbose } = job
      const asked = Object.entries({ deep, acl, bytes, fix, verbose }).filter(([, given]) => given)
      return [
        ['destination', same(placeUrl(job.destination))],
        ['comparison', same(asked.map(([name]) => name).join(', ') || 'of the listings')],
        ['output', same(job.to === undefined ? 'standard output' : printable(job.to))],
      ]
    }
  }
}

function syncDetails({ by, delete: deletes }: SyncJob): [string, Part][] {
  const most = deletes?.most === undefined ? '' : `, at most ${deletes.most}`
  return [
    ['comparison', same(`by ${by}`)],
    ['deletion', same(deletes === undefined ? 'no' : `yes${most}`)],
  ]
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
