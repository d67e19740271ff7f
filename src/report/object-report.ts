import { isUtf8 } from 'node:buffer'
import { decodedWords } from '../rfc2047.js'
import { isoTime } from '../times.js'
import { printable, printableName } from '../keys.js'
import { bytes, count } from './format.js'

/** What could not be read of an object, and why. */
export interface Unread {
  readonly what: string
  readonly operation: string
  readonly code: string
  readonly message: string
}

/** All that was told of an object. Absent is what it does not have, or what may not be read. */
export interface ObjectTold {
  readonly url: string
  readonly bucket: string
  readonly key: string
  /** Of HEAD, in its order: lower-case names, values one byte a character. */
  readonly fields: readonly (readonly [string, string])[]
  readonly tags?: readonly { readonly key: string; readonly value: string }[] | undefined
  readonly acl?: { readonly owner: string; readonly grants: readonly string[] } | undefined
  readonly retention?: { readonly mode: string; readonly until: string } | undefined
  readonly legalHold?: string | undefined
  readonly parts?: { readonly count: number; readonly first: number } | undefined
  readonly unread: readonly Unread[]
}

const META = 'x-amz-meta-'
const CHECKSUM = 'x-amz-checksum-'
const LOCK_MODE = 'x-amz-object-lock-mode'
const LOCK_UNTIL = 'x-amz-object-lock-retain-until-date'
const LEGAL_HOLD = 'x-amz-object-lock-legal-hold'
/** Fields that have a place of their own. */
const PLACED: ReadonlySet<string> = new Set([
  ...['content-length', 'etag', 'last-modified', 'x-amz-storage-class', 'x-amz-version-id', 'x-amz-tagging-count'],
  ...[LOCK_MODE, LOCK_UNTIL, LEGAL_HOLD],
])

/** What was told, sorted by what it is, as values for programs. */
export function objectJson({ fields, ...told }: ObjectTold) {
  const values = new Map(fields.map(([name, value]) => [name, textOf(value)]))
  const named = (begins: string): Record<string, string> =>
    Object.fromEntries(
      [...values].flatMap(([name, value]) => (name.startsWith(begins) ? [[name.slice(begins.length), value]] : [])),
    )
  const [mode = told.retention?.mode, until = told.retention?.until] = [values.get(LOCK_MODE), values.get(LOCK_UNTIL)]
  const legalHold = values.get(LEGAL_HOLD) ?? told.legalHold
  const size = Number(values.get('content-length') ?? NaN)
  const others = [...values].filter(
    ([name]) => !PLACED.has(name) && !name.startsWith(META) && !name.startsWith(CHECKSUM),
  )
  return {
    ...{ url: told.url, bucket: told.bucket, key: told.key },
    ...(Number.isFinite(size) ? { size } : {}),
    ...given('etag', values.get('etag')?.replaceAll('"', '')),
    ...given('lastModified', timeText(values.get('last-modified'))),
    storageClass: values.get('x-amz-storage-class') ?? 'STANDARD',
    ...given('versionId', values.get('x-amz-version-id')),
    headers: Object.fromEntries(others),
    metadata: named(META),
    ...given('tags', told.tags),
    ...given('acl', told.acl),
    ...(mode === undefined ? {} : { retention: { mode, ...given('until', until) } }),
    ...given('legalHold', legalHold),
    ...given('parts', told.parts),
    checksums: named(CHECKSUM),
    unread: told.unread,
  } as const
}

/** The same in lines for a person. */
export function objectLines(told: ObjectTold): string[] {
  const object = objectJson(told)
  const rows: (readonly [string, string])[] = []
  const row = (name: string, value: string | undefined): void => {
    if (value !== undefined) rows.push([printable(name), printable(value)])
  }
  const { size, retention, parts, acl, tags = [], legalHold } = object
  row(
    'size',
    size === undefined ? undefined : size < 1024 ? `${count(size)} B` : `${bytes(size)} (${count(size)} bytes)`,
  )
  row('modified', object.lastModified)
  row('etag', object.etag)
  row('class', object.storageClass)
  row('version', object.versionId)
  for (const [name, value] of Object.entries(object.headers)) row(name, value)
  for (const [name, value] of Object.entries(object.metadata)) row(META + name, value)
  for (const [name, value] of Object.entries(object.checksums)) row(`checksum ${name}`, value)
  row('parts', parts === undefined ? undefined : `${count(parts.count)}, the first of ${bytes(parts.first)}`)
  for (const { key, value } of tags) row(`tag ${key}`, value)
  row('owner', acl?.owner)
  for (const grant of acl?.grants ?? []) row('grant', grant)
  row('locked', retention === undefined ? undefined : `${retention.mode} until ${retention.until ?? 'an unknown time'}`)
  row('legal hold', legalHold)
  for (const { what, code, operation, message } of object.unread)
    rows.push([what, `may not be read: ${printableName(`${code} on ${operation}: ${message}`)}`])
  // A long name of metadata is not to push all else out of sight.
  const width = Math.min(WIDEST, Math.max(...rows.map(([name]) => name.length)))
  return [told.url, ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`.trimEnd())]
}

const WIDEST = 40

function given<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [N in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [N in Name]?: Value }
}

// Bytes beyond ASCII are UTF-8 where they can be.
function textOf(value: string): string {
  const decoded = decodedWords(value)
  const raw = Buffer.from(decoded, 'latin1')
  return isUtf8(raw) ? raw.toString('utf8') : decoded
}

function timeText(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined
  return isoTime(value) ?? value
}
