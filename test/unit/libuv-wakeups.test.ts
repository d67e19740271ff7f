import { afterEach, expect, test, vi } from 'vitest'
import { keepThreadPoolAwake } from '../../src/libuv-wakeups.js'

afterEach(() => {
  vi.useRealTimers()
})

test('the thread pool is asked something once a second, and not again before it has answered', () => {
  vi.useFakeTimers()
  const answers: (() => void)[] = []
  keepThreadPoolAwake((done) => answers.push(done))
  vi.advanceTimersByTime(3_000)
  expect(answers).toHaveLength(1)
  answers[0]!()
  vi.advanceTimersByTime(1_000)
  answers[1]!()
  vi.advanceTimersByTime(1_000)
  expect(answers).toHaveLength(3)
})
