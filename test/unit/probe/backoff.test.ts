import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Backoff } from '../../../src/probe/backoff.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** How long the next refusal is waited for, in milliseconds. */
async function wait(backoff: Backoff): Promise<number> {
  const over = backoff.refused()
  const began = Date.now()
  await vi.runAllTimersAsync()
  await over
  return Date.now() - began
}

test('each refusal is waited for twice as long, up to sixteen times, until one is granted', async () => {
  const backoff = new Backoff(50, new AbortController().signal)
  const waits: number[] = []
  for (let n = 0; n < 6; n++) waits.push(await wait(backoff))
  expect(waits).toEqual([50, 100, 200, 400, 800, 800])
  backoff.granted()
  expect(await wait(backoff)).toBe(50)
})

test('a wait ends at once when all ends', async () => {
  const stop = new AbortController()
  const over = new Backoff(50, stop.signal).refused()
  stop.abort()
  await expect(over).resolves.toBeUndefined()
})
