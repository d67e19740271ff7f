import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { checksumRows, failedRows, type FailedRow } from '../../../src/batch/report.js'

const SCHEMA = 'Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage'
const md5 = (text: string) => createHash('md5').update(text).digest('hex')

function report(files: Readonly<Record<string, string>>, more: object = {}): Readonly<Record<string, string>> {
  const Results = Object.entries(files).map(([Key, text]) => ({
    ...{ TaskExecutionStatus: 'failed', Bucket: 'own', Key, MD5Checksum: md5(text) },
  }))
  return {
    ...files,
    manifest: JSON.stringify({ Format: 'Report_CSV_20180820', ReportSchema: SCHEMA, Results, ...more }),
  }
}

async function rowsIn(objects: Readonly<Record<string, string>>): Promise<FailedRow[]> {
  const found: FailedRow[] = []
  const read = async function* (key: string) {
    const bytes = Buffer.from(objects[key]!)
    for (let at = 0; at < bytes.length; at += 7) yield await Promise.resolve(bytes.subarray(at, at + 7))
  }
  for await (const rows of failedRows('manifest', read)) found.push(...rows)
  return found
}

describe('the report of a job', () => {
  test('tells what failed, over all of its files, and passes over what did not', async () => {
    const rows = await rowsIn(
      report({
        one: 'src,a%20b,,failed,AccessDenied,403,"said: ""no"",\nand no more"\nsrc,c,,succeeded,,200,Successful\n',
        two: 'src,%C3%BC/d,,failed,InternalError,500,\n',
      }),
    )
    expect(rows).toEqual([
      { key: 'a b', code: 'AccessDenied', status: 403, message: 'said: "no",\nand no more' },
      { key: 'ü/d', code: 'InternalError', status: 500, message: 'the report does not say why' },
    ])
  })

  test('is read by the names of its columns, and where code and status have changed places', async () => {
    const files = report(
      { one: 'failed,src,k,404,NoSuchKey,gone\n' },
      { ReportSchema: 'TaskStatus, Bucket, Key, ErrorCode, HTTPStatusCode, ResultMessage' },
    )
    expect(await rowsIn(files)).toEqual([{ key: 'k', code: 'NoSuchKey', status: 404, message: 'gone' }])
  })

  test('that was changed is refused', async () => {
    const files = report({ one: 'src,a,,failed,AccessDenied,403,no\n' })
    await expect(rowsIn({ ...files, one: 'src,b,,failed,AccessDenied,403,no\n' })).rejects.toThrow(
      'the report one is damaged: its MD5 is not the one that its manifest tells',
    )
  })

  test.each(['', '{}', '[]', 'null', '{"ReportSchema":"Key","Results":[{"Key":"one"}]}'])(
    'with the manifest %j is refused',
    async (manifest) => {
      await expect(rowsIn({ manifest })).rejects.toThrow('the manifest of a report, manifest, is not as S3 writes it')
    },
  )
})

describe('the report of a job that computes checksums', () => {
  const message = (more: object = {}): string =>
    JSON.stringify({
      ...{ checksum_base64: 'AAAAAAAAAAE=', etag: '9e10', checksumAlgorithm: 'CRC64NVME' },
      ...{ checksumType: 'FULL_OBJECT', checksum_hex: '0000000000000001', ...more },
    }).replaceAll('"', '""')
  const row = (key: string, more?: object): string => `src,${key},,succeeded,,200,"${message(more)}"\n`

  async function checksumsIn(objects: Readonly<Record<string, string>>): Promise<unknown[]> {
    const found: unknown[] = []
    const read = async function* (key: string) {
      yield await Promise.resolve(Buffer.from(objects[key]!))
    }
    for await (const rows of checksumRows('manifest', read, 'CRC64NVME')) found.push(...rows)
    return found
  }

  test('tells the checksum and ETag of what could be read, and the code of what could not', async () => {
    const failed = 'src,c,,failed,AccessDenied,403,no\n'
    expect(await checksumsIn(report({ one: row('a%2Cb'), two: failed + row('d', { etag: '"9e10"' }) }))).toEqual([
      { key: 'a,b', etag: '9e10', checksum: 'AAAAAAAAAAE=' },
      { key: 'c', code: 'AccessDenied', status: 403, message: 'no' },
      { key: 'd', etag: '9e10', checksum: 'AAAAAAAAAAE=' },
    ])
  })

  test.each([
    ['by another algorithm', { checksumAlgorithm: 'SHA256' }],
    ['of parts', { checksumType: 'COMPOSITE' }],
    ['empty', { checksum_base64: '' }],
    ['without an ETag', { etag: undefined }],
  ])('a checksum %s is none', async (_what, more) => {
    expect(await checksumsIn(report({ one: row('a', more) }))).toEqual([
      expect.objectContaining({ key: 'a', code: 'ChecksumNotComputed' }),
    ])
  })

  test('nor is any other text, and a report that was cut is refused', async () => {
    expect(await checksumsIn(report({ one: 'src,a,,succeeded,,200,Successful\n' }))).toMatchObject([
      { code: 'ChecksumNotComputed', message: 'the report has no CRC64NVME of all of it: Successful' },
    ])
    const whole = report({ one: row('a') + row('b') })
    await expect(checksumsIn({ ...whole, one: row('a') })).rejects.toThrow('its MD5 is not the one')
  })
})
