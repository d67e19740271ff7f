import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failed } from '../../../../src/engine/actions/outcome.js'
import { withArchiveHandling } from '../../../../src/engine/actions/archived.js'
import { StorageError } from '../../../../src/errors.js'
import type { CopyJob } from '../../../../src/job/copy.js'
import type { Outcome } from '../../../../src/job/outcome.js'
import type { Restore } from '../../../../src/job/transfer.js'
import type { ObjectSummary, Storage } from '../../../../src/storage/storage.js'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../../../support/cli-buckets.js'
import { front } from '../../../support/cli-front.js'
import { refusal, run, start, until, workFolder } from '../../../support/cli-program.js'

const JOB: CopyJob = {
  ...{ kind: 'copy', source: { bucket: 'src', prefix: 'p/' }, destination: { bucket: 'dst', prefix: '' } },
}
const objectOf = (storageClass: string): ObjectSummary => ({
  ...{ key: 'k', size: 5, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass },
})

/** What becomes of an object whose copy comes to `code`, and what its store was asked. */
async function done(code: string, restore?: Restore, storageClass = 'GLACIER', refuse?: StorageError, begins = true) {
  const object = objectOf(storageClass)
  const asked: unknown[] = []
  const restoring: Storage['restoring'] = {
    restore: (...given) => {
      asked.push(given)
      return refuse === undefined ? Promise.resolve(begins) : Promise.reject(refuse)
    },
  }
  const outcome: Outcome = failed('p/', object, { code, message: 'refused', attempts: 1 })
  const job = restore === undefined ? JOB : { ...JOB, restore }
  const act = withArchiveHandling(job, { source: { restoring } as Storage, destination: {} as Storage }, () =>
    Promise.resolve(outcome),
  )
  return { outcome: await act(object), asked }
}

describe('an object whose copy is refused because it is archived', () => {
  const week: Restore = { days: 7, tier: 'bulk' }

  test.each(['InvalidObjectState', 'ObjectNotInActiveTierError'])('is passed over (%s)', async (code) => {
    expect(await done(code)).toEqual({ outcome: { kind: 'skipped', reason: 'archived' }, asked: [] })
  })

  test('is asked to be restored where that is wanted, and is a failure to be tried again', async () => {
    const { outcome, asked } = await done('InvalidObjectState', week)
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { key: 'p/k', code: 'RestoreRequested', operation: 'RestoreObject', storageClass: 'GLACIER' },
    })
    expect(asked).toEqual([['k', { days: 7, tier: 'bulk' }, undefined]])
  })

  test('is told as restored once: one that is being restored already, or that is back, is billed by no one', async () => {
    expect((await done('InvalidObjectState', week)).outcome).toHaveProperty('restoring', true)
    const { outcome } = await done('InvalidObjectState', week, 'GLACIER', undefined, false)
    expect(outcome).not.toHaveProperty('restoring')
  })

  test('of an archive tier of INTELLIGENT_TIERING it comes back for good, so no days are asked for', async () => {
    const { asked } = await done('InvalidObjectState', week, 'INTELLIGENT_TIERING')
    expect(asked).toEqual([['k', { days: undefined, tier: 'bulk' }, undefined]])
  })

  test.each([
    [501, 'NotImplemented'],
    [405, 'MethodNotAllowed'],
  ])('fails by name in a store that restores nothing (%i %s)', async (status, code) => {
    const details = { severity: 'fail-object', code, status, operation: 'RestoreObject', bucket: 'src' } as const
    const { outcome } = await done('InvalidObjectState', week, 'GLACIER', new StorageError('no', details))
    const message = expect.stringContaining(`cannot restore it (RestoreObject: ${status} ${code})`) as string
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'RestoreNotSupported', status, message } })
  })

  test('fails with what S3 says when it may not be restored; what failed otherwise stays as it is', async () => {
    const denied = new StorageError('no', {
      ...{ severity: 'fail-object', code: 'AccessDenied', operation: 'RestoreObject', bucket: 'src', key: 'p/k' },
    })
    const { outcome } = await done('InvalidObjectState', week, 'GLACIER', denied)
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'AccessDenied', operation: 'RestoreObject' } })
    const other = await done('AccessDenied', week)
    expect([other.outcome, other.asked]).toMatchObject([{ failure: { code: 'AccessDenied' } }, []])
  })
})

interface Saved {
  readonly totals: { readonly copied: number; readonly skipped: object; readonly failed: object }
}

const args = (command: string, server: TestSandbox, ...more: string[]) => [
  ...[command, 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run', ...more],
  ...(command === 'move' ? ['--yes'] : []),
]

const totals = async (cwd: string) =>
  (JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as Saved).totals

const restores = (server: TestSandbox): number => server.stats().byOperation.RestoreObject ?? 0

const archivedOf = async (server: TestSandbox) =>
  [...(await contentOf(server, 'src'))].filter(([, { storageClass }]) => storageClass === 'GLACIER').length

/** Nothing is being restored any more. */
async function allRestored({ s3 }: TestSandbox): Promise<boolean> {
  for (let StartAfter: string | undefined; ;) {
    const { Contents = [], IsTruncated } = await s3.send(
      new ListObjectsV2Command({ Bucket: 'src', StartAfter, OptionalObjectAttributes: ['RestoreStatus'] }),
    )
    if (Contents.some(({ RestoreStatus }) => RestoreStatus?.IsRestoreInProgress === true)) return false
    if (IsTruncated !== true) return true
    StartAfter = Contents.at(-1)!.Key
  }
}

describe('archived objects', () => {
  test.each(['copy', 'sync', 'move'])('s3move %s skips and counts them, and does all others', async (command) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['a', 'b', 'c']) await put(server, 'src', key, { Body: key })
    await put(server, 'src', 'frozen', { Body: 'cold', StorageClass: 'GLACIER' })
    const dry = await run(args(command, server, '--dry-run'), { cwd })
    expect(dry.stdout).toMatch(/^archived {5}1 of them by their storage class: skipped, unless restored by now$/m)
    const { code, stderr } = await run(args(command, server), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/finished: 3 objects (copied|moved), 1 skipped/)])
    expect(stderr).toContain('1 archived, to be restored first')
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['a', 'b', 'c'])
    if (command === 'move') expect([...(await contentOf(server, 'src')).keys()]).toEqual(['frozen'])
    expect(restores(server)).toBe(0)
  })

  test.each(['copy', 'sync', 'move'])('s3move %s --restore has them restored, and does them later', async (command) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'a', { Body: 'a' })
    await put(server, 'src', 'frozen', { Body: 'cold', StorageClass: 'GLACIER' })
    const before = await contentOf(server, 'src')
    const { code, stderr } = await run(args(command, server, '--restore', '3:bulk'), { cwd })
    expect([code, stderr]).toEqual([3, expect.stringMatching(/1 object (copied|moved), none skipped, 1 failed/)])
    expect(stderr).toMatch(/^ {2}restoring 1 object: S3 brings them back within 5 to 12 hours, .*resume --only-failed/m)
    const again = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('none failed')])
    expectSame(await contentOf(server, 'dst'), before)
    if (command === 'move') expect((await contentOf(server, 'src')).size).toBe(0)
    expect(restores(server)).toBe(1)
  })

  test('over 5 GiB are restored and copied just so', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:4:big=2,glacier=1', 'dst'] })
    expect((await run(args('copy', server, '--restore', '1'), { cwd })).code).toBe(3)
    expect(await totals(cwd)).toMatchObject({ copied: 0, failed: { RestoreRequested: 4 } })
    const again = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('4 objects copied, none skipped')])
    expect(restores(server)).toBe(4)
  })

  test('are no reason to stop, however many they are, and stay in the ledger until they are restored', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:1500:glacier=1', 'dst'], restoreSeconds: 100_000 })
    const { code, stderr } = await run(args('copy', server, '--restore', '1', '--max-errors', '0'), { cwd })
    expect([code, stderr]).toEqual([3, expect.stringContaining('finished with failures')])
    const again = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('restoring 1,500 objects')])
    expect(await totals(cwd)).toEqual({
      ...{ copied: 0, bytes: 0, skipped: {}, failed: { RestoreRequested: 1500 } },
      restoredByClass: { GLACIER: { objects: 1500, bytes: expect.any(Number) as number } },
    })
  })

  test('killed with -9 while they are asked for and again while they are copied: every object is copied once', async () => {
    const cwd = await workFolder()
    const server = await sandbox({
      buckets: ['src:hex:3000:glacier=3', 'dst'],
      latency: 'copy=4-10',
      restoreSeconds: 1,
    })
    const archived = await archivedOf(server)
    expect(archived).toBeGreaterThan(500)
    const quiet = () => until(() => server.stats().inFlight.now === 0)
    const copied = () => server.stats().copies.dst?.unique ?? 0
    const few = ['--concurrency', '16', '--lanes', '4']
    const first = start(args('copy', server, '--restore', '1', ...few), { cwd })
    await until(() => restores(server) >= 300, first)
    first.kill('SIGKILL')
    await first.finished
    await quiet()
    const second = await run(['resume', 'run', ...few], { cwd })
    // What was restored meanwhile may have been copied at once.
    expect([second.code, second.stderr]).toEqual([3, expect.stringMatching(/^ {2}restoring /m)])
    await until(() => allRestored(server))
    const third = start(['resume', '--only-failed', 'run', ...few], { cwd })
    const before = copied()
    await until(() => copied() >= before + 100, third)
    third.kill('SIGKILL')
    await third.finished
    await quiet()
    const last = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([last.code, last.stderr]).toEqual([0, expect.stringContaining('3,000 objects copied, none skipped')])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test.each(['0', 'x', '7:fast', '7:', ':bulk', '-1', '1.5'])('--restore %s is refused', async (given) => {
    const cwd = await workFolder()
    const said = refusal(await run(['copy', 's3://src', 's3://dst', `--restore=${given}`], { cwd }))
    expect(said).toContain('standard, bulk, expedited')
  })

  test('--restore does not go with --all-versions', async () => {
    const cwd = await workFolder()
    const flags = ['--restore', '7', '--all-versions']
    expect(refusal(await run(['copy', 's3://src', 's3://dst', ...flags], { cwd }))).toContain('restore')
  })
})

describe('a class of an archive that is only a name', () => {
  /** A store that says GLACIER or DEEP_ARCHIVE of its objects, reads them like any other, and restores none. */
  const named = (server: TestSandbox) =>
    front(server.url, {
      before(request, response) {
        if (!/[?&]restore/.test(request.url ?? '')) return false
        response.writeHead(501).end('<Error><Code>NotImplemented</Code><Message></Message></Error>')
        return true
      },
      after(request, answered) {
        const storageClass = /deep/.test(request.url ?? '') ? 'DEEP_ARCHIVE' : 'GLACIER'
        if (request.method === 'HEAD') answered.headers['x-amz-storage-class'] = storageClass
        if (!/list-type=2/.test(request.url ?? '')) return
        const text = answered.body.toString().replace(/(<StorageClass>)[^<]*/g, '$1GLACIER')
        answered.body = Buffer.from(text)
        answered.headers['content-length'] = String(answered.body.length)
      },
    })

  test.each([
    ['set-headers', ['--cache-control', 'no-cache', '--reset-acl']],
    ['copy', ['s3://dst', '--storage-class', 'STANDARD', '--restore', '3']],
    ['sync', ['s3://dst', '--storage-class', 'STANDARD']],
    ['move', ['s3://dst', '--yes', '--storage-class', 'STANDARD']],
  ])('leaves no object out of %s', async (command, flags) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['cold', 'deep']) await put(server, 'src', key, { Body: key })
    const where = ['--endpoint-url', await named(server), '--retry-for', '5s']
    const { code, stderr } = await run([command, 's3://src', ...flags, ...where], { cwd })
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('none skipped, none failed')
    const there = command === 'set-headers' ? 'src' : 'dst'
    expect([...(await contentOf(server, there)).keys()]).toEqual(['cold', 'deep'])
    if (command !== 'set-headers') return
    for (const key of ['cold', 'deep']) {
      const told = await fetch(`${server.url}/src/${key}`, { method: 'HEAD' })
      expect(told.headers.get('cache-control')).toBe('no-cache')
    }
  })

  test('is skipped by set-headers where it is more than that: the store refuses to read it', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    await put(server, 'src', 'warm', { Body: 'warm' })
    await put(server, 'src', 'frozen', { Body: 'cold', StorageClass: 'DEEP_ARCHIVE' })
    const flags = ['--cache-control', 'no-cache', '--reset-acl', '--endpoint-url', server.url]
    const { code, stderr } = await run(['set-headers', 's3://src', ...flags], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 archived, to be restored first')])
  })
})
