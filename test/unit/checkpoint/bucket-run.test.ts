import { hostname } from 'node:os'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SAVE_INTERVAL, type BucketRun } from '../../../src/checkpoint/bucket-run.js'
import { readCheckpoint } from '../../../src/checkpoint/checkpoint-file.js'
import { serializeCheckpoint } from '../../../src/checkpoint/checkpoint.js'
import { mayPass } from '../../../src/checkpoint/checkpoint-error.js'
import { findMatchField } from '../../../src/checkpoint/conditions.js'
import { openFailures } from '../../../src/checkpoint/failure-ledger.js'
import { Checkpointer } from '../../../src/engine/session/checkpointer.js'
import { startSandbox } from '../../../src/sandbox/server.js'
import { FatefulObjects, mounted, objectsAt, savedAs, type Fate } from '../../support/run-homes.js'

const onAnotherHost = (bytes: Buffer): Buffer => Buffer.from(bytes.toString().replaceAll(hostname(), 'another-host'))

const saving = async (run: BucketRun, listed: number): Promise<void> => {
  const checkpoint = savedAs(listed)
  await run.save(checkpoint, serializeCheckpoint(checkpoint))
}
const listedIn = async (folder: string): Promise<number> => (await readCheckpoint(folder)).checkpoint.listed

/** A process on another host, which waits by a clock that stands still otherwise. */
async function elsewhere(
  objects: FatefulObjects,
  fates: Fate[] = [],
  meanwhile: () => Promise<void> | void = () => undefined,
) {
  let now = 0
  const told: string[] = []
  const other = await mounted(new FatefulObjects(fates, onAnotherHost, objects), {
    now: () => now,
    async wait(ms) {
      now += ms
      await meanwhile()
    },
    tell: (message) => told.push(message),
  })
  return { ...other, told, waited: () => now }
}

describe('a run in a bucket', () => {
  it('is taken over once nothing was heard of its holder on another host for 30 s', async () => {
    const objects = new FatefulObjects()
    const one = await mounted(objects)
    await one.bucket.lock()
    await saving(one.bucket, 7)
    const other = await elsewhere(objects)
    await other.bucket.lock()
    expect(other.waited()).toBe(30_000)
    expect(other.told).toEqual([expect.stringContaining('it is taken over if nothing is heard of it for 30 s')])
    expect(await listedIn(other.folder)).toBe(7)
  })

  it('stays with a holder on another host that has saved meanwhile', async () => {
    const objects = new FatefulObjects()
    const one = await mounted(objects)
    await one.bucket.lock()
    const other = await elsewhere(objects, [], async () => {
      if (other.waited() === 28_000) await saving(one.bucket, 8)
    })
    await expect(other.bucket.lock()).rejects.toMatchObject({
      message: expect.stringContaining('is in use by') as string,
    })
    await saving(one.bucket, 9)
  })

  it.each([
    ['is told of as held by a process on another host that has saved meanwhile', true],
    ['is told of as held by nobody when nothing is heard of that process for 10 s', false],
  ])('%s', async (_what, saves) => {
    const objects = new FatefulObjects()
    const one = await mounted(objects)
    await one.bucket.lock()
    await saving(one.bucket, 1)
    const other = await elsewhere(objects, [], async () => {
      if (saves && other.waited() === 2_000) await saving(one.bucket, 2)
    })
    await other.bucket.listen()
    expect([other.bucket.holder()?.host, other.waited()]).toEqual(saves ? ['another-host', 2_000] : [undefined, 10_000])
    expect(await listedIn(other.folder)).toBe(saves ? 2 : 1)
  })

  it('is taken at once when a holder on another host gives it back', async () => {
    const objects = new FatefulObjects()
    const one = await mounted(objects)
    const lock = await one.bucket.lock()
    const other = await elsewhere(objects, [], () => lock.release())
    await other.bucket.lock()
    expect(other.waited()).toBe(2_000)
  })

  it.each(['lost after', 'lost before', 'busy', 'late'] as const)(
    'is saved once, and by the same session again, where an answer is %s',
    async (fate) => {
      const fates: Fate[] = []
      const objects = new FatefulObjects(fates)
      const one = await mounted(objects)
      await one.bucket.lock()
      fates.push(fate)
      await saving(one.bucket, 1)
      objects.deliver()
      await saving(one.bucket, 2)
      expect(JSON.parse(objects.objects.get('run.json')!.bytes.toString())).toMatchObject({ checkpoint: { listed: 2 } })
    },
  )

  it('bears with a store that does not answer, as with a disk that is full, and goes on when it does', async () => {
    const fates: Fate[] = []
    const objects = new FatefulObjects(fates)
    const { bucket } = await mounted(objects)
    await bucket.lock()
    fates.push(...Array<Fate>(50).fill('busy'))
    const error: unknown = await saving(bucket, 1).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      message: expect.stringMatching(/^cannot save s3:\/\/kept\/run\/: .*SlowDown/) as string,
    })
    expect(mayPass(error)).toBe(true)
    fates.length = 0
    await saving(bucket, 2)
  })

  it('is put back, and its run stops, when somebody removes its record', async () => {
    const objects = new FatefulObjects()
    const { bucket } = await mounted(objects)
    await bucket.lock()
    await saving(bucket, 1)
    objects.objects.delete('run.json')
    await expect(saving(bucket, 2)).rejects.toThrow(
      's3://kept/run/run.json was removed while the run went on; it was written again',
    )
    expect((await objects.read('run.json'))?.bytes.toString()).toContain('"listed": 2')
  })

  it('is refused where other objects are, and none is touched', async () => {
    const objects = new FatefulObjects()
    await objects.write('holiday.jpg', Buffer.from('x'), [])
    await expect(mounted(objects)).rejects.toThrow('s3://kept/run/ holds no run, and other objects: holiday.jpg')
    expect([...objects.objects.keys()]).toEqual(['holiday.jpg'])
  })

  it.each([
    ['is no JSON', 'hello'],
    ['is of another program', '{"format": "other/1"}'],
    [
      'names a file outside of the folder',
      JSON.stringify({ format: 's3move-bucket/1', session: 's', sequence: 1, files: [{ name: '../x', pieces: [] }] }),
    ],
    [
      'names an object that is no piece',
      JSON.stringify({
        format: 's3move-bucket/1',
        session: 's',
        sequence: 1,
        files: [{ name: 'x', pieces: [{ key: 'run.json', bytes: 1 }] }],
      }),
    ],
  ])('is refused where its record %s', async (_what, text) => {
    const objects = new FatefulObjects()
    await objects.write('run.json', Buffer.from(text), [])
    await expect(mounted(objects)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringContaining('s3://kept/run/run.json is damaged') as string,
    })
  })

  it('is refused where a piece of a ledger is gone or another', async () => {
    const objects = new FatefulObjects()
    const one = await mounted(objects)
    const lock = await one.bucket.lock()
    const ledger = await openFailures(one.folder, { bytes: 0, entries: 0 })
    await ledger.append([
      { key: 'k', operation: 'CopyObject', code: 'AccessDenied', message: '', attempts: 1, time: 't' },
    ])
    const checkpoint = savedAs(1, ledger.position)
    await one.bucket.save(checkpoint, serializeCheckpoint(checkpoint))
    await ledger.close()
    await lock.release()
    const piece = [...objects.objects.keys()].find((key) => key.startsWith('pieces/'))!
    await objects.write(piece, Buffer.from('x'), [])
    await expect((await mounted(objects)).bucket.lock()).rejects.toThrow(`a piece of failures.ndjson, has 1 bytes, not`)
    await objects.remove([piece])
    await expect((await mounted(objects)).bucket.lock()).rejects.toThrow(`a piece of failures.ndjson, is gone`)
  })

  it('leaves no piece behind that nothing counts on', async () => {
    const objects = new FatefulObjects()
    await objects.write('pieces/moved.ndjson/0-of-a-session-that-died', Buffer.from('x'), [])
    const { bucket, folder } = await mounted(objects)
    const lock = await bucket.lock()
    const ledger = await openFailures(folder, { bytes: 0, entries: 0 })
    for (let save = 0; save < 5; save++) {
      await ledger.append([
        { key: `${save}`, operation: 'CopyObject', code: 'AccessDenied', message: '', attempts: 1, time: 't' },
      ])
      const checkpoint = savedAs(9, ledger.position)
      await bucket.save(checkpoint, serializeCheckpoint(checkpoint))
    }
    await ledger.close()
    await lock.release()
    const pieces = [...objects.objects.keys()].filter((key) => key !== 'run.json')
    expect(pieces).toEqual([expect.stringMatching(/^pieces\/failures\.ndjson\/0{16}-/)])
    expect(objects.objects.get(pieces[0]!)!.bytes).toEqual(await readFile(join(folder, 'failures.ndjson')))
  })

  // What is saved is never taken back by a request that comes late, nor by who was taken for dead, whatever answers are lost.
  it('is as it was saved last, whoever saves and whatever answers are lost', async () => {
    const fate = fc.constantFrom<Fate>('ok', 'ok', 'lost before', 'lost after', 'late', 'busy')
    const step = fc.record({
      does: fc.constantFrom('first saves', 'second takes', 'second saves', 'late requests come'),
      fates: fc.array(fate, { maxLength: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const fates: Fate[] = []
        const objects = new FatefulObjects(fates)
        const first = await mounted(objects)
        await first.bucket.lock()
        await saving(first.bucket, 0)
        const second = await elsewhere(objects, fates)
        let taken = false
        let listed = 0
        // One that failed may have been carried out all the same.
        let possible = new Set([0])
        const save = async (run: BucketRun): Promise<boolean> => {
          listed++
          const saved = await saving(run, listed).then(
            () => true,
            () => false,
          )
          if (saved) possible = new Set([listed])
          else if (run === second.bucket || !taken) possible.add(listed)
          return saved
        }
        for (const { does, fates: next } of steps) {
          fates.splice(0, fates.length, ...next)
          if (does === 'late requests come') objects.deliver()
          else if (does === 'first saves') {
            if (await save(first.bucket)) expect(taken, 'who was taken for dead has saved').toBe(false)
          } else if (does === 'second saves') {
            if (taken) await save(second.bucket)
          } else if (!taken) {
            taken = await second.bucket.lock().then(
              () => true,
              () => false,
            )
            if (!taken) continue
            const found = await listedIn(second.folder)
            expect([...possible]).toContain(found)
            possible = new Set([found])
          }
        }
        objects.deliver()
        const { checkpoint } = JSON.parse(objects.objects.get('run.json')!.bytes.toString()) as {
          checkpoint: { listed: number }
        }
        expect([...possible]).toContain(checkpoint.listed)
        first.unmount()
        second.unmount()
      }),
      { numRuns: 150 },
    )
  })

  it('is saved less often than on a disk, since each save is a request', async () => {
    const saved: number[] = []
    const folder = {
      look: () => Promise.resolve(),
      save: () => Promise.resolve(void saved.push(performance.now())),
      interval: SAVE_INTERVAL,
    }
    const ledger = { append: () => Promise.resolve(), position: { bytes: 0, entries: 0 } }
    const options = { fail: () => undefined, warn: () => undefined, retryFor: 0 }
    const checkpointer = new Checkpointer(folder, ledger, () => ({ failures: [], checkpoint: savedAs(1) }), options)
    checkpointer.start()
    while (saved.length < 2) await new Promise((resolve) => setTimeout(resolve, 50))
    await checkpointer.end(new AbortController().signal)
    expect(saved[1]! - saved[0]!).toBeGreaterThanOrEqual(SAVE_INTERVAL - 1)
  })
})

describe('whether a store keeps two processes apart', () => {
  const closing: (() => Promise<void>)[] = []
  beforeAll(() =>
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: 'sandbox',
      AWS_SECRET_ACCESS_KEY: 'sandbox',
      AWS_REGION: 'us-east-1',
    }),
  )
  afterAll(() => Promise.all(closing.map((close) => close())))

  const playing = async (dialect: string, bucket = 'kept') => {
    const server = await startSandbox({ buckets: [bucket], dialect })
    closing.push(() => server.close())
    return await objectsAt(server.url, 'kept', 'run/')
  }
  const left = async (objects: Awaited<ReturnType<typeof playing>>): Promise<string[]> => {
    const keys: string[] = []
    for await (const key of objects.names('')) keys.push(key)
    return keys
  }

  it.each([
    ['aws', '"e"'],
    // Known by its request ids, it is sent what it takes whatever the form.
    ['ceph', '"e"'],
    ['bare-if-match', 'e'],
    ['oss', '"e"'],
  ])(
    'is found out of %s, with the form in which it takes an ETag, and nothing is left there',
    async (dialect, value) => {
      const objects = await playing(dialect)
      expect((await findMatchField(objects))('e')).toEqual(['if-match', value])
      expect(await left(objects)).toEqual([])
    },
  )

  it.each([
    ['ignores-put-conditions', 'kept', 'If-None-Match with PutObject, and this store ignores it'],
    ['', 'kept:unconditional', 'If-None-Match with PutObject, and this store ignores it'],
    ['no-put-conditions', 'kept', 'If-None-Match with PutObject, and this store refuses it: NotImplemented, HTTP 501'],
  ])('is refused of one that does not (%s, %s)', async (dialect, bucket, why) => {
    const objects = await playing(dialect, bucket)
    await expect(findMatchField(objects)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringContaining(why) as string,
    })
    expect(await left(objects)).toEqual([])
  })
})
