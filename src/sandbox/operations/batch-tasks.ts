import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { noExtras } from '../buckets/object.js'
import { StoredObject } from '../buckets/ordinary-bucket.js'
import { HeldContent } from '../wire/content.js'
import { percentDecode, type S3Request } from '../wire/request.js'
import { S3Error } from '../wire/s3-error.js'
import { childrenOf, textOf, type XmlElement } from '../wire/xml.js'
import { copyObject } from './copy.js'
import { replaceTags } from './tagging.js'
import { bucketOf, nowInSeconds, type World } from './world.js'

/** What became of one row of a manifest. */
export interface TaskResult {
  readonly failed: boolean
  /** A row of the report, by the columns of `SCHEMA`. */
  readonly row: readonly string[]
}

/** The columns of a report, as its manifest names them. */
const SCHEMA = 'Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage'

/** Rows of one file of a report. */
const ROWS_A_FILE = 5000

const badManifest = (message: string) => new S3Error(400, 'InvalidManifest', message)

/** The rows of a manifest: bucket, key (as it stands there) and version, which may be ''. Throws S3Error where it is another than was named, or is none. */
export function readManifest(
  world: World,
  {
    bucket,
    key,
    etag,
    fields,
  }: { readonly bucket: string; readonly key: string; readonly etag: string; readonly fields: readonly string[] },
): readonly (readonly string[])[] {
  const object = bucketOf(world, bucket).get(key)
  if (object === undefined) throw badManifest('The manifest was not found')
  if (object.etag !== etag.replaceAll('"', '')) throw badManifest('The ETag of the manifest is not the one given')
  const text = Buffer.concat([...object.content().chunks(0, object.size)]).toString('utf8')
  const columns = ['Bucket', 'Key', 'VersionId'].map((name) => fields.indexOf(name))
  const rows = text.split(/\r?\n/).filter((line) => line !== '')
  return rows.map((line) => {
    const cells = line.split(',')
    if (cells.length !== fields.length) throw badManifest(`The manifest has a row of ${cells.length} fields`)
    return columns.map((at) => (cells[at] ?? '').replace(/^"(.*)"$/, '$1'))
  })
}

/** Whether jobs can do that. */
export function isKnown({ name }: XmlElement): boolean {
  return ['S3PutObjectCopy', 'S3PutObjectTagging', 'S3DeleteObjectTagging'].includes(name)
}

/** Does to the object of a row what the operation of the job says; `target` is where copies go. */
export function carryOut(
  world: World,
  [bucket = '', key = '', version = '']: readonly string[],
  operation: XmlElement,
  target: string,
): TaskResult {
  const row = (...rest: readonly string[]): readonly string[] => [bucket, key, version, ...rest]
  try {
    const name = percentDecode(key.replaceAll('+', ' '))
    if (operation.name === 'S3PutObjectCopy') {
      const destination = `${textOf(operation, 'TargetKeyPrefix') ?? ''}${name}`
      copyObject(world, copyRequest(operation, { bucket, name, version }, target, destination))
    } else changeTags(world, operation, { bucket, name, version })
    return { failed: false, row: row('succeeded', '', '200', 'Successful') }
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    return { failed: true, row: row('failed', error.code, String(error.status), error.message) }
  }
}

function changeTags(
  world: World,
  operation: XmlElement,
  { bucket, name, version }: { readonly bucket: string; readonly name: string; readonly version: string },
): void {
  const query = new Map(version === '' ? [] : [['versionId', version]])
  const request: S3Request = {
    ...{ method: 'PUT', rawPath: '', bucket, key: name, query, headers: {}, body: Buffer.alloc(0) },
  }
  const [tagSet] = childrenOf(operation, 'TagSet')
  const tags = tagSet === undefined ? [] : childrenOf(tagSet, 'member')
  replaceTags(
    world,
    request,
    tags.map((tag) => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? ''] as const),
  )
}

function copyRequest(
  operation: XmlElement,
  source: { readonly bucket: string; readonly name: string; readonly version: string },
  bucket: string,
  key: string,
): S3Request {
  const versionId = source.version === '' ? '' : `?versionId=${encodeURIComponent(source.version)}`
  const headers: IncomingHttpHeaders = {
    'x-amz-copy-source': `${source.bucket}/${encodeURIComponent(source.name)}${versionId}`,
  }
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') headers[name] = value
  }
  set('x-amz-metadata-directive', textOf(operation, 'MetadataDirective'))
  const unmodified = textOf(operation, 'UnModifiedSinceConstraint')
  if (unmodified !== undefined) set('x-amz-copy-source-if-unmodified-since', new Date(unmodified).toUTCString())
  set('x-amz-storage-class', textOf(operation, 'StorageClass'))
  set('x-amz-acl', textOf(operation, 'CannedAccessControlList'))
  set('x-amz-website-redirect-location', textOf(operation, 'RedirectLocation'))
  const [metadata] = childrenOf(operation, 'NewObjectMetadata')
  for (const [field, header] of METADATA) set(header, metadata && textOf(metadata, field))
  const expires = metadata && textOf(metadata, 'HttpExpiresDate')
  if (expires !== undefined) set('expires', new Date(expires).toUTCString())
  const [user] = metadata === undefined ? [] : childrenOf(metadata, 'UserMetadata')
  for (const entry of user === undefined ? [] : childrenOf(user, 'entry')) {
    set(`x-amz-meta-${(textOf(entry, 'key') ?? '').toLowerCase()}`, textOf(entry, 'value'))
  }
  const [tags] = childrenOf(operation, 'NewObjectTagging')
  if (tags !== undefined) {
    const pairs = childrenOf(tags, 'member').map((tag) => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? ''])
    set('x-amz-tagging-directive', 'REPLACE')
    set('x-amz-tagging', pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&'))
  }
  return { method: 'PUT', rawPath: '', bucket, key, query: new Map(), headers, body: Buffer.alloc(0) }
}

const METADATA = [
  ['CacheControl', 'cache-control'],
  ['ContentDisposition', 'content-disposition'],
  ['ContentEncoding', 'content-encoding'],
  ['ContentLanguage', 'content-language'],
  ['ContentType', 'content-type'],
] as const

/** Where the report of a job goes, and what is in it. */
interface Report {
  readonly bucket: string
  readonly prefix: string
  readonly job: string
  readonly results: readonly TaskResult[]
}

/** Writes `PREFIX/job-ID/results/*.csv`, each with results of one kind, and `PREFIX/job-ID/manifest.json`, which names them with their MD5s. */
export function writeReport(world: World, { bucket, prefix, job, results }: Report): void {
  const folder = `${prefix === '' ? '' : `${prefix}/`}job-${job}`
  const files: object[] = []
  for (const failed of [false, true]) {
    const rows = results.filter((result) => result.failed === failed)
    for (let at = 0; at < rows.length; at += ROWS_A_FILE) {
      const text = rows
        .slice(at, at + ROWS_A_FILE)
        .map(({ row }) => `${row.map(csvField).join(',')}\n`)
        .join('')
      const key = `${folder}/results/${createHash('sha1').update(text).digest('hex')}.csv`
      const MD5Checksum = store(world, bucket, key, text)
      files.push({ TaskExecutionStatus: failed ? 'failed' : 'succeeded', Bucket: bucket, MD5Checksum, Key: key })
    }
  }
  const manifest = { Format: 'Report_CSV_20180820', ReportCreationDate: new Date().toISOString(), Results: files }
  store(world, bucket, `${folder}/manifest.json`, JSON.stringify({ ...manifest, ReportSchema: SCHEMA }))
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function store(world: World, bucket: string, key: string, text: string): string {
  const content = new HeldContent(Buffer.from(text))
  const headers = ['Content-Type', 'binary/octet-stream']
  bucketOf(world, bucket).put(key, new StoredObject(content, content.digest(), nowInSeconds(), headers, noExtras))
  return content.digest()
}
