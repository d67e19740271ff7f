import { describe, expect, test } from 'vitest'
import { failed } from '../src/engine/act.js'
import { actOf } from '../src/engine/acts.js'
import { StorageError } from '../src/errors.js'
import type { CopyJob } from '../src/job.js'
import type { CopyWish, HeaderFields, ObjectSummary, Storage } from '../src/storage/storage.js'
import { contentOf, put, sandbox, type TestSandbox } from './cli-buckets.js'
import { run, workFolder } from './cli-program.js'

const OBJECT: ObjectSummary = {
  ...{ key: 'k', size: 5, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD_IA' },
}
const JOB: CopyJob = {
  ...{ kind: 'copy', noClobber: true, source: { bucket: 'a', prefix: '' }, destination: { bucket: 'b', prefix: '' } },
}

const problem = (code: string, operation: string) =>
  new StorageError(code, { severity: 'fail-object', code, operation, bucket: 'b', key: 'k' })

describe('a copy that replaces nothing, where the store honours the condition', () => {
  const storeOf = (copyFrom: NonNullable<Storage['copyFrom']>, uploading?: Storage['uploading']) =>
    ({
      ...{ place: JOB.destination, conditional: true, copyFrom, uploading },
      reading: { head: () => Promise.reject(new Error('it needs no look')) },
    }) as unknown as Storage
  const act = (destination: Storage) => actOf(JOB, { source: destination, destination, through: false })(OBJECT)

  test('carries it, with all that is sent anyway, and is passed over when it is refused', async () => {
    const wishes: (CopyWish | undefined)[] = []
    const written = storeOf((_source, _object, wish) => {
      wishes.push(wish)
      return Promise.resolve('copied')
    })
    expect(await act(written)).toEqual({ kind: 'copied', etag: 'copied' })
    expect(wishes).toEqual([
      {
        fields: [
          ['x-amz-storage-class', 'STANDARD_IA'],
          ['if-none-match', '*'],
        ],
      },
    ])
    const refused = storeOf(() => Promise.reject(problem('PreconditionFailed', 'CopyObject')))
    expect(await act(refused)).toEqual({ kind: 'skipped', reason: 'exists' })
  })

  test('with a condition on the source beside it, a look tells which of them failed', async () => {
    const both = (head: Promise<unknown>) => {
      const copyFrom = () => Promise.reject(problem('PreconditionFailed', 'CopyObject'))
      const destination = { ...storeOf(copyFrom), reading: { head: () => head } } as unknown as Storage
      const copy = unlessExisting(
        ({ destination: within }) =>
          async (object) => {
            const fields = [['x-amz-copy-source-if-match', '"e"']] as const
            const error: unknown = await within.copyFrom!(within, object, { fields }).catch((thrown: unknown) => thrown)
            return failed('', object, error as StorageError)
          },
        '',
        { source: destination, destination, through: false },
      )
      return copy(OBJECT)
    }
    expect(await both(Promise.resolve({}))).toEqual({ kind: 'skipped', reason: 'exists' })
    const gone = new StorageError('', { severity: 'skip', code: 'NoSuchKey', operation: 'HeadObject', bucket: 'b' })
    const outcome = await both(Promise.reject(gone))
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'PreconditionFailed' } })
  })

  test('what is made of parts carries it where these are put in its place', async () => {
    const completed: HeaderFields[] = []
    const uploading = {
      complete: (_key: string, _upload: string, _parts: unknown, fields: HeaderFields) => {
        completed.push(fields)
        return Promise.resolve('e')
      },
    } as unknown as Storage['uploading']
    const destination = storeOf(() => Promise.resolve('e'), uploading)
    const ways = { source: destination, destination, through: false }
    const inParts = unlessExisting(
      (within) => async () => {
        await within.destination.uploading!.complete('k', 'u', [], [['x', 'y']])
        return { kind: 'copied' }
      },
      '',
      ways,
    )
    expect(await inParts(OBJECT)).toEqual({ kind: 'copied' })
    expect(completed).toEqual([
      [
        ['x', 'y'],
        ['if-none-match', '*'],
      ],
    ])
  })
})

describe('s3move copy --no-clobber', () => {
  const args = (server: TestSandbox, ...more: string[]) =>
    [
      'copy',
      's3://src',
      's3://dst',
      '--no-clobber',
      '--endpoint-url',
      server.url,
      '--checkpoint',
      'run',
      ...more,
    ] as const

  test('copies what is missing, and leaves what is there, whatever it is', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['new', 'there', 'odd\n']) await put(server, 'src', key, { Body: `${key} of the source` })
    await put(server, 'dst', 'there', { Body: 'mine' })
    await put(server, 'dst', 'odd\n', { Body: 'mine too' })
    const dry = await run(args(server, '--dry-run'), { cwd })
    expect(dry.stdout).toMatch(/would copy {3}1 object, .*\nwould skip {3}2 exists at the destination\n/)
    const { code, stderr } = await run(args(server), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 object copied, 2 skipped, none failed') as string])
    expect(stderr).toContain('2 exists at the destination')
    const sizes = [...(await contentOf(server, 'dst'))].map(([key, { size }]) => [key, size])
    expect(sizes).toEqual([
      ['new', 17],
      ['odd\n', 8],
      ['there', 4],
    ])
    // Only what was missing was asked to be copied, and the probe.
    expect(server.stats().byOperation.CopyObject).toBe(2)
  })
})
