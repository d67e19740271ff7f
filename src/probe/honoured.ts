import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { StorageError } from '../errors.js'
import type { Finding } from '../job/finding.js'
import type { SentContent } from '../storage/timed-writes.js'
import { able, type HeaderFields, type ObjectSummary, type Storage } from '../storage/storage.js'
import type { TimedRequests } from '../storage/timed-requests.js'
import type { Allowance } from './allowance.js'
import type { ProbeFolder } from './probe-folder.js'

/** No more requests are sent to find out what reads tell, and what writes tell beside that. */
export const READ_QUESTIONS = 6
export const MOST_QUESTIONS = 40

/** An ETag that nothing has. */
const NOBODYS = `"${'0'.repeat(32)}"`

type Told = Pick<Finding, 'state' | 'told'>
type Count = (operation?: string) => void

/** What a store honours of requests that read, asked with an object that has content. */
export async function honouredByReads(
  store: Storage,
  reads: TimedRequests,
  { key, etag, size }: ObjectSummary,
  count: Count,
): Promise<Finding[]> {
  const get = (fields: HeaderFields) => {
    count('GetObject')
    return reads.get(key, 0, 0, fields)
  }
  return [
    finding('Range', size < 2 ? UNKNOWN : await ofRange(() => get([]))),
    finding('If-Match with GetObject', await refused(() => get([['if-match', NOBODYS]]), [412])),
    finding('If-None-Match with GetObject', await refused(() => get([['if-none-match', `"${etag}"`]]), [304])),
    finding('checksums', await ofChecksums(store, key, count)),
    finding('tags', await ofTags(store, key, count)),
  ]
}

const UNKNOWN: Told = { state: 'unknown', told: 'no object is known that is long enough to ask for a part of it' }

// A store that ignores it sends more than was asked for, which is given up.
async function ofRange(get: () => Promise<{ readonly bytes: number }>): Promise<Told> {
  try {
    const { bytes } = await get()
    return bytes === 1 ? OK : { state: 'no', told: `${bytes} bytes came where one was asked for` }
  } catch (error) {
    const { code, status } = asStorageError(error)
    return code === 'EMSGSIZE' ? { state: 'no', told: 'ignored: the whole object came' } : open(code, status)
  }
}

async function ofChecksums(store: Storage, key: string, count: Count): Promise<Told> {
  return await told(async () => {
    count()
    const { checksums } = await store.reading.head(key)
    const names = [...checksums.keys()].map((name) => name.toUpperCase()).join(', ')
    return names === ''
      ? { state: 'unknown', told: 'none is told of the object that was asked for' }
      : { state: 'ok', told: `told: ${names}` }
  })
}

async function ofTags(store: Storage, key: string, count: Count): Promise<Told> {
  return await told(async () => {
    count()
    await store.reading.tagging(key)
    return OK
  })
}

/** What a store honours of requests that write, asked with objects of the folder; of reads what `honouredByReads` asks. */
export async function honouredByWrites(
  folder: ProbeFolder,
  content: SentContent,
  allowance: Allowance,
): Promise<Finding[]> {
  const { store, reads } = folder.place
  const count: Count = (operation) => void allowance.take(operation)
  const put = (fields: HeaderFields = [], key = folder.name('ask'), md5 = content.md5) => {
    count('PutObject')
    return folder.put(key, { ...content, md5 }, fields)
  }
  const copy = (from: string, fields: HeaderFields, key = folder.name('ask')) => {
    count('CopyObject')
    return folder.copy(from, key, fields)
  }
  // Copies of an object onto itself are refused for that.
  const [from, there] = [folder.name('ask'), folder.name('ask')]
  try {
    await put([], from)
    await put([], there)
  } catch (error) {
    asStorageError(error)
    return []
  }
  const conditions: readonly (readonly [name: string, value: string])[] = [
    ['If-None-Match', '*'],
    ['If-Match', NOBODYS],
  ]
  const found: Finding[] = []
  for (const [name, value] of conditions) {
    const fields: HeaderFields = [[name.toLowerCase(), value]]
    found.push(finding(`${name} with PutObject`, await refused(() => put(fields, there), CONDITION)))
    found.push(finding(`${name} with CopyObject`, await refused(() => copy(from, fields, there), CONDITION)))
  }
  const ofSource = async (name: string): Promise<Finding> =>
    finding(name, await refused(() => copy(from, [[name, NOBODYS]]), CONDITION))
  const source = await ofSource('x-amz-copy-source-if-match')
  const upload = await ofUpload(folder, there, content, count)
  found.push(
    source,
    // As Ceph calls it.
    ...(source.state === 'ok' ? [] : [await ofSource('x-amz-copy-if-match')]),
    finding('If-None-Match with CompleteMultipartUpload', upload.condition),
    finding('UploadPartCopy', upload.copied),
    finding('Content-MD5', await refused(() => put([], folder.name('ask'), md5Of(OTHER)), [400])),
    finding('x-amz-checksum-crc32', await ofChecksum(put, 'crc32', crc32Of(content.bytes), crc32Of(OTHER))),
    finding('x-amz-checksum-sha256', await ofChecksum(put, 'sha256', sha256Of(content.bytes), sha256Of(OTHER))),
    finding('tags with PutObject', await ofTagsSent(store, put, folder.name('ask'), count)),
  )
  const listed = { key: there, etag: '', size: content.bytes.length, lastModified: '', storageClass: 'STANDARD' }
  found.push(...(await honouredByReads(store, reads, { ...listed, etag: await etagOf(store, there, count) }, count)))
  const remove = () => {
    count('DeleteObject')
    return folder.remove(there, [['if-match', NOBODYS]])
  }
  found.push(finding('If-Match with DeleteObject', await refused(remove, CONDITION)))
  return found
}

const OTHER = Buffer.from('other')
/** How a condition that does not hold is refused; 409 where somebody writes at the same time. */
const CONDITION = [412, 409]

async function etagOf(store: Storage, key: string, count: Count): Promise<string> {
  try {
    count()
    return (await store.reading.head(key)).etag
  } catch (error) {
    asStorageError(error)
    return ''
  }
}

async function ofUpload(
  folder: ProbeFolder,
  from: string,
  content: SentContent,
  count: Count,
): Promise<{ readonly condition: Told; readonly copied: Told }> {
  const condition = await told(async () => {
    // The name of what is there is what the condition is about.
    count('CreateMultipartUpload')
    const { upload } = await folder.begin(from)
    count('UploadPart')
    const { etag } = await folder.part(upload, content)
    count('CompleteMultipartUpload')
    return await refused(() => folder.complete(upload, etag, [['if-none-match', '*']]), CONDITION)
  })
  const copied = await told(async () => {
    const { store } = folder.place
    const key = folder.name('ask')
    count('CreateMultipartUpload')
    const { upload } = await folder.begin(key)
    count()
    const { etag } = await store.reading.head(from)
    const object = { key: from, etag, size: content.bytes.length, lastModified: '', storageClass: 'STANDARD' }
    count()
    const last = content.bytes.length - 1
    await able(store.uploading, 'copy parts').copyPart(store, object, { key, upload, number: 1, first: 0, last })
    return OK
  })
  return { condition, copied }
}

// A checksum that is right must be taken, and one that is wrong refused.
async function ofChecksum(
  put: (fields: HeaderFields) => Promise<unknown>,
  name: string,
  right: string,
  wrong: string,
): Promise<Told> {
  const field = `x-amz-checksum-${name}`
  return await told(async () => {
    await put([[field, right]])
    return await refused(() => put([[field, wrong]]), [400])
  })
}

async function ofTagsSent(
  store: Storage,
  put: (fields: HeaderFields, key: string) => Promise<unknown>,
  key: string,
  count: Count,
): Promise<Told> {
  return await told(async () => {
    await put([['x-amz-tagging', 's3move=probe']], key)
    count()
    const { header } = await store.reading.tagging(key)
    return header === 's3move=probe' ? OK : { state: 'no', told: 'taken, and lost' }
  })
}

const OK: Told = { state: 'ok', told: '' }

function finding(what: string, { state, told }: Told): Finding {
  return { about: 'trait', what, state, told }
}

// What must be refused is ignored where it is not.
async function refused(send: () => Promise<unknown>, expected: readonly number[]): Promise<Told> {
  try {
    await send()
    return { state: 'no', told: 'ignored: the request was carried out all the same' }
  } catch (error) {
    const { code, status } = asStorageError(error)
    return status !== undefined && expected.includes(status) ? OK : open(code, status)
  }
}

async function told(ask: () => Promise<Told>): Promise<Told> {
  try {
    return await ask()
  } catch (error) {
    const { code, status } = asStorageError(error)
    return open(code, status)
  }
}

function open(code: string, status: number | undefined): Told {
  const answer = `${code}${status === undefined ? '' : ` (HTTP ${status})`}`
  const isRefused = code === 'TagsNotSupported' || (status !== undefined && NOT_KNOWN.has(status))
  return isRefused ? { state: 'no', told: `refused: ${answer}` } : { state: 'unknown', told: answer }
}

/** What is answered to what a store does not know. */
const NOT_KNOWN: ReadonlySet<number> = new Set([400, 405, 501])

function asStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  throw error
}

function md5Of(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest()
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64')
}

function crc32Of(bytes: Buffer): string {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(bytes))
  return sum.toString('base64')
}
