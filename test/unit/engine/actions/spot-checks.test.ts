import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../../../src/job/outcome.js'
import type { Notice } from '../../../../src/storage/notice.js'
import { StorageError, type Severity } from '../../../../src/errors.js'
import { mostChecks, SpotChecks } from '../../../../src/engine/actions/spot-checks.js'
import type { WorkItem } from '../../../../src/sources/work-source.js'

const object: WorkItem = {
  key: 'k',
  size: 1,
  etag: 'e',
  lastModified: '2024-01-01T00:00:00Z',
  storageClass: 'STANDARD',
}
const NAMED = { prefix: 'p/', object, host: 'store.invalid', url: 's3://b/k' }
const COPIED: Outcome = { kind: 'copied', etag: 'e' }
const LOST = { property: 'lock', asked: 'a legal hold', there: 'none' }
const UNTOLD = { property: 'encryption', asked: 'AES256', there: undefined }

function checks(strict = false) {
  const notices: Notice[] = []
  const ends: unknown[] = []
  const all = new SpotChecks({
    strict,
    notice: (notice) => void notices.push(notice),
    fail: (error) => void ends.push(error),
  })
  return { all, notices, ends }
}

describe('of what a thread writes', () => {
  test.each([
    [1, 25_000],
    [4, 40_000],
    [16, 10_050],
    [64, 3],
    [1, 2],
  ])(
    '%i lanes that write %i objects look at the first, the first of each lane, and every 10,000th',
    (count, written) => {
      const { all } = checks()
      const lanes = Array.from({ length: count }, () => all.lane())
      let looks = 0
      for (let index = 0; index < written; index++) if (lanes[index % count]!.isDue(object)) looks++
      expect(looks).toBe(Math.min(written, Math.max(3, Math.min(count, written))) + Math.floor(written / 10_000))
      expect(looks).toBeLessThanOrEqual(mostChecks(written, { lanes: count, threads: 1 }))
    },
  )

  test('what failed before is looked at where a loss is a failure', () => {
    for (const strict of [true, false]) {
      const lane = checks(strict).all.lane()
      for (let index = 0; index < 3; index++) lane.isDue(object)
      expect([lane.isDue(object), lane.isDue({ ...object, failedIn: 'HeadObject' })]).toEqual([false, strict])
    }
  })

  test('the next is looked at where somebody wrote to one, or a look failed, but not for ever', async () => {
    const { all } = checks()
    const lane = all.lane()
    let looks = 0
    for (let index = 0; index < 100; index++) {
      if (!lane.isDue(object)) continue
      looks++
      expect(await lane.outcome(COPIED, NAMED, () => Promise.resolve(undefined))).toBe(COPIED)
    }
    expect(looks).toBeLessThanOrEqual(6)
  })
})

describe('a look', () => {
  test('tells what is not kept, and what nobody tells, each by name', async () => {
    const { all, notices, ends } = checks()
    expect(await all.lane().outcome(COPIED, NAMED, () => Promise.resolve([LOST, UNTOLD]))).toBe(COPIED)
    expect(notices.map(({ kind }) => kind)).toEqual(['not-told encryption', 'not-kept lock'])
    expect(notices[1]?.message).toContain(
      'store.invalid has not kept what was asked for: lock of s3://b/k: a legal hold',
    )
    expect(ends).toEqual([])
  })

  test('makes of what is not kept a failure and the end where that is wanted, and of what nobody tells neither', async () => {
    const { all, ends } = checks(true)
    const lane = all.lane()
    expect(await lane.outcome(COPIED, NAMED, () => Promise.resolve([UNTOLD]))).toBe(COPIED)
    expect(ends).toEqual([])
    const outcome = await lane.outcome(COPIED, NAMED, () => Promise.resolve([LOST, UNTOLD]))
    expect(outcome).toMatchObject({ kind: 'failed', failure: { key: 'p/k', code: 'AttributesNotKept' } })
    expect(ends).toEqual([expect.objectContaining({ message: expect.stringContaining('s3://b/k') as string })])
  })

  test.each<[boolean, Severity, Outcome | undefined, number]>([
    [false, 'fail-object', COPIED, 1],
    [false, 'stop-run', COPIED, 1],
    [true, 'stop-run', COPIED, 1],
    [false, 'retry', COPIED, 0],
    // The run is ending: the object is done again.
    [true, 'retry', undefined, 0],
  ])('that fails (strict: %s, %s) is no failure of the object', async (strict, severity, outcome, told) => {
    const { all, notices, ends } = checks(strict)
    const error = new StorageError('', { severity, code: 'AccessDenied', operation: 'HeadObject', bucket: 'b' })
    expect(await all.lane().outcome(COPIED, NAMED, () => Promise.reject(error))).toBe(outcome)
    expect([notices.length, ends]).toEqual([told, []])
  })
})
