import { mkdir, readFile, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { DeleteObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import type { Rounds } from '../../src/checkpoint/rounds.js'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Running } from '../support/cli-program.js'
import { front } from '../support/front.js'

const args = (url: string, ...more: string[]) =>
  ['sync', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run', ...more] as const
const rounds = async (cwd: string): Promise<Rounds> =>
  JSON.parse(await readFile(join(cwd, 'run/rounds.json'), 'utf8')) as Rounds

async function bodyOf({ s3 }: TestSandbox, Bucket: string, Key: string): Promise<string> {
  return (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()
}

/** Resolves when so many rounds of this process have ended. */
const ended = (running: Running, many: number) =>
  until(() => (running.stderr().match(/^round \d+: /gm) ?? []).length >= many, running)

/** Ends it between two rounds. */
async function interrupt(running: Running): Promise<void> {
  running.kill('SIGINT')
  expect((await running.finished).code).toBe(130)
}

/** All that was noted of rounds happened so long ago. */
async function longAgo(cwd: string, ms: number): Promise<void> {
  const text = await readFile(join(cwd, 'run/rounds.json'), 'utf8')
  const earlier = text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (time) => new Date(Date.parse(time) - ms).toISOString())
  await writeFile(join(cwd, 'run/rounds.json'), earlier)
}

describe('s3move sync --follow', () => {
  test('goes on over kill -9 while the source is written to, and after the cut-over each key is as it is there', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'], latency: 'copy=5-20' })
    const keys = Array.from({ length: 400 }, (_, i) => (i % 50 === 0 ? `odd\n${i}\u001b[2J` : `k/${i}`))
    for (const key of keys) await put(server, 'src', key, { Body: `${key} at first` })
    const writer = new AbortController()
    let written = 0
    const writing = (async () => {
      while (!writer.signal.aborted) {
        const key = keys[(written * 7) % keys.length]!
        if (written % 9 === 0) await server.s3.send(new DeleteObjectCommand({ Bucket: 'src', Key: key }))
        else await put(server, 'src', key, { Body: `${key} ${'x'.repeat(written % 3)} ${written}` })
        written++
        await pause(2)
      }
    })()
    const following = args(server.url, '--follow', '--every', '1s', '--delete', '--max-delete', '400', '--yes')
    for (const time of [900, 1_400]) {
      const running = start(following, { cwd })
      await until(() => /example|going on/.test(running.stderr()), running)
      await pause(time)
      running.kill('SIGKILL')
      expect((await running.finished).signal).toBe('SIGKILL')
    }
    const running = start(following, { cwd })
    await ended(running, 3)
    await interrupt(running)
    writer.abort()
    await writing
    expect(written).toBeGreaterThan(300)
    const cut = ['--cut-over', '--delete', '--max-delete', '400', '--yes', '--report', 'cut-over.json'] as const
    const last = await run(args(server.url, ...cut), { cwd })
    expect([last.code, last.stderr]).toEqual([0, expect.stringContaining('cut over: both sides are alike')])
    const status = await run(['status', 'run'], { cwd })
    expect(status.stdout).toMatch(/^ {2}rounds +\d+ ended; what the source had at .* is there \(.* ago\)$/m)
    const metrics = await run(['status', 'run', '--format', 'prometheus'], { cwd })
    expect(metrics.stdout).toMatch(/^s3move_settled_time_seconds\{run="run"\} 1\d{9}/m)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    const report = JSON.parse(await readFile(join(cwd, 'cut-over.json'), 'utf8')) as {
      roundHistory: { number: number; copied: number }[]
      proof: { verdicts: Record<string, number> }
    }
    const { count } = await rounds(cwd)
    expect(report.roundHistory.map(({ number }) => number)).toEqual(Array.from({ length: count }, (_, i) => i + 1))
    expect(report.roundHistory.at(-1)).toMatchObject({ copied: 0, deleted: 0, failed: 0 })
    expect(report.proof.verdicts).toMatchObject({ different: 0, missing: 0, extra: 0 })
  })

  test('replaces and deletes nothing that others have written at the destination since, tells of it, and copies what is newer at the source', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20:size=10', 'src2', 'dst'] })
    const follow = ['--follow', '--every', '1h', '--delete', '--max-delete', '5', '--yes'] as const
    const first = start(args(server.url, ...follow), { cwd })
    await ended(first, 1)
    await interrupt(first)
    await longAgo(cwd, 3_600_000)
    const [one = '', two = ''] = (await contentOf(server, 'dst')).keys()
    await put(server, 'dst', one, { Body: 'by a client that has moved over' })
    await put(server, 'dst', 'new', { Body: 'new' })
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'dst', Key: two }))
    const second = start(args(server.url, ...follow, '--json'), { cwd })
    await until(() => second.stdout().includes('"type":"round"'), second)
    await interrupt(second)
    const line = second
      .stdout()
      .split('\n')
      .find((text) => text.includes('"type":"round"'))
    expect(JSON.parse(line ?? '')).toMatchObject({
      number: 2,
      copied: 1,
      deleted: 0,
      unchanged: 18,
      newer: 2,
      failed: 0,
    })
    expect(await bodyOf(server, 'dst', one)).toBe('by a client that has moved over')
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(expect.arrayContaining(['new', two]))
    await longAgo(cwd, 3_600_000)
    const cut = await run(args(server.url, '--cut-over', '--delete', '--max-delete', '5', '--yes'), { cwd })
    expect([cut.code, cut.stderr]).toEqual([3, expect.stringContaining('2 left as they are: newer at the destination')])
    expect(cut.stderr).not.toContain('cut over: ')
  })

  test('puts nothing in the place of what was written there after it was listed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3:size=10', 'dst'] })
    const names = [...(await contentOf(server, 'src')).keys()]
    let isBusy = true
    const refused = new Set<string>()
    const before = await front(server.port, ({ method, url }) => {
      const name = names.find((key) => url.includes(`/dst/${key}`))
      if (!isBusy || method !== 'PUT' || name === undefined) return undefined
      refused.add(name)
      return { status: 503, code: 'SlowDown' }
    })
    const running = start(args(before.url, '--follow', '--every', '1h'), { cwd })
    await until(() => refused.size === names.length, running)
    for (const name of names) await put(server, 'dst', name, { Body: 'by others' })
    isBusy = false
    await ended(running, 1)
    await interrupt(running)
    expect((await rounds(cwd)).rounds).toMatchObject([{ copied: 0, newer: 3, unchanged: 0, failed: 0 }])
    for (const name of names) expect(await bodyOf(server, 'dst', name)).toBe('by others')
  })

  test('tells of a round that cannot begin, and begins the next one', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:5:size=10', 'dst'] })
    let isDenied = false
    const before = await front(server.port, () => (isDenied ? { status: 403, code: 'AccessDenied' } : undefined))
    const running = start(args(before.url, '--follow', '--every', '1s'), { cwd })
    await ended(running, 1)
    isDenied = true
    await until(() => running.stderr().includes('warning: this round could not begin, and is tried again: '), running)
    isDenied = false
    const seen = (await rounds(cwd)).count
    await until(async () => (await rounds(cwd)).count > seen, running)
    await interrupt(running)
  })

  test.each([
    [['--every', '5m'], /--every is how often --follow begins a round/],
    [['--follow', '--delete', '--yes'], /--follow with --delete .* nothing says how much may go/],
    [['--follow', '--dry-run'], /--follow does not go with --dry-run/],
    [['--cut-over', '--newer'], /--cut-over does not go with --newer/],
    [['--follow', '--every', '1ms'], /--every wants a time/],
    [['--follow', '--checkpoint', 's3://runs/a'], /--checkpoint names a bucket/],
  ])('is refused with %j before any request', async (more, expected) => {
    const cwd = await workFolder()
    const url = ['--endpoint-url', 'http://127.0.0.1:9'] as const
    expect(refusal(await run(['sync', 's3://src', 's3://dst', ...url, ...more], { cwd }))).toMatch(expected)
  })

  test('is refused into a folder, whose files tell nothing of who has written them', async () => {
    const cwd = await workFolder()
    const refused = await run(['sync', 's3://src', `file://${cwd}/copy`, '--follow'], { cwd })
    expect(refusal(refused)).toMatch(/go by when the destination’s objects were written, and files of .* get the dates/)
  })

  test('follows a folder, also where a file is replaced by one of long before', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['dst'] })
    await mkdir(join(cwd, 'in'))
    await writeFile(join(cwd, 'in/a'), 'first')
    const folder = [
      'sync',
      `file://${cwd}/in`,
      's3://dst',
      '--endpoint-url',
      server.url,
      '--checkpoint',
      'run',
    ] as const
    const running = start([...folder, '--follow', '--every', '1s'], { cwd })
    await ended(running, 1)
    await writeFile(join(cwd, 'in/new'), 'an older one')
    await utimes(join(cwd, 'in/new'), new Date(0), new Date(0))
    await rename(join(cwd, 'in/new'), join(cwd, 'in/a'))
    await until(async () => (await bodyOf(server, 'dst', 'a')) === 'an older one', running)
    await interrupt(running)
  })
})
