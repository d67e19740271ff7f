import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exceptParts, FEW_ATTEMPTS, TRIED_LATER, UnlikeOthers } from '../../../src/storage/set-aside.js'

const COPY = 'CopyObject'

/** A store of which `succeeded` and `failed` others are heard while one copy goes on failing. */
function beside(succeeded: number, failed: number) {
  const others = new UnlikeOthers(TRIED_LATER)
  const trouble = others.failing(COPY)
  for (let i = 0; i < succeeded; i++) others.succeeded(COPY)
  for (let i = 0; i < failed; i++) others.failing(COPY)
  return trouble
}

const counts = fc.integer({ min: 0, max: 400 })

describe('an operation that goes on failing', () => {
  test('is never set aside when no other succeeds, however many fail and however long it takes', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 1_000 }), fc.nat(10 ** 7), (failed, attempts, elapsed) => {
        expect(beside(0, failed).isSetAside(attempts, elapsed)).toBe(false)
      }),
    )
  })

  test('is set aside after four attempts, or two that took three seconds, when all others succeed', () => {
    const trouble = beside(100, 0)
    expect([1, 2, 3, 4, 5].map((attempts) => trouble.isSetAside(attempts, 0))).toEqual([
      ...[false, false, false, true, true],
    ])
    expect([1, 2].map((attempts) => trouble.isSetAside(attempts, 3_000))).toEqual([false, true])
  })

  test('takes the more attempts the more of the others fail, and comes to it whatever that part is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), counts, counts, (succeeded, failed, more) => {
        const attempts = (trouble: ReturnType<typeof beside>): number => {
          for (let n = 1; ; n++) if (trouble.isSetAside(n, 0)) return n
        }
        const [few, many] = [attempts(beside(succeeded, failed)), attempts(beside(succeeded, failed + more))]
        expect(many).toBeGreaterThanOrEqual(few)
        // By chance it would fail so often once in a hundred times, at most.
        expect(((failed + 1) / (succeeded + failed + 1)) ** few).toBeLessThan(0.01)
      }),
    )
  })

  test('is compared with its own kind only: that listings succeed tells nothing of copies', () => {
    const others = new UnlikeOthers(TRIED_LATER)
    const trouble = others.failing(COPY)
    others.succeeded('ListObjectsV2', 1_000)
    expect(trouble.isSetAside(50, 0)).toBe(false)
    others.succeeded(COPY, 1_000)
    expect(trouble.isSetAside(50, 0)).toBe(true)
  })

  test('is compared with what came after its first failure: a store that has gone away since is waited for', () => {
    const others = new UnlikeOthers(TRIED_LATER)
    others.succeeded(COPY, 1_000_000)
    const trouble = others.failing(COPY)
    for (let i = 0; i < 255; i++) others.failing(COPY)
    expect(trouble.isSetAside(40, 600_000)).toBe(false)
  })

  test('that is refused (503) asks for fewer requests only as long as others are refused as well', () => {
    expect(beside(100, 0).isAlone(1)).toBe(false)
    expect(beside(100, 0).isAlone(2)).toBe(true)
    expect(beside(10, 100).isAlone(5)).toBe(false)
  })
})

describe('what was set aside', () => {
  test('is tried three times in a turn, but for the parts of objects', () => {
    for (const operation of [COPY, 'HeadObject']) {
      const trouble = FEW_ATTEMPTS.failing(operation)
      expect([1, 2, 3].map((attempts) => trouble?.isSetAside(attempts, 0))).toEqual([false, false, true])
    }
    for (const operation of ['UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload']) {
      expect(FEW_ATTEMPTS.failing(operation)).toBeUndefined()
      expect(exceptParts(new UnlikeOthers(TRIED_LATER)).failing(operation)).toBeUndefined()
    }
    const others = new UnlikeOthers(TRIED_LATER)
    const trouble = exceptParts(others).failing('CreateMultipartUpload')
    exceptParts(others).succeeded('CreateMultipartUpload', 100)
    expect(trouble?.isSetAside(4, 0)).toBe(true)
  })
})
