import { StorageError, UserError } from '../../errors.js'
import { isFolder, placeUrl, type Place } from '../../job/place.js'
import { printable, printableName } from '../../keys.js'
import { objectJson, objectLines, type ObjectTold, type Unread } from '../../report/object-report.js'
import { jsonRecord } from '../../report/json-records.js'
import { locateObject } from '../../storage/locate-object.js'
import { able, type HeaderFields, type Storage } from '../../storage/storage.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import type { Flags } from '../options/flag-values.js'
import { unless, type CommandIo } from '../options/io.js'
import { DEFAULT_PACE } from '../options/pace-options.js'
import { warnTo } from './attended.js'
import { open } from './open-and-run.js'

/** Which object is to be shown, by its whole key in the place of the prefix. */
export interface ShowRequest {
  readonly place: Place
  readonly version: string | undefined
  readonly json: boolean
}

/** How long what fails is tried again, in milliseconds: a person waits. */
const PATIENCE = 2_000

/** Shows all that a store tells of one object. Resolves with the exit code. */
export async function showObject({ place, version, json }: ShowRequest, flags: Flags, io: CommandIo): Promise<number> {
  const located = await locateObject(place)
  const warn = (message: string): void => warnTo(io, printableName(message))
  const opened = await open({ source: located.place }, readConnection(flags, {}), {
    ...{ readOnly: true, named: true, threads: 0, io, warn, pace: { ...DEFAULT_PACE, retryFor: PATIENCE } },
    note: () => undefined,
  })
  try {
    const { store } = opened.ends.source
    const told = await unless(io.stop, gather(store, located.key, version))
    const url = placeUrl(place)
    if (told instanceof StorageError) return complainOf(told, url, version, io)
    const key = isFolder(place) ? located.key : place.prefix
    const object: ObjectTold = { url, bucket: located.place.bucket, key, ...told }
    io.stdout.write(json ? `${jsonRecord('object', objectJson(object))}\n` : `${objectLines(object).join('\n')}\n`)
    return EXIT.done
  } finally {
    opened.close()
  }
}

function complainOf(error: StorageError, url: string, version: string | undefined, io: CommandIo): number {
  const what = version === undefined ? url : `version ${printable(version)} of ${url}`
  if (error.severity === 'skip' || error.code === 'NoSuchVersion') {
    io.stderr.write(`s3move: ${what} is not there: ${printableName(error.message)}\n`)
    io.stderr.write(`        keys are told apart by each character; ‘s3move ls’ shows those of a prefix\n`)
    return EXIT.failures
  }
  const status = error.status === undefined ? '' : ` (HTTP ${error.status})`
  throw new UserError(
    `${what} cannot be looked at: ${error.operation} ${printable(error.code)}${status}: ${printableName(error.message)}`,
    error.hint,
  )
}

type Gathered = Omit<ObjectTold, 'url' | 'bucket' | 'key'>

// What a HEAD says, and at the same time all that is asked apart from it. What only a part of it is refused for is said with the rest.
async function gather(store: Storage, key: string, version: string | undefined): Promise<Gathered | StorageError> {
  const { reading, describing } = store
  const unread: Unread[] = []
  let fields: HeaderFields
  try {
    fields = await able(describing, 'describe objects').fields(key, version)
  } catch (error) {
    if (error instanceof StorageError) return error
    throw error
  }
  const has = (name: string): boolean => fields.some(([one]) => one === name)
  const part = async <T>(what: string, ask: (() => Promise<T> | undefined) | undefined): Promise<T | undefined> => {
    try {
      return await ask?.()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const { operation, code, message } = error
      unread.push({ what, operation, code, message })
      return undefined
    }
  }
  const [tags, acl, retention, legalHold, parts] = await Promise.all([
    part('tags', async () => tagsIn((await reading.tagging(key, version)).header)),
    part('ACL', () => reading.acl?.(key, version)),
    // HEAD says it where it may be read.
    part('lock', has('x-amz-object-lock-mode') ? undefined : () => describing?.retention?.(key, version)),
    part('legal hold', has('x-amz-object-lock-legal-hold') ? undefined : () => describing?.legalHold?.(key, version)),
    part('parts', isOfParts(fields) ? () => describing?.parts?.(key, version) : undefined),
  ])
  unread.sort((a, b) => (a.what < b.what ? -1 : 1))
  return { fields, tags, acl, retention, legalHold, parts, unread }
}

function isOfParts(fields: HeaderFields): boolean {
  return /-\d+"?$/.test(fields.find(([name]) => name === 'etag')?.[1] ?? '')
}

function tagsIn(header: string): { key: string; value: string }[] {
  return [...new URLSearchParams(header)].map(([key, value]) => ({ key, value }))
}
