import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf, ledgerOf } from '../support/batch-runs.js'
import { contentOf, expectSame, put, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, workFolder } from '../support/cli-program.js'
import { CONFIGURATION, deliver } from '../support/delivered-inventory.js'
import { md5 } from '../support/inventory.js'
import { killedAgain, randomOf, requestsOf } from '../support/kills.js'

const FROM = ['--files-from', `s3://inv/${CONFIGURATION}`]
const keysIn = async (server: TestSandbox, bucket: string) => [...(await contentOf(server, bucket)).keys()]
const containing = (text: string): unknown => expect.stringContaining(text)

/** A bucket, and an inventory of it that is older than it is. */
async function filled(format: 'Parquet' | 'CSV'): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst', 'own', 'inv'] })
  const keys = ['in/a', 'in/ü %', 'in/line\nfeed', 'out']
  for (const key of keys) await put(server, 'src', key, { Body: key, CacheControl: 'no-store', Tagging: 'a=b' })
  const rows = [...keys, 'in/gone'].map((key) => ({ key, size: Buffer.byteLength(key), etag: md5(key) }))
  await deliver(server, rows, { format, perFile: 2 })
  await put(server, 'src', 'in/new', { Body: 'new' })
  return server
}

describe('s3move batch by an S3 Inventory', () => {
  test.each(['Parquet', 'CSV'] as const)(
    'of %s copies what that names below the source without a listing, and what is gone is in the ledger',
    async (format) => {
      const cwd = await workFolder()
      const server = await filled(format)
      const lists = server.stats().byOperation.ListObjectsV2 ?? 0
      const args = ['batch', 'copy', 's3://src/in/', 's3://dst/in/', ...ASKED, ...FROM, '--yes']
      const end = await run([...args, '--endpoint-url', server.url], { cwd })
      expect([end.code, end.stderr]).toEqual([3, containing('3 objects copied, none skipped, 1 failed')])
      expect(end.stderr).toContain('passed over: 1 key that is not below the source')
      expect(end.stderr).toContain('the inventory does not know what was written')
      expect(await ledgerOf(cwd)).toEqual([expect.objectContaining({ key: 'in/gone', code: 'NoSuchKey' })])
      expect(await keysIn(server, 'dst')).toEqual(['in/a', 'in/line\nfeed', 'in/ü %'])
      expect(await traitsOf(server, 'dst', 'in/a')).toMatchObject({ CacheControl: 'no-store' })
      // Whether the buckets may be listed and what is in the way is asked as always.
      expect((server.stats().byOperation.ListObjectsV2 ?? 0) - lists).toBeLessThan(8)
      const again = await run(['resume', '--only-failed', 'run'], { cwd })
      expect([again.code, (await ledgerOf(cwd)).length]).toEqual([3, 1])
    },
  )

  test('sets headers and tags of what that names', async () => {
    const cwd = await workFolder()
    const server = await filled('Parquet')
    const at = ['--endpoint-url', server.url]
    const tags = ['batch', 'set-tags', 's3://src/in/', '--tagging', 'team=web', ...ASKED, ...FROM, '--yes', ...at]
    expect((await run(tags, { cwd })).code).toBe(3)
    expect(await jobsOf(server)).toEqual(['Complete'])
    expect(await traitsOf(server, 'src', 'in/a')).toMatchObject({ tags: [{ Key: 'team', Value: 'web' }] })
    expect(await traitsOf(server, 'src', 'out')).toMatchObject({ tags: [{ Key: 'a', Value: 'b' }] })
    const asked = ASKED.map((word) => (word === 'run' ? 'headers' : word))
    const headers = ['batch', 'set-headers', 's3://src/in/', '--cache-control', 'x', ...asked, ...FROM, '--yes', ...at]
    const end = await run(headers, { cwd })
    expect([end.code, end.stderr]).toEqual([0, containing('3 objects rewritten')])
    expect(await traitsOf(server, 'src', 'in/a')).toMatchObject({ CacheControl: 'x' })
    expect(await traitsOf(server, 'src', 'in/new')).not.toHaveProperty('CacheControl')
  })

  test('a rehearsal counts what that names, and leaves nothing behind', async () => {
    const cwd = await workFolder()
    const server = await filled('CSV')
    const args = ['batch', 'copy', 's3://src/in/', 's3://dst/in/', ...ASKED.slice(0, -2), ...FROM, '--dry-run']
    const end = await run([...args, '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stderr]).toEqual([0, containing('4 objects for one job')])
    expect((await keysIn(server, 'own')).length + (await keysIn(server, 'dst')).length).toBe(0)
  })

  test.each([1, 2])(
    'killed at random moments, with seed %i: no job twice, no object twice, none lost',
    async (seed) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src:hex:2500', 'dst', 'own', 'inv'], latency: 'other=1-5', seed })
      const rows = [...(await contentOf(server, 'src'))].map(([key, { size, etag }]) => ({
        ...{ key, size, etag: etag.replaceAll('"', '') },
      }))
      await deliver(server, rows, { perFile: 700 })
      const random = randomOf(seed)
      const args = ['batch', 'copy', 's3://src', 's3://dst', ...ASKED, ...FROM, '--yes', '--job-rows', '1000']
      const last = await killedAgain(args, {
        ...{ cwd, server, kills: 4 },
        counted: () => requestsOf(server),
        after: () => 4 + Math.floor(random() * 20),
      })
      const end = await run([...last, ...(last[0] === 'resume' ? [] : ['--endpoint-url', server.url])], { cwd })
      expect(end.stderr).toContain('2,500 objects copied, none skipped, none failed')
      expect(await jobsOf(server)).toEqual(['Complete', 'Complete', 'Complete'])
      expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
      expect(server.stats().copies.dst).toMatchObject({ total: 2500, unique: 2500 })
    },
  )

  test('a list that somebody made is refused before anything is asked', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own'] })
    await writeFile(join(cwd, 'keys'), 'a\n')
    const before = requestsOf(server)
    const args = ['batch', 'copy', 's3://src', 's3://dst', ...ASKED, '--files-from', 'keys', '--yes']
    expect(refusal(await run([...args, '--endpoint-url', server.url], { cwd }))).toContain(
      'batch takes the manifest of an S3 Inventory',
    )
    expect(requestsOf(server)).toBe(before)
  })
})
