import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { serviceManager } from '../../../../src/commands/run/service-manager.js'
import type { Snapshot } from '../../../../src/job/events.js'
import { noTotals } from '../../../../src/job/totals.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'performance'] }))
afterEach(() => vi.useRealTimers())

const SNAPSHOT: Snapshot = {
  ...{ totals: noTotals(), listed: 7, listingEnded: false, inFlight: 0, throttled: 0, retried: 0, requests: {} },
  ...{ settledHere: 0, elapsed: 0 },
}

function given(env: NodeJS.ProcessEnv, end = () => Promise.resolve()) {
  const sent: string[] = []
  const stop = new AbortController()
  const service = serviceManager(
    { stop: stop.signal, warn: () => undefined },
    { NOTIFY_SOCKET: '/run/systemd/notify', ...env },
    () => ({ send: (assignment) => void sent.push(assignment), end }),
  )!
  const pass = async (ms: number): Promise<void> => {
    await vi.advanceTimersByTimeAsync(ms)
    await turn()
  }
  return { sent, stop, service, pass }
}

describe('the service manager', () => {
  test('is told nothing where there is none', () => {
    const told = { stop: new AbortController().signal, warn: () => undefined }
    expect(serviceManager(told, { WATCHDOG_USEC: '1000000' })).toBeUndefined()
  })

  test('is told the beginning at once, the last line now and then, and the stop', async () => {
    const { sent, stop, service, pass } = given({})
    service.log.write('copying 1\n')
    service.log.write('copying 2\n  a detail\n')
    await pass(15_000)
    stop.abort()
    await pass(60_000)
    service.log.write('finished: 3 objects\n  copied 3\n')
    await service.close()
    expect(sent).toEqual(['READY=1', 'STATUS=copying 2', 'STOPPING=1', 'STATUS=finished: 3 objects'])
  })

  test('hears three signs of life in each time of its watchdog, as long as a session moves', async () => {
    const { sent, service, pass } = given({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) })
    const progress = async (minutes: number, listed: (at: number) => number): Promise<number> => {
      sent.length = 0
      for (let at = 0; at < minutes * 60; at++) {
        service.watch({ type: 'progress', snapshot: { ...SNAPSHOT, listed: listed(at) } })
        await pass(1_000)
      }
      return sent.filter((one) => one === 'WATCHDOG=1').length
    }
    expect(await progress(20, (at) => at)).toBe(120)
    expect(await progress(10, () => -1)).toBeGreaterThan(50)
    expect(await progress(10, () => -1)).toBe(0)
    expect(await progress(1, (at) => at)).toBe(6)
  })

  test('hears none where its watchdog is for another process, or there is none', async () => {
    for (const env of [
      { WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' },
      { WATCHDOG_USEC: '' },
      { WATCHDOG_USEC: '0' },
    ]) {
      const { sent, pass } = given(env)
      await pass(60_000)
      expect(sent).toEqual(['READY=1'])
    }
  })

  test('that does not answer is waited for five seconds at the end', async () => {
    const { service, pass } = given({}, () => new Promise(() => undefined))
    const state = { closed: false }
    void service.close().then(() => (state.closed = true))
    await pass(4_999)
    expect(state.closed).toBe(false)
    await pass(1)
    expect(state.closed).toBe(true)
  })
})
