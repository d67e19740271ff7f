import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { describe, expect, test } from 'vitest'
import { compareKeys } from '../../src/keys.js'
import { contentOf, put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'

interface Line {
  readonly key: string
  readonly size: number
  readonly etag: string
  readonly storageClass: string
}

const parsed = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)

const keysOf = (text: string): string[] => parsed(text).map(({ key }) => key)

const inOrder = (keys: readonly string[]): string[] => [...keys].sort(compareKeys)

describe('s3move ls s3://src', () => {
  test.each(['1', '2', '3'])('writes every object of a bucket of odd keys once, with %s threads', async (threads) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:3000:glacier=5'] })
    const args = ['ls', 's3://src', '--format', 'json', '--threads', threads, '--endpoint-url', server.url]
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([0, ''])
    const content = await contentOf(server, 'src')
    const listed = parsed(stdout)
    expect(listed).toHaveLength(3000)
    for (const { key, size, etag, storageClass } of listed)
      expect({ size, etag, storageClass }).toEqual({
        ...content.get(key),
        etag: content.get(key)?.etag.replaceAll('"', ''),
      })
    expect(inOrder(keysOf(stdout))).toEqual(inOrder([...content.keys()]))
    // Whatever the keys hold, each has one line and none of it is a command to a terminal.
    expect(stdout).toMatch(/^[^\p{Cf}\p{Zl}\p{Zp}\0-\x09\x0b-\x1f\x7f-\x9f]*$/u)
  })

  test.each(['seq', 'hex', 'hot', 'deep', 'odd'])('--sorted writes the layout %s in byte order', async (layout) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:${layout}:30k`], latency: 'list=1-5' })
    const args = ['ls', 's3://src', '--sorted', '--format', 'json', '--lanes', '7', '--threads', '2']
    const { code, stdout } = await run([...args, '--endpoint-url', server.url], { cwd })
    expect(code).toBe(0)
    const keys = keysOf(stdout)
    expect(keys).toHaveLength(30_000)
    expect(keys).toEqual(inOrder(keys))
    expect(new Set(keys).size).toBe(30_000)
  })

  test('a prefix bounds it, and keys are written in full', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:deep:3000'] })
    const all = [...(await contentOf(server, 'src')).keys()]
    const prefix = all[1500]!.slice(0, 12)
    const args = ['ls', `s3://src/${prefix}`, '--format', 'json', '--endpoint-url', server.url]
    const { code, stdout } = await run(args, { cwd })
    expect(code).toBe(0)
    expect(inOrder(keysOf(stdout))).toEqual(all.filter((key) => key.startsWith(prefix)))
  })

  test('--to writes a file that has its name only when it is whole; its name says the format, and .gz is compressed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:5000'] })
    const args = ['ls', 's3://src', '--to', 'keys.csv.gz', '--endpoint-url', server.url]
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('wrote 5,000 objects')
    expect(existsSync(join(cwd, 'keys.csv.gz.part'))).toBe(false)
    const lines = gunzipSync(await readFile(join(cwd, 'keys.csv.gz')))
      .toString()
      .trimEnd()
      .split('\n')
    expect(lines[0]).toBe('key,size,etag,last_modified,storage_class')
    const keys = lines.slice(1).map((line) => line.split(',')[0]!)
    expect(inOrder(keys)).toEqual([...(await contentOf(server, 'src')).keys()])
  })

  test('--to - is standard output, and no file of that name', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10'] })
    const more = ['--to', '-', '--json', '--endpoint-url', server.url]
    const { code, stdout } = await run(['ls', 's3://src', ...more], { cwd })
    expect([code, parsed(stdout).length]).toEqual([0, 10])
    const counts = await run(['du', 's3://src', ...more], { cwd })
    expect(JSON.parse(counts.stdout)).toMatchObject({ objects: 10, complete: true })
    expect(existsSync(join(cwd, '-')) || existsSync(join(cwd, '-.part'))).toBe(false)
  })

  test('du --to writes its result to a file, and a resume of the finished run makes good what is missing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:1234'] })
    const args = ['du', 's3://src', '--to', 'counts.csv.gz', '--checkpoint', 'run', '--endpoint-url', server.url]
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toMatch(/^wrote the counts of 1,234 objects in .* to .*counts\.csv\.gz, \d+ B\n$/)
    const file = join(cwd, 'counts.csv.gz')
    const written = gunzipSync(await readFile(file)).toString()
    expect(written).toMatch(/^trait,name,objects,bytes\ntotal,,1234,/)
    await rm(file)
    expect((await run(['resume', 'run', '--endpoint-url', server.url], { cwd })).code).toBe(0)
    expect(gunzipSync(await readFile(file)).toString()).toBe(written)
  })

  test('a reader that goes away ends it at once, without a word', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:200k'], latency: 'list=5-10' })
    for (const more of [[], ['--sorted']]) {
      const running = start(['ls', 's3://src', '--endpoint-url', server.url, ...more], { cwd })
      await until(() => running.stdout().length > 0, running)
      running.close('stdout')
      const { code, stderr } = await running.finished
      expect([code, stderr]).toEqual([0, ''])
    }
  })

  test('an empty prefix is an answer, and told', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    const { code, stdout, stderr } = await run(['ls', 's3://src/none/', '--endpoint-url', server.url], { cwd })
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toBe('s3://src/none/ has no objects; are bucket and prefix right?\n')
  })

  test.each([
    [['ls', 's3://src', '--format', 'xml'], '--format cannot be xml'],
    [['ls', 's3://src', '--fresh'], '--fresh is about a checkpoint, and none was named'],
    [['ls', 's3://src', '--lanes', '0'], '--lanes wants a whole number from 1 to 1000'],
    [['du', 's3://src', '--depth', '-1'], '--depth wants a whole number from 0 to 100'],
    [['du', 's3://src', '--dates', 'week'], '--dates cannot be week'],
    [['ls', 's3://src', '--to', '/nonexist/x.gz'], 'the folder /nonexist does not exist'],
    [['du', 's3://src', '--to', '/nonexist/x.gz'], 'the folder /nonexist does not exist'],
    [['verify', 's3://src', 's3://src2', '--to', '/nonexist/x'], 'the folder /nonexist does not exist'],
    [['verify', 's3://src', 's3://src2', '--to', 'x.csv'], 'differences are lines of JSON'],
    [['ls', 's3://src', '--to', '/tmp'], '/tmp is a folder'],
    [['ls', 's3://src', '--to', '/dev/null'], '/dev/null is no plain file'],
    [['ls', 's3://src', '--to', 'x.csv', '--format', 'json'], 'x.csv is named as a file of csv'],
    [['ls', 's3://missing'], 'NoSuchBucket'],
  ])('refuses %j', async (args, reason) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10'] })
    expect(refusal(await run([...args, '--endpoint-url', server.url], { cwd }))).toContain(reason)
  })
})

describe('s3move ls --folders', () => {
  const linesOf = (text: string): string[] => text.split('\n').slice(0, -1)

  test('shows a level as S3 does with a delimiter: text, JSON and CSV, in byte order, with counts', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    const names = ['a-1', 'a/1', 'a/2', 'a/b/1', 'a/b/2', 'a/c d/1', 'ab/x', 'b', 'z/1', 'q,"\n/x', '/odd']
    const all = [...names, ...Array.from({ length: 1100 }, (_, n) => `m${String(n).padStart(4, '0')}/x`)]
    await Promise.all(all.map((key) => put(server, 'src', key, { Body: 'x' })))
    for (const prefix of ['', 'a/', 'a']) {
      const below = all.filter((key) => key.startsWith(prefix))
      const level = below.map((key) => key.slice(0, key.indexOf('/', prefix.length) + 1 || key.length))
      const wanted = inOrder([...new Set(level)])
      const folders = wanted.filter((name) => name.endsWith('/'))
      const [f, o] = [folders.length, wanted.length - folders.length]
      const counts = `${f.toLocaleString('en-US')} folders and ${o} object${o === 1 ? '' : 's'}, ${o} B`

      const from = ['ls', `s3://src/${prefix}`, '--folders', '--endpoint-url', server.url]
      const json = await run([...from, '--json'], { cwd })
      expect([json.code, json.stderr]).toEqual([0, `${counts}\n`])
      const shown = linesOf(json.stdout).map((line) => JSON.parse(line) as { folder?: string; key?: string })
      expect(shown.map(({ folder, key }) => folder ?? key)).toEqual(wanted)
      expect(shown.flatMap(({ folder }) => folder ?? [])).toEqual(folders)

      const text = linesOf((await run(from, { cwd })).stdout)
      expect([text.length, text.filter((line) => / PRE - /.test(line)).length]).toEqual([wanted.length, f])

      const csv = await run([...from, '--to', 'level.csv.gz'], { cwd })
      expect([csv.code, csv.stderr]).toEqual([0, expect.stringContaining(`wrote ${counts}, to `) as string])
      const rows: string[][] = parse(gunzipSync(await readFile(join(cwd, 'level.csv.gz'))))
      expect(rows[0]).toEqual(['folder', 'key', 'size', 'etag', 'last_modified', 'storage_class'])
      expect(rows.slice(1).map(([folder, key]) => `${folder}${key}`)).toEqual(wanted)
    }
  })

  test('shows a level of a folder of this machine', async () => {
    const cwd = await workFolder()
    for (const folder of ['top/sub/deep', 'top/none']) await mkdir(join(cwd, folder), { recursive: true })
    for (const file of ['top/a', 'top/sub/1', 'top/sub/deep/2', 'top/z']) await writeFile(join(cwd, file), 'x')
    const { code, stdout, stderr } = await run(['ls', `file://${cwd}/top`, '--folders'], { cwd })
    expect([code, stderr]).toEqual([0, '1 folder and 2 objects, 2 B\n'])
    expect(linesOf(stdout).map((line) => line.split(' ').at(-1))).toEqual(['a', 'sub/', 'z'])
  })

  test('goes on through faults, and ends with its reader', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:30k'], faults: ['reset=10%'] })
    const from = ['ls', 's3://src', '--folders', '--endpoint-url', server.url]
    const { code, stdout } = await run(from, { cwd })
    expect([code, linesOf(stdout).length]).toEqual([0, 30_000])
    const running = start(from, { cwd, slowReader: true })
    await until(() => running.stdout().length > 0, running)
    running.close('stdout')
    expect([(await running.finished).code, running.stderr()]).toEqual([0, ''])
  })

  test.each([
    ['--checkpoint', 'run'],
    ['--lanes', '4'],
    ['--threads', '2'],
  ])('refuses %s', async (flag, value) => {
    const cwd = await workFolder()
    expect(refusal(await run(['ls', 's3://src', '--folders', flag, value], { cwd }))).toContain(
      `${flag} does not go with --folders`,
    )
  })
})

describe('s3move ls and du with --checkpoint, and s3move resume', () => {
  test.each([[[]], [['--sorted']]])('kill -9 at random points: the file holds every key once (%j)', async (more) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:150k'], latency: 'list=20-40' })
    const from = ['--lanes', '8', '--threads', '2', '--endpoint-url', server.url]
    let args = ['ls', 's3://src', '--format', 'json', '--to', 'keys.json', '--checkpoint', 'run', ...more, ...from]
    for (let kills = 0; kills < 3; kills++) {
      const before = server.stats().requests
      const running = start(args, { cwd })
      await until(() => running.isOver() || server.stats().requests >= before + 25 + kills * 9)
      running.kill('SIGKILL')
      if ((await running.finished).signal === undefined) break
      if (existsSync(join(cwd, 'run/checkpoint.json'))) args = ['resume', 'run', ...from]
    }
    expect(existsSync(join(cwd, 'keys.json'))).toBe(false)
    const last = await run(args, { cwd })
    expect([last.code, last.stderr]).toEqual([0, expect.stringContaining('wrote 150,000 objects') as string])
    const keys = keysOf(await readFile(join(cwd, 'keys.json'), 'utf8'))
    expect(keys).toHaveLength(150_000)
    const sorted = inOrder(keys)
    expect(new Set(sorted).size).toBe(150_000)
    if (more.length > 0) expect(keys).toEqual(sorted)
    const again = await run(['resume', 'run', '--endpoint-url', server.url], { cwd })
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('nothing to resume') as string])
  })

  test('du counts each object once, though it was killed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hot:60k:size=10'], latency: 'list=20-40' })
    const from = ['--lanes', '4', '--endpoint-url', server.url]
    let args = ['du', 's3://src', '--depth', '3', '--format', 'json', '--checkpoint', 'run', ...from]
    const whole = JSON.parse(
      (
        await run(
          args.filter((arg) => !['--checkpoint', 'run'].includes(arg)),
          { cwd },
        )
      ).stdout,
    ) as Report
    for (let kills = 0; kills < 2; kills++) {
      const before = server.stats().requests
      const running = start(args, { cwd })
      await until(() => running.isOver() || server.stats().requests >= before + 15)
      running.kill('SIGKILL')
      if ((await running.finished).signal === undefined) break
      if (existsSync(join(cwd, 'run/checkpoint.json'))) args = ['resume', 'run', ...from]
    }
    const { code, stdout } = await run(args, { cwd })
    expect(code).toBe(0)
    const report = JSON.parse(stdout) as Report
    expect([report.objects, report.bytes]).toEqual([60_000, 600_000])
    expect({ ...report, time: whole.time }).toEqual(whole)
  })

  test('a file that was removed meanwhile is missed, not begun anew', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:100k'], latency: 'list=20-40' })
    const args = ['ls', 's3://src', '--to', 'keys', '--checkpoint', 'run', '--lanes', '2', '--endpoint-url', server.url]
    const running = start(args, { cwd })
    await until(() => server.stats().requests > 20, running)
    running.kill('SIGINT')
    const interrupted = await running.finished
    expect([interrupted.code, interrupted.stderr]).toEqual([
      130,
      expect.stringContaining('s3move resume run') as string,
    ])
    await rm(join(cwd, 'keys.part'))
    expect(refusal(await run(['resume', 'run'], { cwd }))).toContain('cannot go on with')
  })
})

interface Report {
  readonly time: string
  readonly complete: boolean
  readonly objects: number
  readonly bytes: number
  readonly folders: readonly { readonly name: string; readonly objects: number }[]
}

describe('s3move du s3://src', () => {
  test('tells what a listing of everything adds up to, as text, JSON and CSV', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:dates:5000:glacier=4'] })
    const du = (...more: string[]): Promise<Finished> =>
      run(['du', 's3://src', '--depth', '2', '--endpoint-url', server.url, ...more], { cwd })
    const content = [...(await contentOf(server, 'src'))]
    const bytes = content.reduce((sum, [, { size }]) => sum + size, 0)
    const glacier = content.filter(([, { storageClass }]) => storageClass === 'GLACIER')
    const json = JSON.parse((await du('--format', 'json')).stdout) as Report & { storageClasses: unknown }
    expect(json).toMatchObject({ complete: true, objects: 5000, bytes })
    expect(json.storageClasses).toContainEqual({
      name: 'GLACIER',
      objects: glacier.length,
      bytes: glacier.reduce((sum, [, { size }]) => sum + size, 0),
    })
    for (const { name, objects } of json.folders) {
      expect([name, objects]).toEqual([name, content.filter(([key]) => key.startsWith(name)).length])
    }
    expect(json.folders.length).toBeGreaterThan(1)
    const csv = (await du('--format', 'csv')).stdout.split('\n')
    expect(csv.slice(0, 2)).toEqual(['trait,name,objects,bytes', `total,,5000,${bytes}`])
    expect((await du()).stdout).toMatch(/^s3:\/\/src\/: 5,000 objects, /)
  })

  test('says that it is a part when it was interrupted', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:100k'], latency: 'list=30-40' })
    const running = start(['du', 's3://src', '--format', 'json', '--lanes', '2', '--endpoint-url', server.url], { cwd })
    await until(() => server.stats().requests > 6, running)
    running.kill('SIGINT')
    const { code, stdout, stderr } = await running.finished
    expect(code).toBe(130)
    expect((JSON.parse(stdout) as Report).complete).toBe(false)
    expect(stderr).toContain('interrupted before it finished: the figures are of a part only')
  })
})
