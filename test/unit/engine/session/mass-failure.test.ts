import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MassFailure, type Advice } from '../../../../src/engine/session/mass-failure.js'

const HOUR = 3_600_000
const fails = (count: number, code: string) => Array.from({ length: count }, () => ({ code }))

/** A run of which so many succeed and so many fail at a time, and a clock that the test moves. */
function watched(retryFor = HOUR) {
  const mass = new MassFailure(retryFor)
  let now = 0
  return {
    mass,
    /** What is advised after these outcomes. */
    after: (succeeded: number, failed: number, code = 'QuotaExceeded', ms = 25): Advice | undefined => {
      mass.observe(succeeded + failed, succeeded, fails(failed, code))
      now += ms
      return mass.advise(now)
    },
  }
}

describe('a run in which nearly every object fails alike from some moment on', () => {
  test.each([
    'QuotaExceeded',
    'XMinioStorageFull',
    'InsufficientStorage',
    'StorageCapExceeded',
    'SomethingQuotaExceeded',
  ])('is paused for %s once 95 of 100 of the last thousand do, and not sooner', (code) => {
    const { after } = watched()
    expect(after(3000, 0)).toBeUndefined()
    for (let i = 0; i < 9; i++) expect(after(5, 95, code)).toBeUndefined()
    expect(after(5, 95, code)).toMatchObject({ kind: 'pause', quietly: false, alike: { code } })
  })

  test('tries a few objects at growing intervals, goes on when one succeeds, and is paused sooner the next time', () => {
    const { mass, after } = watched()
    after(3000, 0)
    expect(after(0, 1000)).toMatchObject({ kind: 'pause' })
    expect(mass.cause?.code).toBe('QuotaExceeded')
    // What was under way when it was paused is no sign.
    expect(after(3, 40)).toBeUndefined()
    const times: number[] = []
    let at = 0
    for (; times.length < 9; at += 250) if (after(0, 0, '', 250)?.kind === 'probe') times.push(at)
    const gaps = times.slice(1).map((time, i) => time - times[i]!)
    expect(gaps.slice(0, 5)).toEqual([2000, 4000, 8000, 16_000, 32_000])
    expect(gaps.at(-1)).toBe(60_000)
    expect(after(0, 4)).toBeUndefined()
    expect(after(1, 0)).toMatchObject({ kind: 'resume', quietly: false })
    expect(mass.cause).toBeUndefined()
    expect(after(20, 0)).toBeUndefined()
    expect(after(0, 80)).toBeUndefined()
    expect(after(0, 400)).toMatchObject({ kind: 'pause' })
  })

  test('is stopped when that lasts as long as what may pass is tried again', () => {
    const { after } = watched(10_000)
    after(3000, 0)
    after(0, 1000)
    const seen: Advice[] = []
    for (let at = 0; at < 12_000; at += 250) seen.push(...[after(0, 0, '', 250) ?? []].flat())
    const kinds = seen.map(({ kind }) => kind)
    expect(kinds.slice(0, 4)).toEqual(['probe', 'probe', 'probe', 'stop'])
    expect(seen.at(-1)).toMatchObject({ kind: 'stop', first: false, alike: { code: 'QuotaExceeded' } })
  })

  test('is asked whether all is still allowed when access is denied, and is paused only if it is not', () => {
    const { mass, after } = watched()
    after(3000, 0)
    expect(after(0, 1000, 'AccessDenied')).toEqual({ kind: 'ask' })
    expect(after(0, 1000, 'AccessDenied')).toBeUndefined()
    mass.allowed(true)
    for (let i = 0; i < 9; i++) expect(after(0, 1000, 'AccessDenied')).toBeUndefined()
    expect(after(0, 1000, 'AccessDenied')).toEqual({ kind: 'ask' })
    mass.allowed(false)
    expect(after(0, 0)).toMatchObject({ kind: 'pause', alike: { code: 'AccessDenied' } })
  })

  test.each(['InvalidObjectState', 'KeyTooLongError', 'SignatureDoesNotMatch', 'InternalError', 'NoSuchUpload'])(
    'is none for %s, which an object has by itself, once others have succeeded',
    (code) => {
      const { after } = watched()
      after(1, 0)
      for (let i = 0; i < 50; i++) expect(after(0, 1000, code)).toBeUndefined()
    },
  )

  test.each(['AccessDenied', 'InvalidObjectState', 'QuotaExceeded'])(
    'is stopped after some seconds when nothing has succeeded yet (%s), unless a few others do',
    (code) => {
      for (const others of [false, true]) {
        const { after } = watched()
        expect(after(0, 999, code)).toBeUndefined()
        expect(after(0, 1, code)).toMatchObject({ kind: 'pause', quietly: true })
        const kinds: string[] = []
        for (let i = 0; i < 20; i++) kinds.push(after(others && i === 3 ? 1 : 0, 0, '', 250)?.kind ?? '')
        expect(kinds[0]).toBe('probe')
        expect(kinds.filter((kind) => kind === 'stop' || kind === 'resume')[0]).toBe(others ? 'resume' : 'stop')
      }
    },
  )

  test('is never one of which less than that fails alike, in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(30), fc.nat(30), fc.constantFrom('QuotaExceeded', 'AccessDenied')), { minLength: 1 }),
        (chunks) => {
          const { after } = watched()
          // One in ten succeeds, at least, in whatever way they come.
          for (const [succeeded, failed, code] of chunks) {
            expect(after(succeeded + Math.ceil(failed / 9), failed, code)).toBeUndefined()
          }
        },
      ),
    )
  })

  test('holds no more than a window of outcomes, however long it lasts', () => {
    const { mass, after } = watched()
    for (let i = 0; i < 5000; i++) after(20, 1, `Code${i}`)
    const { chunks, failed } = mass as unknown as { chunks: unknown[]; failed: Map<string, number> }
    expect(chunks.length).toBeLessThan(60)
    expect(failed.size).toBeLessThan(60)
  })
})
