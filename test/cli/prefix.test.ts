import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { printable } from '../../src/keys.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const keysOf = async (server: TestSandbox, bucket: string) => [...(await contentOf(server, bucket)).keys()]

/** Two buckets with these keys. */
async function buckets(one: readonly string[], other: readonly string[] = []): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['one', 'other'] })
  for (const key of one) await put(server, 'one', key, { Body: key })
  for (const key of other) await put(server, 'other', key, { Body: `${key} there` })
  return server
}

/** A bucket with 4,000 keys in `logs/`. */
async function filled(cwd: string): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['from:seq:4000', 'one', 'other'], latency: 'delete=100' })
  const { code } = await run(['copy', 's3://from', 's3://one/logs/', '--endpoint-url', server.url], { cwd })
  expect(code).toBe(0)
  return server
}

describe('prefixes of which one ends in a slash', () => {
  test.each([
    ['copy', 's3://one', 's3://other/web', 's3://one s3://other/web/'],
    ['copy', 's3://one/img', 's3://other', 's3://one/img/ s3://other'],
    ['move', 's3://one/img', 's3://other/web/', 's3://one/img/ s3://other/web/'],
    ['sync', 's3://one/img/', 's3://other/web', 's3://one/img/ s3://other/web/'],
    ['verify', 's3://one/it\'s "ü"', 's3://other', `'s3://one/it'\\''s "ü"/' s3://other`],
    ['copy', 's3://one/a b', 'file:///nowhere/x', "'s3://one/a b/' file:///nowhere/x"],
    ['move', 'file:///nowhere/x', 's3://other/web', 'file:///nowhere/x s3://other/web/'],
  ])('%s %s %s is refused with the command line that is right', async (command, source, destination, right) => {
    const cwd = await workFolder()
    const flags = ['--endpoint-url', 'http://127.0.0.1:1', '--checkpoint', 'r n']
    const line = refusal(await run([command, source, destination, ...flags], { cwd }))
    expect(line).toMatch(/one prefix ends in \/ and the other does not/)
    expect(line).toContain(`write: s3move ${command} ${right} --endpoint-url http://127.0.0.1:1 --checkpoint 'r n' (`)
  })

  test.each([
    ['copy', 's3://one/img/a b.jpg', 's3://other', "'s3://other/a b.jpg'"],
    ['move', 's3://one/a.jpg', 's3://other/web/', 's3://other/web/a.jpg'],
  ])('%s %s %s is also shown as it is for a single object', async (command, source, destination, whole) => {
    const cwd = await workFolder()
    const server = await buckets(['img/a b.jpg', 'a.jpg', 'a.jpg.old'])
    const line = refusal(await run([command, source, destination, '--endpoint-url', server.url], { cwd }))
    const shown = source.includes(' ') ? `'${source}'` : source
    expect(line).toContain(`(for a single object: s3move ${command} ${shown} ${whole} --endpoint-url ${server.url}; `)
  })

  test.each([
    ['s3://one/img/', 's3://other/web'],
    ['s3://one/img', 'file:///nowhere/x'],
  ])('%s and %s are not shown as those of a single object, which they cannot be', async (source, destination) => {
    const cwd = await workFolder()
    const line = refusal(await run(['copy', source, destination, '--endpoint-url', 'http://127.0.0.1:1'], { cwd }))
    expect(line).not.toContain('single object')
  })

  test('are joined letter by letter where --prefix-as-text says so', async () => {
    const cwd = await workFolder()
    const server = await buckets(['2019-01.gz', '2019-02.gz', '2020-01.gz'])
    const args = ['s3://one/2019-', 's3://other', '--prefix-as-text', '--endpoint-url', server.url]
    expect((await run(['copy', ...args], { cwd })).stderr).toContain('example  2019-01.gz → 01.gz\n')
    expect(await keysOf(server, 'other')).toEqual(['01.gz', '02.gz'])
    expect((await run(['verify', ...args], { cwd })).code).toBe(0)
  })
})

describe('what deletes below a prefix without a slash at its end', () => {
  const beside = ['logs-archive/2019.gz', 'logs.txt', 'logs0', 'logsü', 'logs\n']
  const commands: readonly (readonly string[])[] = [
    ['delete', 's3://one/logs', '--yes'],
    ['delete', 's3://one/logs', '--dry-run'],
    ['delete', 's3://one/logs', '--all-versions', '--yes'],
    ['delete', 's3://one/logs', '--yes', '--exclude', '*', '--include', '/a'],
    ['move', '--yes', 's3://one/logs', 's3://other/logs'],
    ['move', '--yes', 's3://one/logs', 's3://other/kept', '--dry-run'],
    ['sync', 's3://other/logs', 's3://one/logs', '--delete', '--yes'],
    ['sync', 's3://one/logs', 's3://other/logs', '--delete', '--yes', '--max-delete', '5'],
  ]

  test.each(commands)('%s %s %s is refused where a key goes on otherwise', { timeout: 60_000 }, async (...args) => {
    const cwd = await workFolder()
    for (const key of args.length === 3 ? beside : beside.slice(0, 1)) {
      const server = await buckets(['logs', 'logs/a', 'logs/b/c', key], ['logs/a'])
      const before = await keysOf(server, 'one')
      const line = refusal(await run([...args, '--endpoint-url', server.url], { cwd }))
      expect(line).toContain(`s3://one/logs does not end in /, so s3://one/${key.replace('\n', '\\n')} belongs to it`)
      const right = args.map((arg) => (/\/(logs|kept)$/.test(arg) ? `${arg}/` : arg === '*' ? "'*'" : arg)).join(' ')
      expect(line).toContain(`write: s3move ${right} --endpoint-url ${server.url} (or add --prefix-as-text`)
      expect(await keysOf(server, 'one')).toEqual(before)
      expect(await keysOf(server, 'other')).toEqual(['logs/a'])
    }
  })

  test('is refused behind however many keys of the folder, by two short listings', async () => {
    const cwd = await workFolder()
    const server = await filled(cwd)
    const args = ['delete', 's3://one/logs', '--yes', '--endpoint-url', server.url]
    await put(server, 'one', 'logs~')
    const before = server.stats().byOperation.ListObjectsV2 ?? 0
    expect(refusal(await run(args, { cwd }))).toContain('so s3://one/logs~ belongs to it')
    // The two of the preflight, the two, and the one that looks for a folder to name.
    expect(server.stats().byOperation.ListObjectsV2).toBe(before + 5)
  })

  test('is done where the prefix is one object, or a folder with nothing beside it', async () => {
    const cwd = await workFolder()
    const server = await buckets(['a.txt', 'logs', 'logs/1', 'logs/\u{10ffff}', 'logs/\u{10ffff}2', 'lo'])
    const flags = ['--endpoint-url', server.url]
    expect((await run(['delete', 's3://one/a.txt', '--yes', ...flags], { cwd })).stderr).toContain('1 object deleted')
    const moved = await run(['move', '--yes', 's3://one/logs', 's3://other/old', ...flags], { cwd })
    expect([moved.code, moved.stderr]).toEqual([0, expect.stringContaining('4 objects moved') as string])
    expect(await keysOf(server, 'one')).toEqual(['lo'])
    expect(await keysOf(server, 'other')).toEqual(['old', 'old/1', 'old/\u{10ffff}', 'old/\u{10ffff}2'])
  })

  test('takes in all that begins with it where --prefix-as-text says so', async () => {
    const cwd = await workFolder()
    const server = await buckets(['logs/a', 'logs-archive/b'], ['logs/a', 'logs/c', 'logs-x/d'])
    const sync = ['sync', 's3://one/logs', 's3://other/logs', '--delete', '--yes', '--prefix-as-text']
    const { code, stderr } = await run([...sync, '--endpoint-url', server.url], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 deleted') as string])
    expect(await keysOf(server, 'other')).toEqual(['logs-archive/b', 'logs/a'])
  })

  test('--prefix-as-text is named where there is no such folder', async () => {
    const cwd = await workFolder()
    const server = await buckets(['2019-01', '2019-02'])
    const line = refusal(await run(['delete', 's3://one/2019-', '--yes', '--endpoint-url', server.url], { cwd }))
    expect(line).toMatch(/\n {8}add --prefix-as-text if every key that begins so is meant/)
  })

  test('leaves alone what is written beside the folder while it runs', async () => {
    const cwd = await workFolder()
    const server = await filled(cwd)
    const args = [
      'delete',
      's3://one/logs',
      '--yes',
      '--endpoint-url',
      server.url,
      '--checkpoint',
      'run',
      '--lanes',
      '1',
    ]
    const begun = start([...args, '--concurrency', '1'], { cwd })
    await until(() => (server.stats().byOperation.DeleteObjects ?? 0) > 2, begun)
    begun.kill('SIGKILL')
    await begun.finished
    for (const key of ['logs2', 'logs~/1']) await put(server, 'one', key)
    const { code, stderr } = await run(['resume', 'run', '--concurrency', '5000'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/skipped.*beside the folder of the prefix/)])
    expect(await keysOf(server, 'one')).toEqual(['logs2', 'logs~/1'])
  })

  test('a job that was begun with its prefix as text goes on so', async () => {
    const cwd = await workFolder()
    const server = await buckets(['logs/a', 'logs-archive/b'])
    const args = ['delete', 's3://one/logs', '--yes', '--prefix-as-text', '--endpoint-url', server.url]
    await server.fault('503', '1', 'DeleteObjects')
    const begun = start([...args, '--checkpoint', 'run'], { cwd })
    await until(() => (server.stats().byOperation.DeleteObjects ?? 0) > 0, begun)
    begun.kill('SIGKILL')
    await begun.finished
    await server.fault('503', '0', 'DeleteObjects')
    const { job } = JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as { job: object }
    // As those of before have it.
    expect(job).toEqual({ kind: 'delete', source: { bucket: 'one', prefix: 'logs' } })
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect(await keysOf(server, 'one')).toEqual([])
  })

  test.each(['delete', 'move'])('%s refuses a list that names a key beside the folder', async (command) => {
    const cwd = await workFolder()
    const server = await buckets(['logs', 'logs/a', 'logs-archive/b'])
    const places = command === 'move' ? ['s3://one/logs', 's3://other/old'] : ['s3://one/logs']
    const args = [command, ...places, '--yes', '--files-from', 'keys', '--endpoint-url', server.url]
    await writeFile(join(cwd, 'keys'), 'logs\nlogs/a\nlogs-archive/b\n')
    const line = refusal(await run(args, { cwd }))
    expect(line).toMatch(/line 3 of .*not in the folder s3:\/\/one\/logs: logs-archive\/b\n.*--prefix-as-text/)
    expect((await keysOf(server, 'one')).length).toBe(3)
    await writeFile(join(cwd, 'keys'), 'logs\nlogs/a\n')
    expect((await run(args, { cwd })).code).toBe(0)
    expect(await keysOf(server, 'one')).toEqual(['logs-archive/b'])
  })
})

describe('before the start a line', () => {
  test.each<[string[], string | undefined]>([
    [['copy', 's3://one/site/', 's3://other/backup/'], 'site/a/b.css → backup/a/b.css'],
    [['sync', 's3://one', 's3://other'], 'odd\\u{202e}\\n → odd\\u{202e}\\n'],
    [['move', '--yes', 's3://one/site/', 's3://other', '--map', 's/css$/txt/'], 'site/a/b.css → a/b.txt'],
    [['copy', 's3://one', 's3://other', '--include', 'x', '--exclude', '*', '--include', 'site/c*'], 'site/c → site/c'],
    [['copy', 's3://one', 's3://other/x/', '--after', 'site/a/b.css'], 'site/c → x/site/c'],
    [['copy', 's3://one/site/c', 's3://other/d'], 'site/c → d'],
    [['copy', 's3://one', 's3://other', '--files-from', 'keys', '--exclude', 'site/a*'], 'site/c → site/c'],
    [['copy', 's3://one', 's3://other', '--exclude', 'o*', '--exclude', 'site*'], undefined],
    [['copy', 's3://one/none/', 's3://other'], undefined],
    [['copy', 's3://one', 's3://other', '--quiet'], undefined],
    [['delete', 's3://one', '--yes'], undefined],
  ])('of %j shows what becomes of a name: %j', async (args, wanted) => {
    const cwd = await workFolder()
    const server = await buckets(['odd\u202e\n', 'site/', 'site/a/b.css', 'site/c'])
    await writeFile(join(cwd, 'keys'), 'site/a/b.css\nsite/c\n')
    const all = [...args, '--endpoint-url', server.url, '--dry-run']
    const text = await run(all, { cwd })
    expect(/^example {2}.*$/m.exec(text.stderr)?.[0]).toBe(wanted === undefined ? undefined : `example  ${wanted}`)
    const { stdout } = await run([...all, '--json'], { cwd })
    // A note of the list comes before.
    const { example } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as {
      example?: { key: string; to: string }
    }
    const shown = example === undefined ? undefined : `${printable(example.key)} → ${printable(example.to)}`
    expect(shown).toBe(wanted)
  })

  test('is an event with --json, behind that of the start', async () => {
    const cwd = await workFolder()
    const server = await buckets(['site/', 'site/a/b.css', 'site/c'])
    const args = ['copy', 's3://one/site/', 's3://other', '--endpoint-url', server.url]
    const { stdout } = await run([...args, '--json'], { cwd })
    const [first, second] = stdout.split('\n').map((line) => JSON.parse(line || '{}') as object)
    expect([first, second]).toMatchObject([{ type: 'start' }, { type: 'example', key: 'site/a/b.css', to: 'a/b.css' }])
    const told = await run([...args, '--fresh'], { cwd })
    expect(told.stderr).toMatch(/^copying .*\n.*checkpoint .*\nexample {2}site\/a\/b\.css → a\/b\.css\n/)
  })
})
