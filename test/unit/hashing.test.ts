import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { md5While, sharedMemory } from '../../src/hashing.js'

const MIB = 1024 ** 2

function shared(bytes: Buffer): Buffer {
  const memory = sharedMemory(bytes.length)
  memory.set(bytes)
  return memory
}

describe('the MD5 of bytes that come one after the other', () => {
  test.each([
    ['few', (size: number) => randomBytes(size % 100)],
    ['many, in memory of this thread', (size: number) => randomBytes(size)],
    ['many, in shared memory', (size: number) => shared(randomBytes(size))],
  ])('is that of all of them: %s', async (_name, bytesOf) => {
    const expected: string[] = []
    const made = Array.from({ length: 4 }, (_, n) => {
      const pieces = Array.from({ length: 3 }, (_, piece) => bytesOf(MIB + n + piece))
      expected.push(createHash('md5').update(Buffer.concat(pieces)).digest('hex'))
      return md5While(async (add) => {
        for (const piece of pieces) {
          await add(piece)
          piece.fill(0)
        }
      })
    })
    expect(await Promise.all(made)).toEqual(expected)
  })

  test('is that of nothing where nothing comes', async () => {
    expect(await md5While(() => Promise.resolve())).toBe(createHash('md5').digest('hex'))
  })

  test('fails with the work, and the next is as it would be without', async () => {
    const piece = shared(randomBytes(MIB))
    const failing = md5While(async (add) => {
      await add(piece)
      throw new Error('no more')
    })
    await expect(failing).rejects.toThrow('no more')
    expect(await md5While((add) => add(piece))).toBe(createHash('md5').update(piece).digest('hex'))
  })
})
