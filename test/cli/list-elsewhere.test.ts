import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const containing = (text: string): unknown => expect.stringContaining(text)
const keysIn = async (server: TestSandbox, bucket: string) => [...(await contentOf(server, bucket)).keys()]
const written = (server: TestSandbox): number =>
  Object.entries(server.stats().byOperation)
    .filter(([operation]) => /^(?:Put|Copy|Delete|Create|Upload|Complete)/.test(operation))
    .reduce((sum, [, n]) => sum + n, 0)

async function filled(...keys: string[]): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst', 'lists'] })
  for (const key of keys) await put(server, 'src', key, { Body: key })
  return server
}

describe('--files-from -', () => {
  test('takes the keys of standard input, packed or not, in every command that takes a list', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'b', 'c', 'd')
    const env = { TMPDIR: join(cwd) }
    const at = ['--endpoint-url', server.url, '--files-from', '-']
    const given = { cwd, env, input: 'b\nc\n' }
    const listed = await run(['ls', 's3://src', '--format', 'csv', ...at], given)
    expect(listed.stdout.split('\n').map((line) => line.split(',')[0])).toEqual(['key', 'b', 'c', ''])
    expect(listed.stderr).toContain('standard input is read as one key a line: 2 objects')
    const counted = await run(['du', 's3://src', '--json', ...at], { ...given, input: gzipSync('{"key":"d"}\n') })
    expect([counted.code, counted.stderr]).toEqual([0, containing('standard input is read as one JSON object a line')])
    expect((await run(['copy', 's3://src', 's3://dst', ...at], given)).code).toBe(0)
    expect(await keysIn(server, 'dst')).toEqual(['b', 'c'])
    expect((await run(['verify', 's3://src', 's3://dst', ...at], given)).code).toBe(0)
    expect((await run(['move', 's3://src', 's3://dst', '--yes', ...at], { ...given, input: 'a\n' })).code).toBe(0)
    expect((await run(['delete', 's3://src', '--yes', ...at], { ...given, input: 'd\n' })).code).toBe(0)
    expect((await run(['set-headers', 's3://dst', '--cache-control', 'x', ...at], { ...given, input: 'a' })).code).toBe(
      0,
    )
    expect([await keysIn(server, 'src'), await keysIn(server, 'dst')]).toEqual([
      ['b', 'c'],
      ['a', 'b', 'c'],
    ])
    // What was copied for ls, du and verify is gone.
    expect(await readdir(cwd)).toEqual(['.s3move'])
  })

  test('is kept in the folder of the run, so that this can be resumed, elsewhere too, and compared', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3000', 'dst'], latency: 'copy=20' })
    const input = `${(await keysIn(server, 'src')).join('\n')}\n`
    const args = [
      'copy',
      's3://src',
      's3://dst',
      '--endpoint-url',
      server.url,
      '--files-from',
      '-',
      '--checkpoint',
      'run',
    ]
    const killed = start([...args, '--concurrency', '4'], { cwd, input })
    await until(() => (server.stats().copies.dst?.total ?? 0) >= 40, killed)
    killed.kill('SIGKILL')
    await killed.finished
    expect(await readFile(join(cwd, 'run/files-from'), 'utf8')).toBe(input)
    const same = await run(args, { cwd, input })
    expect(refusal({ ...same, stderr: same.stderr.replace(/^standard.*\n/, '') })).toContain(
      'an unfinished run of this job',
    )
    expect(await readdir(cwd)).toEqual(['run'])
    expect((await readdir(join(cwd, 'run'))).filter((name) => name.startsWith('files-from'))).toEqual(['files-from'])
    await cp(join(cwd, 'run'), join(cwd, 'elsewhere'), { recursive: true })
    await rm(join(cwd, 'run'), { recursive: true })
    const resumed = await run(['resume', 'elsewhere', '--concurrency', '256'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([0, containing('3,000 objects copied, none skipped, none failed')])
    const verified = await run(['verify', 'elsewhere'], { cwd })
    expect([verified.code, verified.stderr]).toEqual([0, containing('3,000 objects')])
    await writeFile(join(cwd, 'elsewhere/files-from'), input.replace('photos', 'photot'))
    expect(refusal(await run(['verify', 'elsewhere'], { cwd }))).toContain('was changed since the run began')
  })

  test('is another job with other content, and the same one with the same; runs clean removes all of it', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'b')
    const args = ['copy', 's3://src', 's3://dst', '--quiet', '--endpoint-url', server.url, '--files-from', '-']
    expect((await run(args, { cwd, input: 'a\n' })).code).toBe(0)
    expect((await run(args, { cwd, input: 'b\n' })).code).toBe(0)
    expect(refusal(await run(args, { cwd, input: 'a\n' }))).toContain('this job finished')
    expect(await readdir(join(cwd, '.s3move'))).toHaveLength(2)
    expect((await run(['runs', 'clean', '--yes'], { cwd })).stdout).toContain('removed 2 runs')
    expect(await readdir(join(cwd, '.s3move'))).toEqual([])
  })

  test('leaves nothing behind, and touches nothing, where it cannot be read or kept, or a yes is missing', async () => {
    const cwd = await workFolder()
    const server = await filled('a')
    const before = written(server)
    const at = ['--endpoint-url', server.url, '--files-from', '-']
    const bad = await run(['copy', 's3://src/p/', 's3://dst', ...at], { cwd, input: 'p/a\nq\n' })
    expect(refusal(bad)).toContain('line 2 of standard input')
    expect(refusal(await run(['delete', 's3://src', ...at], { cwd, input: 'a\n' }))).toContain('add --yes')
    const nowhere = { cwd, input: 'a\n', env: { TMPDIR: join(cwd, 'none') } }
    expect(refusal(await run(['ls', 's3://src', ...at], nowhere))).toContain('cannot copy standard input to')
    const inventory = await run(['ls', 's3://src', '--files-format', 'inventory', ...at], { cwd, input: '' })
    expect(refusal(inventory)).toContain('data files lie elsewhere')
    expect([await readdir(cwd), written(server), await keysIn(server, 'src')]).toEqual([[], before, ['a']])
  })
})

describe('--files-from s3://bucket/key', () => {
  test('is read as a file of its name is, with how the source is reached, and its ETag is recorded', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'b,c', 'd')
    await put(server, 'lists', 'of/some.csv.gz', { Body: gzipSync('size,key\n1,a\n3,"b,c"\n') })
    const list = 's3://lists/of/some.csv.gz'
    const elsewhere = ['--destination-endpoint-url', server.url.replace('127.0.0.1', 'localhost')]
    const at = ['--endpoint-url', server.url, '--files-from', list, '--checkpoint', 'run']
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', ...at, ...elsewhere], { cwd })
    expect([code, stderr]).toEqual([0, containing(`${list} is read as CSV: 2 objects`)])
    expect(await keysIn(server, 'dst')).toEqual(['a', 'b,c'])
    const { job } = JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as { job: { list: object } }
    const { etag } = (await contentOf(server, 'lists')).get('of/some.csv.gz')!
    expect(job.list).toMatchObject({ format: 'csv', origin: { from: list, etag: etag.replaceAll('"', '') } })
  })

  test.each([
    ['s3://lists/none', 'the list s3://lists/none is not there'],
    ['s3://nolists/keys', 'The specified bucket does not exist (NoSuchBucket, HTTP 404)'],
    ['s3://lists', 'names no object'],
    ['s3://lists/of/', 'there is no inventory in s3://lists/of/'],
    ['s3://lists/inventory/manifest.json', 'the list s3://lists/inventory/manifest.json is not there'],
  ])('that is %s is refused in one line, and nothing is touched', async (list, message) => {
    const cwd = await workFolder()
    const server = await filled('a')
    const before = written(server)
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--files-from', list]
    expect(refusal(await run(args, { cwd }))).toContain(message)
    expect([await readdir(cwd), written(server)]).toEqual([[], before])
  })

  test('that these credentials may not read is refused in one line, and nothing is touched', async () => {
    const cwd = await workFolder()
    const server = await filled('a')
    await put(server, 'lists', 'keys', { Body: 'a\n' })
    await server.fault('denied', '100%', 'GetObject')
    const before = written(server)
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--files-from', 's3://lists/keys']
    expect(refusal(await run(args, { cwd }))).toContain('the list s3://lists/keys cannot be read: GetObject failed')
    expect([await readdir(cwd), written(server)]).toEqual([[], before])
  })
})
