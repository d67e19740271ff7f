import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StorageError } from '../../../../src/errors.js'
import { Fit, sendFitting, tooMuchIn } from '../../../../src/storage/s3/fitting-batches.js'

const problem = (code: string, status: number): StorageError =>
  new StorageError(code, { severity: 'stop-run', code, operation: 'DeleteObjects', bucket: 'b', status })

test.each<[number, string, string | undefined]>([
  [413, 'HTTP413', 'bytes'],
  [413, 'EntityTooLarge', 'bytes'],
  [416, 'InvalidRange', 'bytes'],
  [400, 'MaxMessageLengthExceeded', 'bytes'],
  [400, 'EntityTooLarge', 'bytes'],
  [400, 'MalformedXML', 'objects'],
  [400, 'InvalidRequest', undefined],
  [503, 'SlowDown', undefined],
])('%i %s is taken for too many %3$s', (status, code, why) => {
  expect(tooMuchIn(problem(code, status))).toBe(why)
})

test('sends each item once, however much fits, and remembers what did not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 300 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 300 }),
      async (sizes, mostBytes, mostObjects) => {
        const fit = new Fit()
        let refusals = 0
        for (const round of [1, 2]) {
          const done: number[] = []
          await sendFitting(fit, sizes, {
            send: (from, count) => {
              const bytes = sizes.slice(from, from + count).reduce((sum, size) => sum + size, 0)
              if (bytes > mostBytes || count > mostObjects) {
                refusals++
                return Promise.reject(bytes > mostBytes ? problem('HTTP413', 413) : problem('MalformedXML', 400))
              }
              for (let i = 0; i < count; i++) done.push(from + i)
              return Promise.resolve()
            },
            alone: (at) => Promise.resolve(void done.push(at)),
            failed: () => {
              throw new Error('nothing failed')
            },
          })
          expect(done).toEqual(sizes.map((_, index) => index))
          if (round === 1) refusals = 0
        }
        // Only items that are too large by themselves are refused again.
        expect(refusals).toBeLessThanOrEqual(sizes.filter((size) => size > mostBytes).length)
      },
    ),
  )
})

test('never sends again what a request has settled: a later failure is that of the rest alone', async () => {
  const fit = new Fit()
  const sizes = Array<number>(100).fill(10)
  fit.refused('bytes', sizes, 0, 100)
  const sent: number[] = []
  let rest: [number, string] | undefined
  await sendFitting(fit, sizes, {
    send: (from) => {
      sent.push(from)
      return from === 0 ? Promise.resolve() : Promise.reject(problem('SlowDown', 503))
    },
    alone: () => Promise.reject(new Error('alone')),
    failed: (from, { code }) => (rest = [from, code]),
  })
  expect([sent, rest]).toEqual([
    [0, 50],
    [50, 'SlowDown'],
  ])
  // A first one that fails has settled nothing.
  const first = sendFitting(new Fit(), sizes, {
    ...{
      send: () => Promise.reject(problem('SlowDown', 503)),
      alone: () => Promise.resolve(),
      failed: () => undefined,
    },
  })
  await expect(first).rejects.toMatchObject({ code: 'SlowDown' })
})
