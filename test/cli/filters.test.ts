import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'

async function filled(...keys: string[]): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (const [index, key] of keys.entries()) await put(server, 'src', key, { Body: 'x'.repeat(index) })
  return server
}

const lists = (server: TestSandbox) => server.stats().byOperation.ListObjectsV2 ?? 0
const keysOf = (text: string): string[] => text.split('\n').flatMap((line) => line.match(/"key":"([^"]*)"/)?.[1] ?? [])
const at = (server: TestSandbox) => ['--endpoint-url', server.url]

async function ls(server: TestSandbox, ...more: string[]): Promise<Finished> {
  return await run(['ls', 's3://src', '--format', 'json', ...more, ...at(server)], { cwd: await workFolder() })
}

describe('filters of s3move ls, du and set-headers', () => {
  test('ls writes, and du counts, what is selected alone', async () => {
    const server = await filled('a/0.txt', 'a/1.jpg', 'a/2.JPG', 'b/3.jpg', 'c/4.jpg')
    const jpegs = ['--exclude', '*', '--include', '*.jpg']
    expect(keysOf((await ls(server, '--sorted', ...jpegs)).stdout)).toEqual(['a/1.jpg', 'b/3.jpg', 'c/4.jpg'])
    expect(keysOf((await ls(server, '--sorted', ...jpegs, '--ignore-case', '--size', '2..3')).stdout)).toEqual([
      'a/2.JPG',
      'b/3.jpg',
    ])
    const cwd = await workFolder()
    const { stdout } = await run(['du', 's3://src', '--format', 'json', ...jpegs, ...at(server)], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ objects: 3, bytes: 8 })
    const written = await run(['ls', 's3://src', ...jpegs, '--to', 'keys.txt', ...at(server)], { cwd })
    expect(written.stderr).toMatch(/^wrote 3 of 5 objects /)
  })

  test('ls and du list only where such keys lie', async () => {
    const server = await sandbox({ buckets: ['src:dates:100k:size=1'] })
    const before = lists(server)
    const { stdout } = await ls(server, '--after', 'logs/2020/03', '--until', 'logs/2020/04')
    expect(keysOf(stdout).every((key) => key > 'logs/2020/03' && key < 'logs/2020/04')).toBe(true)
    const cwd = await workFolder()
    const day = ['--after', 'logs/2020/03', '--until', 'logs/2020/04']
    const du = await run(['du', 's3://src', '--format', 'json', ...day, ...at(server)], { cwd })
    expect(JSON.parse(du.stdout)).toMatchObject({ objects: keysOf(stdout).length })
    expect(keysOf(stdout).length).toBeGreaterThan(0)
    // The whole bucket has 100 pages.
    expect(lists(server) - before).toBeLessThan(30)
  })

  test('a filter that nothing matches is named, and the bucket is not blamed', async () => {
    const server = await filled('a', 'b')
    const none = ['--exclude', '*', '--include', 'nope/*']
    const told = "no object of s3://src/ matches --exclude '*' --include 'nope/*'"
    const listed = await ls(server, ...none)
    expect([listed.code, listed.stderr]).toEqual([0, `${told}; is the filter right?\n`])
    const cwd = await workFolder()
    const copied = await run(['copy', 's3://src', 's3://dst', ...none, ...at(server)], { cwd })
    expect([copied.code, copied.stderr]).toEqual([
      0,
      expect.stringContaining(`finished: ${told}, so nothing was`) as string,
    ])
    const looked = await run(['copy', 's3://src', 's3://dst', '--size', '+1M', ...at(server)], { cwd })
    expect(looked.stderr).toContain('no object of s3://src/ matches --size +1048576 (2 objects looked at), so nothing')
    expect(looked.stderr).not.toContain('bucket')
  })

  test('set-headers asks its rules about what is selected alone', async () => {
    const server = await filled('a.jpg', 'b.txt')
    const cwd = await workFolder()
    const args = ['set-headers', 's3://src', '--cache-control', 'no-cache', '--reset-acl', ...at(server)]
    const { code, stderr } = await run([...args, '--exclude', '*', '--include', '*.JPG', '--ignore-case'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 object rewritten, 1 skipped') as string])
    const headers = await Promise.all(['a.jpg', 'b.txt'].map((key) => traitsOf(server, 'src', key)))
    expect(headers.map((traits) => JSON.stringify(traits).includes('no-cache'))).toEqual([true, false])
    // Another filter makes another job, with a folder of its own.
    expect((await run([...args, '--size', '+1G'], { cwd })).code).toBe(0)
  })

  test('ls, du and verify look up what a list names, and tell what is not there', async () => {
    const server = await filled('a', 'b', 'c')
    const cwd = await workFolder()
    await writeFile(join(cwd, 'keys'), 'b\ngone\na\n')
    const list = ['--files-from', 'keys', ...at(server)]
    const listed = await run(['ls', 's3://src', '--format', 'json', ...list], { cwd })
    expect([listed.code, keysOf(listed.stdout)]).toEqual([3, ['b', 'a']])
    expect(listed.stderr).toContain('warning: s3://src/gone: NoSuchKey')
    expect(listed.stderr).toContain(`keys names could not be read: 1 NoSuchKey`)
    const du = await run(['du', 's3://src', '--format', 'json', ...list, '--size', '+1'], { cwd })
    expect([du.code, JSON.parse(du.stdout)]).toEqual([3, expect.objectContaining({ objects: 1, bytes: 1 })])
    await put(server, 'dst', 'b', { Body: 'x' })
    const verified = await run(['verify', 's3://src', 's3://dst', ...list], { cwd })
    expect([verified.code, verified.stdout.match(/"verdict":"\w+"/g)]).toEqual([
      3,
      ['"verdict":"unknown"', '"verdict":"missing"'],
    ])
    expect(verified.stderr).toContain('extra     not looked for: only what the list names was compared')
    expect(lists(server)).toBeLessThan(12)
  })

  test('ls of a list that is killed goes on behind what the file holds', async () => {
    const server = await sandbox({ buckets: ['src:seq:6000'], latency: 'head=5-10' })
    const cwd = await workFolder()
    const all = [...(await contentOf(server, 'src')).keys()]
    await writeFile(join(cwd, 'keys'), all.join('\n'))
    const to = ['--files-from', 'keys', '--to', 'out.json', '--format', 'json', '--checkpoint', 'run']
    const running = start(['ls', 's3://src', ...to, ...at(server)], { cwd })
    await until(() => (server.stats().byOperation.HeadObject ?? 0) > 2500, running)
    running.kill('SIGKILL')
    await running.finished
    const { code, stderr } = await run(['resume', 'run', ...at(server)], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('wrote 6,000 objects') as string])
  })

  test.each([
    [['ls', 's3://src', '--exclude', 'imag[e/*'], '--exclude imag[e/* has a [ that no ] closes'],
    [['du', 's3://src', '--ignore-case'], '--ignore-case is about --include, --exclude and --regex'],
    [
      ['ls', 's3://src', '--sorted', '--files-from', 'x.ndjson', '--files-format', 'ndjson'],
      '--sorted does not go with',
    ],
    [['verify', 's3://src'], 'verify compares two places, and was given one: s3://src'],
    [['verify', 's3://src', 's3://dst', '--map', 's/a/b/', '--fix'], '--fix does not go with --map'],
    [['verify', 'nowhere'], 'there is no checkpoint at'],
  ])('refuses %j', async (args, reason) => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    expect(refusal(await run([...args, ...at(server)], { cwd: await workFolder() }))).toContain(reason)
  })
})

describe('s3move verify of what a job was to copy', () => {
  const verify = async (cwd: string, server: TestSandbox, ...more: string[]): Promise<Finished> =>
    await run(['verify', ...more, ...at(server)], { cwd })
  const both = ['s3://src', 's3://dst']

  test('filters choose by the source, and what is extra by its name and size', async () => {
    const server = await filled('tmp/0', 'a1', 'b2')
    const cwd = await workFolder()
    for (const key of ['a1', 'a9', 'tmp/9']) await put(server, 'dst', key, { Body: 'x' })
    const { code, stdout, stderr } = await verify(
      cwd,
      server,
      ...both,
      '--exclude',
      'tmp/*',
      '--older-than',
      '2001-01-01',
    )
    expect([code, keysOf(stdout)]).toEqual([3, ['a9']])
    expect(stderr).toContain('1 object differs')
    const named = await verify(cwd, server, ...both, '--exclude', 'tmp/*')
    expect([named.code, keysOf(named.stdout)]).toEqual([3, ['a9', 'b2']])
    const none = await verify(cwd, server, ...both, '--regex', 'nope')
    expect([none.code, none.stderr]).toEqual([0, expect.stringContaining('matches --regex nope (5 objects') as string])
  })

  test.each([
    ['neighbours', String.raw`s/\.gz$/.gzip/`, 30],
    ['scattered names', String.raw`s|^(.*/)([^/]*)-(\w+)\.gz$|\3/\1\2|`, 3000],
  ])('--map compares each object with the copy of its name: %s', async (_, map, most) => {
    const server = await sandbox({ buckets: ['src:dates:2000:size=9', 'dst'] })
    const cwd = await workFolder()
    expect((await run(['copy', ...both, '--map', map, '-q', ...at(server)], { cwd })).code).toBe(0)
    const before = server.stats().requests
    const same = await verify(cwd, server, ...both, '--map', map)
    expect([same.code, same.stdout]).toEqual([0, ''])
    expect(same.stderr).toMatch(/same {6}2,000 objects\n {2}extra {5}not looked for: with --map/)
    expect(server.stats().requests - before).toBeLessThan(most)
    const [first = '', second = ''] = (await contentOf(server, 'dst')).keys()
    await put(server, 'dst', first, { Body: 'longer than nine' })
    const found = await verify(cwd, server, ...both, '--map', map)
    expect(found.code).toBe(3)
    expect(found.stdout).toContain(`"to":"${first}","verdict":"different","differs":["size"]`)
    expect(found.stdout).not.toContain(second)
  })

  test('a name of which nothing is left is missing, and says why', async () => {
    const server = await filled('a', 'b')
    await put(server, 'dst', 'b', { Body: 'x' })
    const { code, stdout } = await verify(await workFolder(), server, ...both, '--map', 's/^a$//')
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(/^{"key":"a".*"verdict":"missing","code":"NoNameLeft"/) as string,
    ])
    expect(keysOf(stdout)).toEqual(['a'])
  })

  test('DIR: the places, filters, names and list of the run, and nothing else', async () => {
    const server = await filled('a/1.jpg', 'a/2.jpg', 'tmp/3.jpg')
    await put(server, 'dst', 'mine', { Body: 'x' })
    const cwd = await workFolder()
    const job = ['copy', ...both, '--exclude', 'tmp/*', '--map', 's/jpg$/jpeg/', '--checkpoint', 'run', ...at(server)]
    expect((await run(job, { cwd })).code).toBe(0)
    // The connection is the run's too.
    const same = await run(['verify', 'run'], { cwd })
    expect([same.code, same.stdout]).toEqual([0, ''])
    expect(same.stderr).toContain('same      2 objects')
    await put(server, 'dst', 'a/2.jpeg', { Body: 'changed' })
    const found = await run(['verify', 'run'], { cwd })
    expect([found.code, keysOf(found.stdout)]).toEqual([3, ['a/2.jpg']])
    expect(refusal(await run(['verify', 'run', '--exclude', 'a/*'], { cwd }))).toContain(
      'filters, names and list of its own',
    )
  })

  test('DIR of a sync --delete looks for what is extra, of a sync without does not, and a move is refused', async () => {
    const server = await filled('a')
    const cwd = await workFolder()
    const on = (kind: string, dir: string, ...more: string[]) =>
      run([kind, ...both, '--checkpoint', dir, ...more, ...at(server)], { cwd })
    expect((await on('sync', 'plain')).code).toBe(0)
    expect((await on('sync', 'mirror', '--delete', '--yes')).code).toBe(0)
    await put(server, 'dst', 'extra', { Body: 'x' })
    expect((await run(['verify', 'plain'], { cwd })).code).toBe(0)
    const mirror = await run(['verify', 'mirror'], { cwd })
    expect([mirror.code, keysOf(mirror.stdout)]).toEqual([3, ['extra']])
    expect((await on('move', 'moved', '--yes')).code).toBe(0)
    expect(refusal(await run(['verify', 'moved'], { cwd }))).toContain('nothing is left to compare')
  })

  test('DIR of a list compares what the list names, and refuses one that names more by now', async () => {
    const server = await filled('a', 'b', 'c')
    const cwd = await workFolder()
    await writeFile(join(cwd, 'keys'), 'a\nb\n')
    const args = ['copy', ...both, '--files-from', 'keys', '--checkpoint', 'run', ...at(server)]
    expect((await run(args, { cwd })).code).toBe(0)
    const same = await run(['verify', 'run'], { cwd })
    expect([same.code, same.stderr]).toEqual([0, expect.stringContaining('same      2 objects') as string])
    await writeFile(join(cwd, 'keys'), 'a\nb\nc\n')
    expect(refusal(await run(['verify', 'run'], { cwd }))).toContain('names 3 objects, and named 2 when the run began')
  })
})
