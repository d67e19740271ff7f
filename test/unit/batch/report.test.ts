import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { failedRows, type FailedRow } from '../../../src/batch/report.js'

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
