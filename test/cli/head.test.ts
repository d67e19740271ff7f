import { DeleteObjectCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { put, RICH, sandbox } from '../support/cli-buckets.js'
import { refusal, run, workFolder } from '../support/cli-program.js'

interface Told {
  readonly key: string
  readonly size: number
  readonly versionId?: string
  readonly headers: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly tags?: readonly { readonly key: string; readonly value: string }[]
  readonly unread: readonly { readonly what: string; readonly operation: string; readonly code: string }[]
}

async function head(...args: string[]) {
  const finished = await run(['head', ...args], { cwd: await workFolder() })
  return { ...finished, told: (): Told => JSON.parse(finished.stdout) as Told }
}

describe('head', () => {
  test('shows headers, metadata, tags and access control list', async () => {
    const { url, ...server } = await sandbox({ buckets: ['src'] })
    await put({ url, ...server }, 'src', 'a/b.txt', { ...RICH, Body: 'hello' })
    const { code, stdout, stderr } = await head('s3://src/a/b.txt', '--endpoint-url', url)
    expect([code, stderr]).toEqual([0, ''])
    const rows = stdout.split('\n')
    expect(rows[0]).toBe('s3://src/a/b.txt')
    expect(rows.map((row) => row.trim().replace(/ {2,}/, ': '))).toEqual(
      expect.arrayContaining([
        'size: 5 B',
        'etag: 5d41402abc4b2a76b9719d911017c592',
        'content-type: text/x-test; charset="a b"',
        'x-amz-meta-owner: team 1',
        'tag team: red one',
        'tag sum: 1+1',
        expect.stringMatching(/^grant: .* FULL_CONTROL$/),
      ]),
    )
    // Lines up.
    const values = rows.slice(1, -1).map((row) => /^ {2}.*? {2,}(?=\S)/.exec(row)?.[0].length)
    expect(new Set(values).size).toBe(1)
  })

  test('names what may not be read, and shows the rest', async () => {
    const server = await sandbox({ buckets: ['src'] })
    await put(server, 'src', 'a', { ...RICH, Body: 'hello' })
    await server.fault('denied', '100%', 'GetObjectTagging')
    await server.fault('denied', '100%', 'GetObjectAcl')
    const { code, stdout } = await head('s3://src/a', '--endpoint-url', server.url)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ {2}tags +may not be read: AccessDenied on GetObjectTagging: /m)
    expect(stdout).toMatch(/^ {2}ACL +may not be read: AccessDenied on GetObjectAcl: /m)
    const { told } = await head('s3://src/a', '--endpoint-url', server.url, '--json')
    expect(told()).toMatchObject({ key: 'a', size: 5, metadata: RICH.Metadata })
    expect(told().unread.map(({ what, code }) => [what, code])).toEqual([
      ['ACL', 'AccessDenied'],
      ['tags', 'AccessDenied'],
    ])
    expect(told().tags).toBeUndefined()
  })

  test('escapes what a terminal would obey, in keys and values, and JSON reads back as it is', async () => {
    const server = await sandbox({ buckets: ['src'] })
    const key = 'a\u001b[2J\nb\u202e'
    const tag = '\u001b]0;x\u0007'
    await put(server, 'src', key, {
      Metadata: { note: '=?UTF-8?B?wpszMW3DvA==?=' },
      Tagging: new URLSearchParams([['t', tag]]).toString(),
    })
    const args = [`s3://src/${key}`, '--endpoint-url', server.url]
    const { code, stdout } = await head(...args)
    expect(code).toBe(0)
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(stdout).toContain('s3://src/a\\x1b[2J\\nb\\u{202e}\n')
    expect(stdout).toMatch(/x-amz-meta-note +\\x9b31mü\n/)
    const json = await head(...args, '--json')
    expect(json.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(json.told()).toMatchObject({ key, metadata: { note: '\u009b31mü' }, tags: [{ key: 't', value: tag }] })
  })

  test('ends with 3 and a line where there is no such object, and with 2 where the bucket is not there', async () => {
    const server = await sandbox({ buckets: ['src'] })
    await put(server, 'src', 'ab')
    const { code, stdout, stderr } = await head('s3://src/a', '--endpoint-url', server.url)
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^s3move: s3:\/\/src\/a is not there: /)
    refusal(await head('s3://nowhere/a', '--endpoint-url', server.url))
    refusal(await head('s3://src', '--endpoint-url', server.url))
  })

  test('says of which object that may not be read at all that it may not', async () => {
    const server = await sandbox({ buckets: ['src'] })
    await put(server, 'src', 'a')
    await server.fault('denied', '100%', 'HeadObject')
    await server.fault('denied', '100%', 'GetObject')
    const line = refusal(await head('s3://src/a', '--endpoint-url', server.url))
    expect(line).toMatch(/s3:\/\/src\/a cannot be looked at: HeadObject AccessDenied/)
  })

  test('shows a version, and tells a delete marker', async () => {
    const server = await sandbox({ buckets: ['src'] })
    const VersioningConfiguration = { Status: 'Enabled' } as const
    await server.s3.send(new PutBucketVersioningCommand({ Bucket: 'src', VersioningConfiguration }))
    const first = await server.s3.send(new PutObjectCommand({ Bucket: 'src', Key: 'a', Body: 'one' }))
    await put(server, 'src', 'a', { Body: 'second' })
    const args = ['s3://src/a', '--endpoint-url', server.url]
    const { told } = await head(...args, '--version-id', first.VersionId!, '--json')
    expect(told()).toMatchObject({ size: 3, versionId: first.VersionId })
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'src', Key: 'a' }))
    const gone = await head(...args)
    expect([gone.code, gone.stderr]).toEqual([
      3,
      expect.stringMatching(/is not there: it is a delete marker, version /),
    ])
  })

  test('shows what a folder keeps of an object, by the path of its file, and a file that another program made', async () => {
    const server = await sandbox({ buckets: ['src'] })
    await put(server, 'src', 'a:b/%.txt', { ...RICH, Body: 'hello' })
    const cwd = await workFolder()
    const copy = await run(['copy', 's3://src', `file://${cwd}/out`, '--endpoint-url', server.url, '-q'], { cwd })
    expect(copy.code).toBe(0)
    const { code, told } = await head(`file://${cwd}/out/a:b/%25.txt`, '--json')
    expect(code).toBe(0)
    expect(told()).toMatchObject({ key: 'a:b/%.txt', size: 5, metadata: RICH.Metadata })
    expect(told().headers['cache-control']).toBe('max-age=5')
    expect(told().tags).toContainEqual({ key: 'team', value: 'red one' })
    await writeFile(join(cwd, 'other.png'), 'x')
    const other = await head(`file://${cwd}/other.png`, '--json')
    expect(other.told()).toMatchObject({ key: 'other.png', size: 1, headers: { 'content-type': 'image/png' } })
    expect((await head(`file://${cwd}/out/none`)).code).toBe(3)
    refusal(await head(`file://${cwd}/out`))
    refusal(await head(`file://${cwd}/out/%zz`))
  })
})
