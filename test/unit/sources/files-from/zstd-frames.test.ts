import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NoFrame, ZstdFrames } from '../../../../src/sources/files-from/zstd-frames.js'

/** Made by zstd 1.5.7: plain, with a checksum, a repeated byte, without the size of the content; and one that is to be passed over. */
const FRAMES = [
  '28b52ffd20042100006f6e650a',
  '28b52ffd240421000074776f0a0f2d04f9',
  '28b52ffda0400d03005400001061610100fbff39c002036a0861',
  '28b52ffd000031000074687265650a',
  '502a4d1803000000010203',
  '5f2a4d1800000000',
].map((hex) => Buffer.from(hex, 'hex'))

/** The pieces into which a stream is split that comes in chunks of these lengths, over and over. */
function split(stream: Buffer, lengths: readonly number[]): { readonly pieces: Buffer[]; readonly whole: boolean } {
  const frames = new ZstdFrames()
  const pieces: Buffer[] = []
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const end = at + lengths[turn % lengths.length]!
    pieces.push(...frames.split(stream.subarray(at, end)))
    at = end
  }
  return { pieces, whole: frames.whole }
}

const streams = fc.array(fc.constantFrom(...FRAMES), { minLength: 1, maxLength: 8 })
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

describe('the frames of a zstd stream', () => {
  test('are told apart however it comes in pieces, and no byte is lost', () => {
    fc.assert(
      fc.property(streams, lengths, (frames, lengths) => {
        const stream = Buffer.concat(frames)
        const { pieces, whole } = split(stream, lengths)
        expect([whole, Buffer.concat(pieces).equals(stream)]).toEqual([true, true])
        const ends = new Set<number>()
        let end = 0
        for (const frame of frames) ends.add((end += frame.length))
        let at = 0
        for (const { length } of pieces) {
          for (let inside = at + 1; inside < at + length; inside++) expect(ends.has(inside)).toBe(false)
          at += length
        }
      }),
    )
  })

  test('are not whole where the stream is cut off anywhere but between two', () => {
    fc.assert(
      fc.property(streams, lengths, fc.nat(), (frames, lengths, place) => {
        const stream = Buffer.concat(frames)
        const cut = place % stream.length
        let end = 0
        const between = cut === 0 || frames.some((frame) => (end += frame.length) === cut)
        expect(split(stream.subarray(0, cut), lengths).whole).toBe(between)
      }),
    )
  })

  test('are followed by nothing else', () => {
    const stream = Buffer.concat([FRAMES[0]!, Buffer.from('more keys\n')])
    expect(() => split(stream, [7])).toThrow(NoFrame)
  })
})
