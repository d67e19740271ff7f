import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, expectSame, put, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'

const args = (server: TestSandbox, from: string, to: string, ...more: string[]) =>
  ['move', '--yes', from, to, '--endpoint-url', server.url, '--checkpoint', 'run', ...more] as const
const asked = (server: TestSandbox, operation: string) => server.stats().byOperation[operation as 'HeadObject'] ?? 0

async function linesOf(cwd: string, file: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(cwd, 'run', file), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

const finished = (result: Finished, headline: string, code = 0) =>
  expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(headline) as string])

describe('s3move move s3://src/old/ s3://dst/new/', () => {
  test('copies every object and deletes it at the source, and has a line for each in moved.ndjson', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const keys = ['a b+c%20', 'cr\rx', 'lf\nx', '../up', '//two', '\u001b[2J', 'ü/\u{1f600}', '"<&>', '\u0001']
    for (const key of keys) {
      await put(server, 'src', `old/${key}`, { Body: key, ContentType: 'text/x', Metadata: { a: 'b' } })
    }
    await put(server, 'src', 'older', { Body: 'not below the prefix' })
    const before = await contentOf(server, 'src', 'old/')
    const traits = await Promise.all(keys.map((key) => traitsOf(server, 'src', `old/${key}`)))
    const told = await run(args(server, 's3://src/old/', 's3://dst/new/', '-v'), { cwd })
    finished(told, 'finished: 9 objects moved, none skipped, none failed')
    expect(told.stderr).toMatch(/^moving s3:\/\/src\/old\/ to s3:\/\/dst\/new\/$/m)
    expect(told.stderr).toContain('moved old/lf\\nx (4 B)')
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(['older'])
    expectSame(await contentOf(server, 'dst'), before, (key) => key.replace('old/', 'new/'))
    expect(await Promise.all(keys.map((key) => traitsOf(server, 'dst', `new/${key}`)))).toEqual(traits)
    const moved = await linesOf(cwd, 'moved.ndjson')
    const etag = (key: unknown) => before.get(String(key))!.etag.replaceAll('"', '')
    expect(moved.map(({ key, size, etag, copy }) => ({ key, size, etag, copy }))).toEqual(
      [...before].map(([key, { size }]) => ({ key, size, etag: etag(key), copy: etag(key) })),
    )
    const status = JSON.parse((await run(['status', 'run', '--json'], { cwd })).stdout) as Record<string, unknown>
    expect(status).toMatchObject({ state: 'finished', done: 9, totals: { copied: 9, deleted: 0 }, listed: 9 })
  })

  test('a rehearsal changes nothing; a place inside the source is refused', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2500:size=10', 'dst'] })
    const told = await run(args(server, 's3://src', 's3://dst', '--dry-run', '-v'), { cwd })
    expect(told.code).toBe(0)
    expect(told.stdout).toContain('move s3://src/')
    expect(told.stdout).toContain(
      'would move   2,500 objects, 24.4 KiB, from s3://src/ to s3://dst/\nrequests     2,500 CopyObject, 3 DeleteObjects',
    )
    expect([(await contentOf(server, 'src')).size, (await contentOf(server, 'dst')).size]).toEqual([2500, 0])
    expect(refusal(await run(args(server, 's3://src', 's3://src/x/'), { cwd }))).toContain('lies inside the source')
  })

  test('what could not be copied stays at the source and is in the ledger, and is moved by a retry', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1000', 'dst'] })
    const all = await contentOf(server, 'src')
    const running = start(args(server, 's3://src', 's3://dst', '--concurrency', '16'), { cwd })
    await until(() => asked(server, 'CopyObject') > 100, running)
    await server.fault('denied', '1/3', 'CopyObject')
    const { code } = await running.finished
    expect(code).toBe(3)
    const failed = (await linesOf(cwd, 'failures.ndjson')).map(({ key }) => String(key)).sort()
    expect(failed.length).toBeGreaterThan(10)
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(failed)
    await server.fault('denied', '0', 'CopyObject')
    finished(await run(['resume', '--only-failed', 'run'], { cwd }), 'finished: 1,000 objects moved')
    expect((await contentOf(server, 'src')).size).toBe(0)
    expectSame(await contentOf(server, 'dst'), all)
    expect((await linesOf(cwd, 'moved.ndjson')).length).toBe(1000)
  })

  test('a source that was written since its copy is not deleted: SourceChanged; a retry moves what it is now', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'], latency: 'head=40' })
    for (let n = 10; n < 50; n++) await put(server, 'src', `k${n}`, { Body: 'old' })
    const running = start(args(server, 's3://src', 's3://dst', '--concurrency', '1'), { cwd })
    await until(() => asked(server, 'CopyObject') >= 41, running)
    await put(server, 'src', 'k49', { Body: 'written since' })
    finished(await running.finished, 'finished with failures: 39 objects moved, none skipped, 1 failed', 3)
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(['k49'])
    expect(await linesOf(cwd, 'failures.ndjson')).toMatchObject([
      { key: 'k49', code: 'SourceChanged', operation: 'DeleteObjects' },
    ])
    finished(
      await run(['resume', '--only-failed', 'run'], { cwd }),
      'finished: 40 objects moved, none skipped, none failed',
    )
    expect((await contentOf(server, 'src')).size).toBe(0)
    expect((await contentOf(server, 'dst')).get('k49')?.size).toBe('written since'.length)
  })

  test('without the permission to delete it stops; nothing is lost, and a resume ends it', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:300', 'dst'], faults: ['denied=1@DeleteObjects'] })
    const all = await contentOf(server, 'src')
    const told = await run(args(server, 's3://src', 's3://dst'), { cwd })
    finished(told, 'DeleteObjects on s3://src failed', 4)
    expect((await contentOf(server, 'src')).size).toBe(300)
    const status = JSON.parse((await run(['status', 'run', '--json'], { cwd })).stdout) as Record<string, unknown>
    expect(status).toMatchObject({ state: 'unfinished', totals: { copied: 0 } })
    await server.fault('denied', '0', 'DeleteObjects')
    finished(await run(['resume', 'run'], { cwd }), 'finished: 300 objects moved')
    expect((await contentOf(server, 'src')).size).toBe(0)
    expectSame(await contentOf(server, 'dst'), all)
  })

  test('--map replaces nothing, however far apart two objects of one new name are; what is there already with the same content and headers is its copy', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const between = Array.from({ length: 1200 }, (_, n) => `k${n}`)
    await Promise.all(between.map((key) => put(server, 'src', key, { Body: key })))
    const objects = {
      ...{ '!/x': 'one', 'z/x': 'far behind it', 'z/y': 'copied, and nobody heard of it', 'z/old': 'newer' },
      'z/plain': 'the same, with other headers',
    }
    for (const [key, Body] of Object.entries(objects)) await put(server, 'src', key, { Body })
    await put(server, 'dst', 'y', { Body: objects['z/y'] })
    await put(server, 'dst', 'plain', {
      Body: objects['z/plain'],
      Metadata: { of: 'another' },
      CacheControl: 'no-store',
    })
    await put(server, 'src', 'z/plain', { Body: objects['z/plain'], Metadata: { of: 'its own' } })
    await put(server, 'dst', 'old', { Body: 'of before' })
    const told = await run(args(server, 's3://src', 's3://dst', '--map', 's|^[!z]/||', '--concurrency', '1'), { cwd })
    finished(told, 'finished with failures: 1,202 objects moved, none skipped, 3 failed', 3)
    const failed = await linesOf(cwd, 'failures.ndjson')
    expect(failed.map(({ key, code }) => [key, code])).toEqual([
      ['z/old', 'DestinationExists'],
      ['z/plain', 'DestinationExists'],
      [expect.stringMatching('^[!z]/x$'), 'DestinationExists'],
    ])
    const [left, there] = await Promise.all([contentOf(server, 'src'), contentOf(server, 'dst')])
    expect([...left.keys()].sort()).toEqual(failed.map(({ key }) => key).sort())
    const moved = failed[2]?.['key'] === '!/x' ? 'z/x' : '!/x'
    expect([there.get('x')?.size, there.get('old')?.size]).toEqual([objects[moved].length, 'of before'.length])
  })

  test.each(['with one thread', 'with two threads', 'through this machine'])(
    '--map to a store without conditions, two objects of one new name under way at once, %s: one is moved, the other stays',
    async (how) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src', 'dst:unconditional'], latency: 'copy=5-50,put=5-50' })
      const apart = how === 'through this machine'
      const other = apart ? await sandbox({ buckets: ['dst:unconditional'], latency: 'copy=5-50,put=5-50' }) : server
      const names = Array.from({ length: 200 }, (_, n) => `k${n}`)
      const objects = names.flatMap((name) => [`a/${name}`, `z/${name}`])
      await Promise.all(objects.map((key) => put(server, 'src', key, { Body: key })))
      const before = await contentOf(server, 'src')
      // What is in the middle is not listed, so no page holds two of one new name, and they are under way side by side.
      const more = ['--exclude', 'm/*', '--map', 's/^[az].//', '--threads', how === 'with two threads' ? '2' : '1']
      if (apart) more.push('--destination-endpoint-url', other.url)
      const told = await run(args(server, 's3://src', 's3://dst', ...more), { cwd })
      finished(told, 'finished with failures: 200 objects moved, none skipped, 200 failed', 3)
      const [left, there] = await Promise.all([contentOf(server, 'src'), contentOf(other, 'dst')])
      const failed = await linesOf(cwd, 'failures.ndjson')
      expect(failed.map(({ key }) => key).sort()).toEqual([...left.keys()].sort())
      expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['DestinationExists']))
      const moved = objects.filter((key) => !left.has(key))
      expect(moved.length).toBe(200)
      for (const key of moved) expect(there.get(key.slice(2))?.etag, key).toBe(before.get(key)?.etag)
    },
  )

  test.each(['copy200err', 'copy200empty', 'reset-after', '500', 'truncate'])(
    '%s at a fifth of all requests: everything is moved',
    async (fault) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src:hex:600', 'dst'], faults: [`${fault}=1/5`] })
      const told = await run(args(server, 's3://src', 's3://dst'), { cwd })
      finished(told, 'finished: 600 objects moved, none skipped, none failed')
      await server.fault(fault, '0')
      expect([(await contentOf(server, 'src')).size, (await contentOf(server, 'dst')).size]).toEqual([0, 600])
    },
  )

  test.each([1, 2, 3, 4, 5])(
    'kill -9 at any moment, round %i: each key is on one side or both, in the end at the destination alone',
    async (round) => {
      const cwd = await workFolder()
      const server = await sandbox({
        ...{ buckets: [`src:${round === 5 ? 'odd' : 'hex'}:1500`, 'dst'], seed: round },
        latency: 'copy=2-6,head=1-4,delete=5-30',
      })
      const all = await contentOf(server, 'src')
      const [map, nameOf] = round % 2 === 0 ? [['--map', 's/^/m-/'], (key: string) => `m-${key}`] : [[], String]
      let line: readonly string[] = args(server, 's3://src', 's3://dst', '--concurrency', '32', '--lanes', '4', ...map)
      for (let kill = 0; kill < 4; kill++) {
        const target = asked(server, 'CopyObject') + ((round * 131 + kill * 277) % 500) + 20
        const running = start(line, { cwd })
        await until(() => running.isOver() || asked(server, 'CopyObject') >= target)
        running.kill('SIGKILL')
        const { signal } = await running.finished
        await until(() => server.stats().inFlight.now === 0)
        const there = await contentOf(server, 'dst')
        const here = await contentOf(server, 'src')
        for (const [key, { etag }] of all) {
          expect([there.get(nameOf(key))?.etag, here.get(key)?.etag], key).toContain(etag)
        }
        // What is deleted is on the ledger.
        const ledger = new Set((await linesOf(cwd, 'moved.ndjson')).map(({ key }) => key))
        for (const key of all.keys()) if (!here.has(key)) expect(ledger, key).toContain(key)
        if (signal === undefined) break
        if ((await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)) !== undefined)
          line = ['resume', 'run']
      }
      const last = await run(['resume', 'run'], { cwd })
      expect([last.code, last.stderr]).toEqual([0, expect.stringMatching(/finished|nothing to resume/) as string])
      expect((await contentOf(server, 'src')).size).toBe(0)
      expectSame(await contentOf(server, 'dst'), all, nameOf)
      const moved = (await linesOf(cwd, 'moved.ndjson')).map(({ key }) => String(key))
      expect([moved.length, new Set(moved).size]).toEqual([1500, 1500])
      const status = JSON.parse((await run(['status', 'run', '--json'], { cwd })).stdout) as Record<string, unknown>
      expect(status).toMatchObject({ state: 'finished', done: 1500, totals: { copied: 1500, skipped: {}, failed: {} } })
    },
  )

  test('Ctrl-C: what is under way ends, and a resume moves the rest', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst'], latency: 'copy=2-6,delete=20-60' })
    const running = start(args(server, 's3://src', 's3://dst', '--concurrency', '32'), { cwd })
    await until(() => asked(server, 'CopyObject') > 500, running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    finished(await run(['resume', 'run'], { cwd }), 'finished: 1,500 objects moved')
    expect((await contentOf(server, 'src')).size).toBe(0)
  })
})
