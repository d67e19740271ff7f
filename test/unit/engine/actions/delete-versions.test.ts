import { DeleteObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { deleteVersionsAction } from '../../../../src/engine/actions/versions.js'
import { StorageError } from '../../../../src/errors.js'
import type { Removal, Storage } from '../../../../src/storage/storage.js'
import type { ObjectVersions } from '../../../../src/sources/version-listing.js'
import { contentOf, put, sandbox, type TestSandbox } from '../../../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../../../support/cli-program.js'

const ids = (count: number) => Array.from({ length: count }, (_, index) => `v${count - index}`)

const history = (count: number): ObjectVersions => {
  const shown = { key: 'k', etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD', size: 1 }
  const version = (id: string, at: number) => ({ ...shown, version: id, latest: at === 0, deleteMarker: at === 0 })
  return { ...shown, size: count, history: ids(count).map(version) }
}

describe('an object with all of its versions', () => {
  const job = { kind: 'delete', source: { bucket: 'b', prefix: 'p/' }, versions: true } as const

  test('loses the newest last, so that nothing old comes back meanwhile', async () => {
    const asked: string[][] = []
    const remove = (objects: readonly Removal[]) => {
      asked.push(objects.map(({ version = '' }) => version))
      return Promise.resolve(objects.map(() => undefined))
    }
    const act = deleteVersionsAction(job, { place: job.source, removing: { remove } } as unknown as Storage)
    expect(await act(history(3))).toEqual({ kind: 'deleted' })
    expect(asked).toEqual([['v2', 'v1'], ['v3']])
  })

  test('keeps the newest when another cannot be deleted, and the failure names that', async () => {
    const asked: string[] = []
    const remove = (objects: readonly Removal[]) => {
      asked.push(...objects.map(({ version = '' }) => version))
      const locked = { severity: 'fail-object', code: 'AccessDenied', operation: 'DeleteObjects', bucket: 'b' } as const
      return Promise.resolve(
        objects.map(({ version }) => (version === 'v2' ? new StorageError('locked', locked) : undefined)),
      )
    }
    const act = deleteVersionsAction(job, { place: job.source, removing: { remove } } as unknown as Storage)
    expect(await act(history(3))).toMatchObject({
      kind: 'failed',
      failure: { key: 'p/k', code: 'AccessDenied', message: 'version v2: locked' },
    })
    expect(asked).toEqual(['v2', 'v1'])
  })
})

const args = (server: TestSandbox, place: string, ...more: string[]) => [
  ...['delete', place, '--all-versions', '--endpoint-url', server.url, '--checkpoint', 'run', ...more],
]

async function versionsOf({ s3 }: TestSandbox, Bucket: string): Promise<[string, string][]> {
  const found: [string, string][] = []
  let from: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}
  for (;;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, ...from }))
    for (const { Key = '' } of page.Versions ?? []) found.push([Key, 'version'])
    for (const { Key = '' } of page.DeleteMarkers ?? []) found.push([Key, 'marker'])
    if (page.IsTruncated !== true) return found
    from = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
  }
}

/** Writes and deletes objects: two versions each and, of every third, a delete marker. */
async function fill(server: TestSandbox, keys: readonly string[]): Promise<void> {
  const one = async (key: string, index: number): Promise<void> => {
    for (const Body of ['old', 'newer']) await put(server, 'kept', key, { Body })
    if (index % 3 === 0) await server.s3.send(new DeleteObjectCommand({ Bucket: 'kept', Key: key }))
  }
  for (let at = 0; at < keys.length; at += 50) {
    await Promise.all(keys.slice(at, at + 50).map((key, index) => one(key, at + index)))
  }
}

describe('s3move delete --all-versions', () => {
  test('leaves nothing of what is below the prefix, deleted objects too, and all else as it is', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['kept:versioned'] })
    await fill(server, ['in/a', 'in/b & c', 'in/é+%', 'other/a'])
    const dry = await run(args(server, 's3://kept/in/', '--dry-run'), { cwd })
    expect(dry.stdout).toMatch(
      /^would delete 3 objects, 24 B, in s3:\/\/kept\/in\/\nversions {5}7 in all, delete markers/m,
    )
    expect(dry.stdout).toMatch(
      /1 DeleteObjects, about 1 ListObjectVersions after them; as in this dry run, .*about 1 ListObjectVersions/,
    )
    expect(await versionsOf(server, 'kept')).toHaveLength(10)
    const { code, stderr } = await run(args(server, 's3://kept/in/', '--yes'), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('3 objects deleted, none skipped, none failed')])
    expect((await versionsOf(server, 'kept')).map(([key]) => key)).toEqual(['other/a', 'other/a', 'other/a'])
  })

  test('asks as delete does, and its filters hold', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['kept:versioned'] })
    expect(refusal(await run(args(server, 's3://kept'), { cwd }))).toContain('--yes')
    await fill(server, ['a.jpg', 'b.txt', 'c.jpg'])
    const { code, stderr } = await run(args(server, 's3://kept', '--yes', '--exclude', '*.txt'), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects deleted, 1 skipped, none failed')])
    expect((await versionsOf(server, 'kept')).map(([key]) => key)).toEqual(['b.txt', 'b.txt'])
  })

  test('works in a bucket without versions', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['plain'] })
    for (const key of ['a', 'b']) await put(server, 'plain', key, { Body: key })
    const { code, stderr } = await run(args(server, 's3://plain', '--yes'), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects deleted')])
    expect((await contentOf(server, 'plain')).size).toBe(0)
  })

  test('killed with -9 again and again and resumed: nothing is left, and nothing failed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['kept:versioned'], latency: 'delete=20-60,list=5-20' })
    const keys = Array.from({ length: 3000 }, (_, index) => `k/${String(index).padStart(6, '0')}`)
    await fill(server, keys)
    const pace = ['--concurrency', '200', '--lanes', '4']
    let argv = args(server, 's3://kept', '--yes', ...pace)
    const requests = (): number => server.stats().byOperation.DeleteObjects ?? 0
    for (let kills = 0; kills < 2; kills++) {
      const before = requests()
      const running = start(argv, { cwd })
      await until(() => requests() >= before + 5, running)
      running.kill('SIGKILL')
      await running.finished
      await until(() => server.stats().inFlight.now === 0)
      argv = ['resume', 'run', ...pace]
    }
    expect((await versionsOf(server, 'kept')).length).toBeGreaterThan(0)
    const { code, stderr } = await run(argv, { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('none skipped, none failed')])
    expect(await versionsOf(server, 'kept')).toEqual([])
    const checkpoint = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')
    const { totals } = JSON.parse(checkpoint) as { totals: { deleted: number } }
    expect(totals.deleted).toBeLessThanOrEqual(3000)
  })
})
