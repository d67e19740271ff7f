import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  begunAt,
  endedWith,
  followOf,
  NO_ROUNDS,
  readRounds,
  saveRounds,
  withSpan,
  type Moment,
  type Rounds,
} from '../../../src/checkpoint/rounds.js'
import type { Span } from '../../../src/job/follow.js'

const folder = mkdtempSync(join(tmpdir(), 's3move-rounds-'))
afterAll(() => rmSync(folder, { recursive: true }))

const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + seconds * 1_000).toISOString()
/** The source’s clock is 1 s behind, the destination’s 60 s ahead. */
const moment = (seconds: number): Moment => ({
  here: at(seconds),
  source: at(seconds - 1),
  destination: at(seconds + 60),
})
const counts = (failed = 0) => ({ copied: 1, bytes: 2, deleted: 0, unchanged: 3, newer: 0, failed })
const after = (rounds: Rounds, from: number, to: number, failed = 0): Rounds =>
  endedWith(begunAt(rounds, moment(from)), new Date(at(to)), counts(failed))

describe('rounds', () => {
  test('tell the next one since when nothing is undone, and when they wrote, by the clocks of the stores', () => {
    expect(followOf(begunAt(NO_ROUNDS, moment(0)))).toEqual({})
    const one = after(NO_ROUNDS, 0, 10, 1)
    expect(followOf(one)).toEqual({ settled: at(-1), rounds: [{ from: at(60), to: at(70) }] })
    const two = after(after(one, 100, 110), 200, 210, 5)
    expect(followOf(two)).toEqual({
      settled: at(99),
      rounds: [0, 100, 200].map((from) => ({ from: at(from + 60), to: at(from + 70) })),
    })
  })

  test('that are begun again after a kill began when they began first', () => {
    const again = begunAt(begunAt(NO_ROUNDS, moment(0)), moment(50))
    expect(endedWith(again, new Date(at(60)), counts()).settled).toEqual(moment(0))
  })

  test('are read as they were saved, the last thousand of them, and refused when they are broken', async () => {
    expect(await readRounds(folder)).toBeUndefined()
    let rounds = NO_ROUNDS
    for (let i = 0; i < 1_005; i++) rounds = after(rounds, i * 100, i * 100 + 10)
    await saveRounds(folder, rounds)
    const read = await readRounds(folder)
    expect(read).toEqual({ ...rounds, rounds: rounds.rounds.slice(5) })
    expect([read?.count, read?.spans.length]).toEqual([1_005, 1_000])
    writeFileSync(join(folder, 'rounds.json'), '{"format":1}')
    await expect(readRounds(folder)).rejects.toThrow(/rounds of the run in .* cannot be read/)
  })

  test('of too many spans the two with the least between them become one', () => {
    let spans: readonly Span[] = []
    for (let i = 0; i < 1_000; i++)
      spans = withSpan(spans, { from: at(i * 100), to: at(i * 100 + (i === 500 ? 90 : 10)) })
    const more = withSpan(spans, { from: at(200_000), to: at(200_010) })
    expect(more).toHaveLength(1_000)
    expect(more[500]).toEqual({ from: at(50_000), to: at(50_110) })
    expect([more[499], more[501], more.at(-1)]).toEqual([
      { from: at(49_900), to: at(49_910) },
      { from: at(50_200), to: at(50_210) },
      { from: at(200_000), to: at(200_010) },
    ])
  })
})
