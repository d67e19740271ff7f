import type { PassedOverReason } from '../../job/passed-over.js'
import { placeUrl } from '../../job/place.js'
import { isBeside, printable } from '../../keys.js'
import { isoTime } from '../../times.js'
import { hasControl, isOf, PLAIN_FIELDS } from './sent-fields.js'
import { badLine } from './text-lines.js'
import type { ListedEncryption } from '../../storage/storage.js'
import type { DataFiles } from '../../storage/data-files.js'
import { inLowerCase } from '../../storage/etags.js'

/** An object that a list names, with what the list tells of it. */
export interface ListEntry {
  /** The full key. */
  readonly key: string
  /** Absent for the current one. */
  readonly version?: string
  readonly size?: number
  /** Without the quotes. */
  readonly etag?: string
  /** As `Date.toISOString` writes it. */
  readonly lastModified?: string
  readonly storageClass?: string
  /** Where it matters to who asks. */
  readonly encryption?: ListedEncryption
}

/** What a list may tell of an object. */
export type EntryField = keyof ListEntry | 'bucket' | 'isLatest' | 'isDeleteMarker' | 'kmsKeyArn' | 'bucketKey'

/** The trait that a column or field of this name is about, whatever its case and underscores; undefined for what is of no use. */
export function traitOf(name: string): EntryField | undefined {
  return TRAITS.get(name.trim().toLowerCase().replaceAll('_', ''))
}

const TRAITS: ReadonlyMap<string, EntryField> = new Map([
  ['bucket', 'bucket'],
  ['key', 'key'],
  ['version', 'version'],
  ['versionid', 'version'],
  ['islatest', 'isLatest'],
  ['isdeletemarker', 'isDeleteMarker'],
  ['size', 'size'],
  ['etag', 'etag'],
  ['lastmodified', 'lastModified'],
  ['lastmodifieddate', 'lastModified'],
  ['storageclass', 'storageClass'],
  ['encryptionstatus', 'encryption'],
  ['kmskeyarn', 'kmsKeyArn'],
  ['bucketkeystatus', 'bucketKey'],
  ['isbucketkeyenabled', 'bucketKey'],
])

/** What a list must be of. */
export interface EntryNeeds {
  readonly bucket: string
  /** What all keys must begin with. */
  readonly prefix: string
  /** The prefix, without a slash at its end, is the name of an object or of a folder. */
  readonly asFolder?: boolean
  /** It may name versions that are not the current one. */
  readonly versions: boolean
  /** The list is of the whole bucket: what is not below the prefix is passed over. Else it is an error. */
  readonly ofBucket?: boolean
  /** Told of each line that is passed over. */
  readonly passedOver?: (why: PassedOverReason) => void
  /** Told when keys have `s3://bucket/` before them, which is taken off. */
  readonly urls?: () => void
  /** Told of each line of `keys` and `csv`, as it is. */
  readonly line?: (text: string) => void
  /** Fields of which nothing is asked: where it costs something to read them, they are absent. */
  readonly unused?: ReadonlySet<EntryField>
  /** Opens what an inventory consists of, by keys, where it is in a store; else its files are on this machine. */
  readonly files?: DataFiles | undefined
}

/** Whose line it is. */
export interface Where {
  /** The file's name, fit to print. */
  readonly name: string
  readonly line: number
  readonly wanted: EntryNeeds
}

/**
 * The object that the traits of a line describe; undefined for one that is passed over: a delete marker, a version that is no longer the current
 * one, or, in a list of the whole bucket, one that is not below the prefix. What is not as it should be counts as not told, but for the key, the bucket, the version and the time, which are UserErrors.
 */
export function listed(told: (trait: EntryField) => unknown, { name, line, wanted }: Where): ListEntry | undefined {
  const [key, version, size, etag] = [told('key'), told('version'), told('size'), told('etag')]
  const [lastModified, storageClass] = [told('lastModified'), told('storageClass')]
  const odd = PLAIN_FIELDS.find((field) => hasControl(told(field)))
  if (odd !== undefined) throw badLine(name, line, `has a control character in its ${odd}`)
  if (typeof key !== 'string' || key === '') throw badLine(name, line, 'has no key')
  // Only an escape in JSON can make one, and it could not be sent.
  if (/\p{Cs}/u.test(key)) throw badLine(name, line, 'has a key that is not Unicode: half of a surrogate pair')
  const its = told('bucket')
  if (typeof its === 'string' && its !== wanted.bucket) {
    throw badLine(name, line, `is of another bucket, ${JSON.stringify(its)}`, `The list must be of ${wanted.bucket}.`)
  }
  if (!isWithin(key, { name, line, wanted })) return undefined
  const marker = isWord(told('isDeleteMarker'), true)
  if (marker || isWord(told('isLatest'), false)) {
    wanted.passedOver?.(marker ? 'deleteMarkers' : 'oldVersions')
    return undefined
  }
  // The current version is the object as it is, and no version of its own: to delete that would bring back the one before.
  const asks = isText(version) && !isWord(told('isLatest'), true)
  if (asks && !wanted.versions) {
    throw badLine(
      name,
      line,
      'names a version, and this job is for objects as they are now',
      'Take the versions out of the list.',
    )
  }
  if (asks && !isOf('version', version)) {
    throw badLine(name, line, `names a version that S3 cannot have given: ${printable(version)}`)
  }
  return {
    key,
    ...(asks ? { version } : {}),
    ...(typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? { size } : {}),
    ...(isText(etag) && isOf('etag', unquoted(etag)) ? { etag: inLowerCase(unquoted(etag)) } : {}),
    ...(isText(lastModified) ? { lastModified: timeIn(lastModified, name, line) } : {}),
    ...(isOf('storageClass', storageClass) ? { storageClass } : {}),
    ...listedEncryption(told, wanted),
  }
}

const STATUSES = ['SSE-S3', 'SSE-KMS', 'DSSE-KMS', 'SSE-C', 'NOT-SSE'] as const

/** What a line tells of encryption, where that is asked for, and it is one of those that S3 names. */
export function listedEncryption(
  told: (trait: EntryField) => unknown,
  { unused }: Pick<EntryNeeds, 'unused'>,
): Pick<ListEntry, 'encryption'> {
  if (unused?.has('encryption') === true) return {}
  const status = STATUSES.find((one) => one === told('encryption'))
  if (status === undefined) return {}
  const [kmsKeyArn, bucketKey] = [told('kmsKeyArn'), told('bucketKey')]
  const on = isWord(bucketKey, true) || bucketKey === 'ENABLED'
  const known = on || isWord(bucketKey, false) || bucketKey === 'DISABLED'
  return {
    encryption: { status, ...(isText(kmsKeyArn) ? { kmsKeyArn } : {}), ...(known ? { bucketKey: on } : {}) },
  }
}

/** Whether a key is below the prefix of the job. If it is not, it is passed over in a list of the whole bucket, and else a UserError. */
export function isWithin(key: string, { name, line, wanted }: Where): boolean {
  const { bucket, prefix, asFolder } = wanted
  const begins = key.startsWith(prefix)
  if (begins && (asFolder !== true || !isBeside(key.slice(prefix.length)))) return true
  if (wanted.ofBucket === true) {
    wanted.passedOver?.('outside')
    return false
  }
  if (begins) {
    throw badLine(
      name,
      line,
      `has a key that is not in the folder ${placeUrl({ bucket, prefix })}: ${printable(key)}`,
      `Give ${placeUrl({ bucket })} as the source, or add --prefix-as-text if every key that begins so is meant.`,
    )
  }
  throw badLine(
    name,
    line,
    `has a key that is not below ${placeUrl({ bucket, prefix })}: ${printable(key)}`,
    'Keys in a list are whole, from the beginning of the bucket on.',
  )
}

// By a guess objects would be selected, or be left out, that should not: `01/02/2026` is in January for some, and in February for others.
function timeIn(text: string, name: string, line: number): string {
  const time = isoTime(text)
  if (time !== undefined) return time
  throw badLine(
    name,
    line,
    `has a time that is not understood: ${printable(text)}`,
    'Write times as 2026-01-31T12:00:00Z or 2026-01-31 12:00:00 (in UTC), or leave the column out: what is not told is looked up.',
  )
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isWord(value: unknown, word: boolean): boolean {
  return value === word || (typeof value === 'string' && value.toLowerCase() === String(word))
}

function unquoted(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1')
}
