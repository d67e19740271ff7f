import { AsyncLocalStorage } from 'node:async_hooks'
import * as real from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import type { Holder, Liveness } from '../../../src/checkpoint/lock-holder.js'
import { lockRun } from '../../../src/checkpoint/lock.js'
import { UserError } from '../../../src/errors.js'

/*
 * Processes that race for a lock, one system call at a time, in an order drawn at random: each call on the file system waits
 * for its turn and is then made whole, on real files. A process may stall for long between two calls, or die there for good.
 */

class Process {
  readonly tokens = new Set<string>()
  dead = false
  calls = 0
  constructor(readonly diesAfter: number) {}
}

const world = vi.hoisted(() => ({ waiting: [] as { process: unknown; go: () => void }[] }))
const current = new AsyncLocalStorage<Process>()
let processes: Process[] = []

async function turn(): Promise<void> {
  const process = current.getStore()
  if (process === undefined) throw new Error('a call by no process')
  await new Promise<void>((go) => world.waiting.push({ process, go }))
  process.calls++
  if (process.calls > process.diesAfter) {
    process.dead = true
    await new Promise(() => undefined)
  }
}

vi.mock('node:fs/promises', () => ({
  mkdir: async (path: string, options: real.MakeDirectoryOptions) => {
    await turn()
    real.mkdirSync(path, options)
  },
  readdir: async (path: string) => {
    await turn()
    return real.readdirSync(path)
  },
  readFile: async (path: string) => {
    await turn()
    return real.readFileSync(path, 'utf8')
  },
  rename: async (from: string, to: string) => {
    await turn()
    real.renameSync(from, to)
  },
  // As the system does it: file by file, so that others can see a folder half removed, or put something in.
  rm: async (path: string) => {
    await turn()
    const names = real.existsSync(path) ? real.readdirSync(path) : []
    for (const name of names) {
      await turn()
      real.rmSync(join(path, name), { force: true })
    }
    await turn()
    if (real.existsSync(path)) real.rmdirSync(path)
  },
  open: async (path: string, flags: string) => {
    await turn()
    const file = real.openSync(path, flags)
    return {
      writeFile: async (text: string) => {
        await turn()
        real.writeSync(file, text)
      },
      sync: () => Promise.resolve(),
      close: () => {
        real.closeSync(file)
        return Promise.resolve()
      },
    }
  },
  stat: () => Promise.reject(new Error('not used by the lock')),
}))

vi.mock('../../../src/checkpoint/lock-holder.js', async (original) => ({
  ...(await original<object>()),
  thisProcess: (token: string): Holder => {
    current.getStore()?.tokens.add(token)
    return { pid: 1, host: 'here', startedAt: '2026-01-01T00:00:00.000Z', token }
  },
  livenessOf: ({ token }: Holder): Liveness =>
    processes.some((process) => !process.dead && process.tokens.has(token)) ? 'alive' : 'dead',
}))

interface Race {
  /** After how many calls each process dies; beyond what it makes, it lives. */
  readonly deaths: readonly number[]
  readonly seed: number
  /** One in so many turns goes to another process than the last one. */
  readonly patience: number
}

/** Runs a race. Returns the most that held the lock at once, and how often it was taken. */
async function race({ deaths, seed, patience }: Race): Promise<{ most: number; taken: number }> {
  const folder = real.mkdtempSync(join(tmpdir(), 's3move-races-'))
  const random = generator(seed)
  world.waiting = []
  processes = deaths.map((calls) => new Process(calls))
  const holding = new Set<Process>()
  const finished = new Set<Process>()
  let most = 0
  let taken = 0
  const problems: unknown[] = []

  async function work(process: Process): Promise<void> {
    for (let attempt = 0; attempt < 6; attempt++) {
      try {
        const lock = await lockRun(folder)
        taken++
        holding.add(process)
        most = Math.max(most, [...holding].filter((one) => !one.dead).length)
        await turn()
        holding.delete(process)
        await lock.release()
      } catch (error) {
        if (!(error instanceof UserError)) throw error
      }
    }
  }

  for (const process of processes) {
    void current
      .run(process, () => work(process))
      .catch((error: unknown) => problems.push(error))
      .finally(() => finished.add(process))
  }
  let last: unknown
  while (processes.some((process) => !process.dead && !finished.has(process))) {
    await setImmediate()
    const same = world.waiting.findIndex(({ process }) => process === last)
    const index = same >= 0 && random(patience) > 0 ? same : random(world.waiting.length)
    const [next] = world.waiting.splice(index, 1)
    last = next?.process
    next?.go()
  }
  real.rmSync(folder, { recursive: true })
  expect(problems).toEqual([])
  return { most, taken }
}

/** Numbers below a bound, the same for the same seed (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

it('never has two holders, in whatever order processes take their steps, stall and die', async () => {
  let taken = 0
  const races = fc.record({
    deaths: fc.array(fc.oneof(fc.constant(Infinity), fc.integer({ min: 3, max: 60 })), { minLength: 2, maxLength: 4 }),
    seed: fc.integer(),
    patience: fc.constantFrom(2, 5, 20),
  })
  await fc.assert(
    fc.asyncProperty(races, async (one) => {
      const result = await race(one)
      taken += result.taken
      expect(result.most).toBeLessThanOrEqual(1)
    }),
    { numRuns: 800 },
  )
  expect(taken).toBeGreaterThan(800)
})
