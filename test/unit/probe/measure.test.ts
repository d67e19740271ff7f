import { expect, test } from 'vitest'
import { StorageError } from '../../../src/errors.js'
import { Allowance } from '../../../src/probe/allowance.js'
import { affordableOf, measured } from '../../../src/probe/measure.js'

const stop = new AbortController().signal
const answer = { firstByte: 1, whole: 2, bytes: 0 }

function options(more: Partial<Parameters<typeof measured>[1]> = {}) {
  return {
    ...{
      operation: 'CompleteMultipartUpload',
      samples: 10,
      atOnce: 4,
      time: 60_000,
      allowance: new Allowance(100),
      stop,
    },
    ...more,
  }
}

test('nothing is asked for twice, and nothing that is not there', async () => {
  const asked: number[] = []
  const allowance = new Allowance(100)
  const { times } = await measured(
    (at) => {
      asked.push(at)
      return Promise.resolve(answer)
    },
    options({ most: 6, allowance }),
  )
  expect(asked).toEqual([0, 1, 2, 3, 4, 5])
  // The first of each line is left out.
  expect(times).toHaveLength(2)
  expect(allowance.sent).toEqual({ CompleteMultipartUpload: 6 })
})

test('what all requests are refused for is told after few of them', async () => {
  const refused = { severity: 'fail-object', code: 'AccessDenied', operation: 'PutObject', bucket: 'b' } as const
  const { failed, firstError, times } = await measured(() => Promise.reject(new StorageError('no', refused)), options())
  expect([times, firstError?.code]).toEqual([[], 'AccessDenied'])
  expect(failed.AccessDenied).toBeLessThanOrEqual(7)
})

test.each([
  [10, 1000, 10, { samples: 10, atOnce: 4, most: 100 }],
  [10, 100, 10, { samples: 8, atOnce: 2, most: 10 }],
  [10, 20, 10, { samples: 1, atOnce: 1, most: 2 }],
  [10, 10, 10, undefined],
  [0, 1000, 10, undefined],
])('for %i answers within %i bytes of %i each: %j', (samples, bytes, size, expected) => {
  expect(affordableOf(samples, bytes, size)).toEqual(expected)
})
