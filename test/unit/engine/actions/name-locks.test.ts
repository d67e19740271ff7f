import { describe, expect, test } from 'vitest'
import { sharedTurns, NameLocks } from '../../../../src/engine/actions/name-locks.js'

const PLACE = { bucket: 'b', prefix: 'p/' }
const soon = () => new Promise<void>((resolve) => setTimeout(resolve, 1))

describe('turns at a name', () => {
  test('are taken one after the other, whoever shares them; other names do not wait', async () => {
    const shared = sharedTurns()
    const stop = new AbortController().signal
    const threads = [new NameLocks(shared, stop), new NameLocks(shared, stop)]
    const busy = new Map<string, number>()
    let together = 0
    let done = 0
    const names = ['a', 'b', 'c']
    const one = async (index: number): Promise<void> => {
      const name = names[index % 3]!
      await threads[index % 2]!.at(PLACE, name, async () => {
        busy.set(name, (busy.get(name) ?? 0) + 1)
        expect(busy.get(name)).toBe(1)
        together = Math.max(together, [...busy.values()].filter(Boolean).length)
        await soon()
        busy.set(name, 0)
        done++
      })
    }
    await Promise.all(Array.from({ length: 120 }, (_, index) => one(index)))
    expect([done, together]).toEqual([120, 3])
  })

  test('are given back by work that fails', async () => {
    const turns = new NameLocks(sharedTurns(), new AbortController().signal)
    await expect(turns.at(PLACE, 'a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await turns.at(PLACE, 'a', () => Promise.resolve(1))).toBe(1)
  })

  test('are not waited for when the run ends, even if whoever has one never gives it back', async () => {
    const stop = new AbortController()
    const turns = new NameLocks(sharedTurns(), stop.signal)
    void turns.at(PLACE, 'a', () => new Promise(() => undefined))
    const waits = turns.at(PLACE, 'a', () => Promise.resolve())
    stop.abort()
    await expect(waits).rejects.toMatchObject({ severity: 'retry', code: 'Interrupted', key: 'p/a' })
  })
})
