import fc from 'fast-check'
import { expect, test } from 'vitest'
import { takingOutlet } from '../../../../src/commands/run/taking-outlet.js'

const line = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }).map((key) => JSON.stringify({ key })),
  fc.nat({ max: 40_000 }).map((n) => JSON.stringify({ key: 'ü'.repeat(n) })),
)

test('what is written is taken in line by line, whatever is in them and however long they are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(line, { maxLength: 30 }), { maxLength: 4 }), async (pieces) => {
      const taken: string[] = []
      const { outlet, taken: all } = takingOutlet(
        (lines) => Promise.resolve(void taken.push(...lines)),
        (error) => expect.fail(String(error)),
      )
      let written = 0
      for (const lines of pieces) outlet.write(Buffer.from(lines.map((one) => `${one}\n`).join('')), () => written++)
      await all()
      expect(taken).toEqual(pieces.flat())
      expect(written).toBe(pieces.length)
    }),
    { numRuns: 50 },
  )
})
