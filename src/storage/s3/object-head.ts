import { StorageError } from '../../errors.js'
import { checksumAlgorithmOf } from '../../job/checksums.js'
import { isArchiveClass } from '../../job/storage-classes.js'
import { printable } from '../../keys.js'
import { isoTime, timeOf } from '../../times.js'
import { contentEncoding } from '../content-encoding.js'
import type { ObjectHead } from '../storage.js'
import { bareEtag } from './request.js'
import type { Asked } from './storage-errors.js'
import type { HttpResponse } from './http.js'

const ENCODING = 'content-encoding'

/** Headers that S3 keeps with an object beside user metadata, and that a copy with REPLACE sets anew. */
const SYSTEM = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
])

/** Fields of an answer that a rewrite must send again, under the same name. */
const SENT_AGAIN = new Set([
  'x-amz-object-lock-event-hold',
  'x-amz-object-lock-event-hold-duration-days',
  'x-amz-object-lock-event-hold-duration-years',
  'x-amz-object-lock-legal-hold',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-bucket-key-enabled',
  'x-amz-website-redirect-location',
])

const ENCRYPTION = 'x-amz-server-side-encryption'

/** How Ceph shows the large objects that were made by its Swift API; Swift itself shows S3 nothing of them. */
const DYNAMIC = 'x-object-manifest'
const MANIFEST = new Set([DYNAMIC, 'x-object-meta-static-large-object', 'x-static-large-object'])

/** What the head of an answer tells: a size that it does not say is unknown, and no ETag is that of no object. */
export type ToldHead = Omit<ObjectHead, 'size'> & { readonly size: number | undefined }

/** Reads the head of the answer to a HEAD or GET. */
export function readHead(response: Pick<HttpResponse, 'status' | 'head'>, asked: Asked): ToldHead {
  const headers = new Map<string, string>()
  const carried: [string, string][] = []
  let etag = ''
  let stored = ''
  let storageClass = 'STANDARD'
  let lastModified = ''
  let size: number | undefined
  let lengths = 0
  let plainEtag = true
  let customerKey = false
  let composite = false
  const checksums = new Map<string, string>()
  let [tags, unshown] = [0, 0]
  let archived = false
  let restored = false
  let manifest = false
  let [lockMode, retainUntil] = ['', '']
  let versionId: string | undefined
  const { head } = response
  for (let at = head.indexOf('\r\n') + 2; at > 1 && at < head.length;) {
    const end = head.indexOf('\r\n', at)
    const line = end < 0 ? head.slice(at) : head.slice(at, end)
    at = end < 0 ? head.length : end + 2
    const colon = line.indexOf(':')
    if (colon < 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = trimmed(line, colon + 1)
    if (SYSTEM.has(name) || name.startsWith('x-amz-meta-')) {
      // A field that comes twice is one value (RFC 9110 §5.3).
      const before = headers.get(name)
      headers.set(name, before === undefined ? value : `${before},${value}`)
    } else if (name === 'etag') etag = bareEtag(/^W\/(".*)$/.exec(value)?.[1] ?? value)
    else if (name === 'content-length') {
      const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined
      // Lengths that contradict each other are none.
      size = lengths++ === 0 || size === length ? length : undefined
    } else if (name === 'x-goog-stored-content-encoding') stored = value
    else if (name === 'last-modified') lastModified = isoDate(value, asked)
    else if (MANIFEST.has(name)) manifest ||= name === DYNAMIC || /^true$/i.test(value)
    else if (!name.startsWith('x-amz-')) continue
    else if (SENT_AGAIN.has(name)) {
      carried.push([name, value])
      if (name === ENCRYPTION && value !== 'AES256') plainEtag = false
    } else if (name === `${ENCRYPTION}-customer-algorithm`) {
      plainEtag = false
      customerKey = true
    } else if (name === 'x-amz-checksum-type') composite = value !== 'FULL_OBJECT'
    else if (name === 'x-amz-storage-class') storageClass = value || storageClass
    else if (name === 'x-amz-version-id') versionId = value === '' || value === 'null' ? undefined : value
    else if (name === 'x-amz-tagging-count') tags = Number(value)
    else if (name === 'x-amz-missing-meta') unshown = Number(value)
    else if (name === 'x-amz-archive-status') archived = true
    else if (name === 'x-amz-restore') restored = /ongoing-request="false"/.test(value)
    else if (name === 'x-amz-object-lock-mode') lockMode = value
    else if (name === 'x-amz-object-lock-retain-until-date') retainUntil = value
    else {
      const algorithm = checksumAlgorithmOf(name)
      if (algorithm === undefined || value === '') continue
      carried.push(['x-amz-checksum-algorithm', algorithm.toUpperCase()])
      // Older stores do not tell the type; of parts, it ends in their number.
      if (!value.includes('-')) checksums.set(algorithm, value)
    }
  }
  const encoding = headers.get(ENCODING)
  if (encoding !== undefined) {
    const ofContent = contentEncoding(encoding)
    if (ofContent === undefined) headers.delete(ENCODING)
    else headers.set(ENCODING, ofContent)
  }
  if (![tags, unshown].every(Number.isInteger)) {
    throw new StorageError('the answer to HEAD does not say how many tags or metadata there are', {
      ...{ severity: 'fail-object', code: 'UnreadableHead', ...asked, status: response.status },
    })
  }
  // Google says so of what it sends as it is stored, whoever takes the header away on the way.
  if (stored !== '' && stored !== 'identity' && !headers.has('content-encoding'))
    headers.set('content-encoding', stored)
  if (storageClass !== 'STANDARD') carried.push(['x-amz-storage-class', storageClass])
  // Retention that is over cannot be set again, and need not be.
  const retained = lockMode !== '' && !(timeOf(retainUntil) <= Date.now())
  if (retained) {
    carried.push(['x-amz-object-lock-mode', lockMode], ['x-amz-object-lock-retain-until-date', retainUntil])
  }
  return {
    ...{ etag, size, lastModified, versionId, storageClass, headers, carried, tags, unshown },
    plainEtag: plainEtag && !manifest,
    ...(manifest ? { manifest } : {}),
    checksums: composite ? new Map<string, string>() : checksums,
    archived: archived || (isArchiveClass(storageClass) && !restored),
    locked: retained && lockMode === 'COMPLIANCE',
    ...(customerKey ? { customerKey } : {}),
  }
}

// What is not understood would be selected, or left out, by a guess.
function isoDate(value: string, asked: Asked): string {
  const time = value === '' ? '' : isoTime(value)
  if (time !== undefined) return time
  throw new StorageError(`the answer to HEAD has a Last-Modified that is not understood: ${printable(value)}`, {
    ...{ severity: 'fail-object', code: 'UnreadableTime', ...asked },
  })
}

function trimmed(line: string, from: number): string {
  let start = from
  let end = line.length
  while (start < end && isBlank(line.charCodeAt(start))) start++
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--
  return line.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
