import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const args = (server: TestSandbox, place: string, ...more: string[]) =>
  ['delete', place, '--endpoint-url', server.url, '--checkpoint', 'run', ...more] as const
const requests = (server: TestSandbox) => server.stats().byOperation.DeleteObjects ?? 0

describe('s3move delete s3://bucket/prefix', () => {
  test('deletes what is below the prefix and nothing else, a thousand to a request', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:8000:prefix=old/', 'dst'], latency: 'delete=20-40' })
    const copied = await run(['copy', 's3://src/old/', 's3://dst/new/', '--endpoint-url', server.url], { cwd })
    expect(copied.code).toBe(0)
    await put(server, 'dst', 'new')
    await put(server, 'dst', 'newer/1')
    const { code, stderr } = await run(args(server, 's3://dst/new/', '--yes'), { cwd })
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('finished: 8,000 objects deleted, none skipped, none failed') as string,
    ])
    expect(stderr).toMatch(/^deleting s3:\/\/dst\/new\/$/m)
    expect(stderr).toMatch(/^ {2}deleted {3}8,000 objects, /m)
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['new', 'newer/1'])
    expect((await contentOf(server, 'src')).size).toBe(8000)
    // Ranges end where they end, so that a few are not full.
    expect(requests(server)).toBeLessThanOrEqual(24)
  })

  test('odd keys, those that no XML can hold too', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:500'] })
    const { code, stderr } = await run(args(server, 's3://src', '--yes'), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('500 objects deleted') as string])
    expect((await contentOf(server, 'src')).size).toBe(0)
  })

  test('without a terminal and without --yes nothing is asked of the store', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10'] })
    const line = refusal(await run(args(server, 's3://src'), { cwd }))
    expect(line).toMatch(/^s3move: every object of s3:\/\/src would be deleted, and there is no terminal.*\n.*--yes/)
    expect(refusal(await run(args(server, 's3://src/a\n'), { cwd }))).toContain(
      'that is s3://src/a\\n or in the folder of that name would',
    )
    expect(server.stats().requests).toBe(0)
  })

  test('--dry-run says how many objects, how many bytes and how many requests', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2500:size=10'] })
    const { code, stdout } = await run(args(server, 's3://src', '--dry-run'), { cwd })
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(
        'would delete 2,500 objects, 24.4 KiB, in s3://src/\nrequests     3 DeleteObjects',
      ) as string,
    ])
    const told = await run(args(server, 's3://src', '--dry-run', '--json', '-v'), { cwd })
    const lines = told.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.at(-1)).toMatchObject({
      type: 'plan',
      totals: { deleted: 2500, deletedBytes: 25_000 },
      requests: { DeleteObjects: 3 },
    })
    expect(lines.filter(({ type }) => type === 'would-delete').length).toBe(2500)
    expect([requests(server), (await contentOf(server, 'src')).size]).toEqual([0, 2500])
  })

  test('what may not be deleted is in the ledger, and is tried again', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:700:denied=7'] })
    const { code, stderr } = await run(args(server, 's3://src', '--yes'), { cwd })
    expect([code, stderr]).toEqual([3, expect.stringMatching(/objects deleted, none skipped, \d+ failed/) as string])
    const left = [...(await contentOf(server, 'src')).keys()]
    const ledger = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
    const lines = ledger
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.map(({ key }) => key).sort()).toEqual(left)
    expect(lines[0]).toMatchObject({ operation: 'DeleteObjects', code: 'AccessDenied', attempts: 1 })
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(3)
    const told = JSON.parse((await run(['status', 'run', '--json'], { cwd })).stdout) as Record<string, unknown>
    expect(told).toMatchObject({
      done: 700,
      totals: { copied: 0, deleted: 700 - left.length, failed: { AccessDenied: left.length } },
    })
    expect((await run(['status', 'run'], { cwd })).stdout).toContain(`\n  deleted   ${700 - left.length} objects, `)
  })

  test.each([1, 2, 3])(
    'kill -9 at any point, round %i: a resume deletes the rest, and counts each once',
    async (round) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src:hex:12000'], latency: 'delete=20-60,list=5-20', seed: round })
      const running = start(args(server, 's3://src', '--yes', '--concurrency', '500', '--lanes', '4'), { cwd })
      await until(() => requests(server) >= round * 7, running)
      running.kill('SIGKILL')
      await running.finished
      const { code, stderr } = await run(['resume', 'run'], { cwd })
      expect(code).toBe(0)
      expect(stderr).toContain('resuming: deleting s3://src/')
      expect((await contentOf(server, 'src')).size).toBe(0)
      const { totals } = JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as {
        totals: { deleted: number }
      }
      // What was deleted and not yet saved is not listed any more.
      expect(totals.deleted).toBeLessThanOrEqual(12_000)
      expect(totals.deleted).toBeGreaterThan(12_000 - 4 * 1_500)
    },
  )

  test.each(['503', '500', 'reset', 'truncate'])('%s at a third of the deletions: all is deleted', async (fault) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:6000'], faults: [`${fault}=1/3@DeleteObjects`] })
    const { code, stderr } = await run(args(server, 's3://src', '--yes', '--concurrency', '400'), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('6,000 objects deleted') as string])
    expect((await contentOf(server, 'src')).size).toBe(0)
  })
})
