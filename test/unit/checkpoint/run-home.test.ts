import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readCheckpoint } from '../../../src/checkpoint/checkpoint-file.js'
import { openFailures } from '../../../src/checkpoint/failure-ledger.js'
import { thisProcess } from '../../../src/checkpoint/lock-holder.js'
import { lockHolder, lockRun } from '../../../src/checkpoint/lock.js'
import { proveLedgers } from '../../../src/checkpoint/prove.js'
import { beginRetry, endRetry, setAside } from '../../../src/checkpoint/retry-steps.js'
import { RunFolder } from '../../../src/checkpoint/run-folder.js'
import type { RunObjects } from '../../../src/checkpoint/run-objects.js'
import type { Failure } from '../../../src/job/outcome.js'
import { startSandbox, type Sandbox } from '../../../src/sandbox/server.js'
import { emptyFolder, mounted, objectsAt, savedAs } from '../../support/run-homes.js'

/** Where a run is kept, as several processes come to it one after the other. */
interface Home {
  /** The folder by which another process knows it. */
  arrive(): Promise<string>
  /** Whoever holds it is seen as dead from now on, and goes on all the same. */
  pronounceDead(): Promise<void>
}

const START = { bytes: 0, entries: 0 }
const HOLDER = /"pid": ?\d+/

let server: Sandbox
beforeAll(async () => {
  server = await startSandbox({ buckets: ['kept'] })
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
    AWS_REGION: 'us-east-1',
  })
})
afterAll(() => server.close())

let homes = 0
async function bucketHome(): Promise<Home> {
  const prefix = `run-${++homes}/`
  const objects: RunObjects = await objectsAt(server.url, 'kept', prefix)
  return {
    arrive: async () => (await mounted(objects)).folder,
    async pronounceDead() {
      const { bytes } = (await objects.read('run.json'))!
      await objects.write('run.json', Buffer.from(bytes.toString().replace(HOLDER, '"pid": 0')), [])
    },
  }
}

async function diskHome(): Promise<Home> {
  const folder = await emptyFolder()
  return {
    arrive: () => Promise.resolve(folder),
    async pronounceDead() {
      const dead = { ...thisProcess('other'), pid: 0 }
      await writeFile(join(folder, 'lock.1/holder.json'), JSON.stringify(dead))
    },
  }
}

function failure(key: string): Failure {
  return {
    key,
    operation: 'CopyObject',
    code: 'AccessDenied',
    message: 'no',
    attempts: 1,
    time: '2026-01-02T00:00:00.000Z',
  }
}

/** A session with its lock. */
async function session(folder: string) {
  const lock = await lockRun(folder)
  const run = await RunFolder.open(folder)
  onTestFinished(() => run.close())
  return { lock, run }
}

describe.each([
  ['a folder', diskHome],
  ['a bucket', bucketHome],
])('a run that is kept in %s', (_name, make) => {
  it('is held by one process at a time, and by the next once it is given back', async () => {
    const home = await make()
    const [one, other] = [await home.arrive(), await home.arrive()]
    const lock = await lockRun(one)
    await expect(lockRun(other)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(`is in use by process ${process.pid} on `) as string,
    })
    await lock.release()
    await (await lockRun(other)).release()
  })

  it('tells who holds it, and that nobody does', async () => {
    const home = await make()
    const lock = await lockRun(await home.arrive())
    expect(await lockHolder(await home.arrive())).toMatchObject({ pid: process.pid })
    await lock.release()
    expect(await lockHolder(await home.arrive())).toBeUndefined()
  })

  it('is found by the next session as it was saved last', async () => {
    const home = await make()
    const { lock, run } = await session(await home.arrive())
    for (let listed = 1; listed < 4; listed++) await run.save(savedAs(listed))
    await lock.release()
    const next = await home.arrive()
    expect((await readCheckpoint(next)).checkpoint.listed).toBe(3)
    await (await lockRun(next)).release()
    expect((await readCheckpoint(next)).checkpoint.listed).toBe(3)
  })

  it('has the lines of a ledger that were saved, and not those that came after, also when the holder died', async () => {
    const home = await make()
    const folder = await home.arrive()
    const { run } = await session(folder)
    let ledger = await openFailures(folder, START)
    for (let save = 1; save <= 3; save++) {
      await ledger.append([failure(`${save}`), failure(`${save}-too`)])
      await run.save(savedAs(9, ledger.position))
    }
    const saved = savedAs(9, ledger.position)
    await ledger.append([failure('lost')])
    await ledger.close()
    await home.pronounceDead()
    const next = await home.arrive()
    await lockRun(next)
    const { checkpoint } = await readCheckpoint(next)
    expect(checkpoint).toEqual(saved)
    await proveLedgers(next, saved)
    ledger = await openFailures(next, checkpoint.ledger)
    await ledger.append([failure('new')])
    await ledger.close()
    const keys = (await readFile(join(next, 'failures.ndjson'), 'utf8')).trim().split('\n')
    expect(keys.map((line) => (JSON.parse(line) as Failure).key)).toEqual([
      '1',
      '1-too',
      '2',
      '2-too',
      '3',
      '3-too',
      'new',
    ])
  })

  it('is not written to by a session that was taken for dead, once another one has saved', async () => {
    const home = await make()
    const one = await session(await home.arrive())
    await one.run.save(savedAs(1))
    await home.pronounceDead()
    const other = await session(await home.arrive())
    await other.run.save({ ...savedAs(2), sessions: 2 })
    for (let times = 0; times < 2; times++) {
      await expect(one.run.save(savedAs(3))).rejects.toMatchObject({
        name: 'CheckpointError',
        message: expect.stringContaining('another process has taken the run in') as string,
      })
    }
    await one.lock.release()
    await other.run.save({ ...savedAs(4), sessions: 2 })
    await other.lock.release()
    expect((await readCheckpoint(await home.arrive())).checkpoint.listed).toBe(4)
  })

  it('keeps what is being tried again, in each step', async () => {
    const home = await make()
    const folder = await home.arrive()
    const { lock, run } = await session(folder)
    let ledger = await openFailures(folder, START)
    await ledger.append(['1', '2', '3'].map(failure))
    await ledger.close()
    const before = ledger.position
    await run.save(savedAs(3, before))
    await beginRetry(folder, before)
    ledger = await openFailures(folder, START)
    const retrying = { ...savedAs(3), totals: savedAs(3, before).totals, retry: { ...START, of: 3, ledger: before } }
    await run.save(retrying)
    await lock.release()
    await ledger.close()
    const next = await home.arrive()
    const again = await session(next)
    await proveLedgers(next, retrying)
    const anew = await openFailures(next, START)
    await anew.append([failure('2')])
    await again.run.save(savedAs(3, anew.position))
    await anew.close()
    await endRetry(next)
    await again.lock.release()
    const last = await home.arrive()
    await (await lockRun(last)).release()
    await proveLedgers(last, savedAs(3, anew.position))
  })

  it('keeps the ledger of an earlier run that is out of the way', async () => {
    const home = await make()
    const folder = await home.arrive()
    const { lock, run } = await session(folder)
    const ledger = await openFailures(folder, START)
    await ledger.append([failure('1')])
    await ledger.close()
    await run.save(savedAs(1, ledger.position))
    await setAside(folder)
    for (let listed = 1; listed < 3; listed++) await run.save(savedAs(listed))
    await lock.release()
    await appendFile(join(folder, 'failures.ndjson'), 'of nobody')
    const next = await home.arrive()
    const again = await session(next)
    await expect(proveLedgers(next, savedAs(2))).resolves.toBeUndefined()
    await again.run.save(savedAs(3))
    await again.lock.release()
  })
})
