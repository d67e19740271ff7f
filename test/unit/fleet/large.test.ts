import * as fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Turnstile } from '../../../src/engine/lanes/gate.js'
import { copyInParts } from '../../../src/engine/actions/multipart.js'
import { outcomeOf } from '../../../src/engine/actions/outcome.js'
import { LargeObjects } from '../../../src/engine/session/large-objects.js'
import type { Hand, HandListener } from '../../../src/engine/workers/hand.js'
import type { LargeTask } from '../../../src/engine/workers/large-hand.js'
import type { ToHand } from '../../../src/engine/workers/messages.js'
import { StorageError } from '../../../src/errors.js'
import type { LargeAtHost } from '../../../src/fleet/host-large.js'
import { Hosts } from '../../../src/fleet/hosts.js'
import { Membership } from '../../../src/fleet/membership.js'
import type { LargeObject, Outcome } from '../../../src/job/outcome.js'
import { createMeter } from '../../../src/storage/retry.js'
import type { ObjectHead, Storage } from '../../../src/storage/storage.js'
import { ANY_TASK, Scheduler } from '../../support/keyspace-session.js'
import { cutOff, MemoryBroker, NO_TROUBLE, StandingClock, TROUBLE, type Trouble } from '../../support/memory-broker.js'

const root = mkdtempSync(join(tmpdir(), 's3move-lent-'))
afterAll(() => rmSync(root, { recursive: true }))

const PARTS = 4
/** Objects that a host copies at once. */
const AT_ONCE = 2
const DATE = '2024-01-01T00:00:00.000Z'

interface Upload {
  readonly key: string
  readonly parts: Map<number, number>
  end?: 'completed' | 'aborted'
}

/** A store in which objects are copied in parts. */
class PartStore {
  readonly uploads = new Map<string, Upload>()
  readonly problems: string[] = []

  /** `knows` tells whether the run has saved an upload. */
  constructor(
    private readonly scheduler: Scheduler,
    private readonly knows: (upload: string) => boolean,
  ) {}

  /** As one host sees it, who is cut short when it is no more. */
  seenBy(isDead: () => boolean): Storage {
    const answer = async (): Promise<void> => {
      await this.scheduler.answer(() => undefined)
      if (isDead()) await new Promise(() => undefined)
    }
    const open = (id: string): Upload => {
      const upload = this.uploads.get(id)
      if (upload !== undefined && upload.end === undefined) return upload
      throw new StorageError('there is no such upload', { ...FAULT, code: 'NoSuchUpload' })
    }
    const store = {
      place: { bucket: 'b', prefix: '' },
      reading: {
        head: async (key: string) => {
          await answer()
          return { key, size: PARTS, etag: 'e', lastModified: DATE } as unknown as ObjectHead
        },
      },
      uploading: {
        begin: async (key: string) => {
          await answer()
          const id = `upload ${this.uploads.size + 1}`
          this.uploads.set(id, { key, parts: new Map() })
          return id
        },
        copyPart: async (
          _source: unknown,
          _object: unknown,
          { upload: id, number }: { upload: string; number: number },
        ) => {
          await answer()
          if (!this.knows(id)) this.problems.push(`a part of ${id}, which the run does not know`)
          const { parts } = open(id)
          parts.set(number, (parts.get(number) ?? 0) + 1)
          return { etag: `${number}`, size: 1, checksum: '' }
        },
        parts: async (_key: string, id: string) => {
          await answer()
          const upload = this.uploads.get(id)
          if (upload === undefined || upload.end !== undefined) return undefined
          return new Map(
            [...upload.parts.keys()].map((number) => [number, { etag: `${number}`, size: 1, checksum: '' }]),
          )
        },
        complete: async (_key: string, id: string, parts: readonly unknown[]) => {
          await answer()
          if (open(id).parts.size !== PARTS || parts.length !== PARTS) this.problems.push(`${id} has lost parts`)
          open(id).end = 'completed'
          return `e-${PARTS}`
        },
        abort: async (_key: string, id: string) => {
          await answer()
          const upload = this.uploads.get(id)
          if (upload !== undefined) upload.end ??= 'aborted'
        },
      },
    }
    return store as unknown as Storage
  }
}

const FAULT = { severity: 'fail-object', operation: 'UploadPartCopy', bucket: 'b' } as const

async function copied(
  { object, uploads }: LargeTask,
  both: { readonly source: Storage; readonly destination: Storage },
  stop: AbortSignal,
): Promise<Outcome | undefined> {
  const { before, begun, shared } = uploads
  try {
    const work = { ...both, object, key: object.key, fields: [], conditions: [], partSize: 1 }
    return { kind: 'copied', etag: await copyInParts({ ...work, before, begun, shared, stop }) }
  } catch (error) {
    return outcomeOf(error, '', object)
  }
}

/** A thread that does nothing, until it is asked to end. */
class IdleHand implements Hand {
  private listener: HandListener | undefined
  start(_task: unknown, listener: HandListener): void {
    this.listener = listener
  }
  tell({ type }: ToHand): void {
    if (type === 'drain') this.listener?.said({ type: 'ended' })
  }
}

/** What comes over a host before a step: it is cut off for so long, or for ever; or it is killed; or it is asked to leave. */
interface Blow {
  readonly at: number
  readonly host: number
  readonly what: number | 'killed' | 'asked to leave'
}

const blows: fc.Arbitrary<Blow[]> = fc.array(
  fc.record({
    at: fc.nat(150),
    host: fc.nat(2),
    what: fc.oneof(
      fc.integer({ min: 1, max: 300 }),
      fc.constant('killed' as const),
      fc.constant('asked to leave' as const),
    ),
  }),
  { maxLength: 4 },
)

/** Trouble passes after so many steps. */
const TROUBLED = 5_000
const MOST_STEPS = 100_000

async function fleetOver(objects: number, hosts: number, seed: number, how: Trouble, hits: readonly Blow[]) {
  const scheduler = new Scheduler(seed)
  const clock = new StandingClock()
  const known = new Set<string>()
  const store = new PartStore(scheduler, (upload) => known.has(upload))
  let steps = 0
  const broker = new MemoryBroker(clock, scheduler, () => (steps < TROUBLED ? how : NO_TROUBLE))
  const [stop, told] = [new AbortController(), { meter: createMeter(), notice: () => undefined }]
  const settled: string[] = []
  const errors: unknown[] = []
  const fail = (error: unknown): void => void errors.push(error)
  const large = new LargeObjects({
    ...{
      folder: mkdtempSync(join(root, 'run-')),
      start: undefined,
      prefix: '',
      own: undefined,
      stop: stop.signal,
      fail,
    },
    pass: () => Promise.resolve(),
    settle: ({ key }, { kind }) => settled.push(`${key} ${kind}`),
    save: () =>
      scheduler.answer(() => {
        for (const { upload } of large.state().open) if (upload !== undefined) known.add(upload.id)
      }),
  })
  large.hold(
    Array.from({ length: objects }, (_, i): LargeObject => ({
      key: `k${i}`,
      size: PARTS,
      etag: 'e',
      lastModified: DATE,
      storageClass: 'STANDARD',
    })),
    true,
  )
  await large.flush()
  const announcement = { format: 1, program: 's3move', name: 'run', session: 's', connection: {}, retryFor: 1 }
  const run = new Hosts({
    ...{ broker, clock, announcement, hasThreads: false, note: () => undefined },
    status: () => Promise.resolve(''),
  })
  const close = run.open({ task: ANY_TASK, told, stop: stop.signal, large, fail }, () => undefined)

  const cutUntil: number[] = []
  const leaves = Array.from({ length: hosts }, () => new AbortController())
  const isDead = Array.from({ length: hosts }, () => false)
  let members = 0
  const lend = async (host: number): Promise<void> => {
    for (let instead: string | undefined; ;) {
      const member = `m${++members}`
      const seen = store.seenBy(() => isDead[host] === true)
      const atHost: LargeAtHost = {
        atOnce: AT_ONCE,
        start() {
          const end = new AbortController()
          const turnstile = new Turnstile()
          const shared = { isKept: () => true, pass: () => turnstile.pass() }
          return {
            copy: ({ uploads, ...task }) =>
              // Objects of two buckets: a completion is asked for once.
              copied(
                { ...task, uploads: { ...uploads, shared } },
                { source: { ...seen }, destination: seen },
                end.signal,
              ),
            hold: (isHeld) => (isHeld && !end.signal.aborted ? turnstile.pause() : turnstile.resume()),
            stop() {
              end.abort()
              turnstile.resume()
            },
            takeMeter: () => undefined,
          }
        },
      }
      const { end } = await new Membership({
        ...{ broker: cutOff(broker, () => (cutUntil[host] ?? 0) > steps), clock, name: 'run', session: 's', member },
        ...{ host: `h${host}`, instead, task: ANY_TASK, hands: [new IdleHand()] },
        ...{ large: atHost, leave: leaves[host]!.signal, abandon: new AbortController().signal },
      }).run()
      if (end !== 'lost') return
      instead = member
      await new Promise<void>((resolve) => clock.after(1_000, resolve))
    }
  }
  for (let host = 0; host < hosts; host++) void lend(host)
  const end = { isOver: false }
  void large.run().then(() => (end.isOver = true))
  for (; !end.isOver && steps < MOST_STEPS; steps++) {
    for (const { at, host, what } of hits) {
      // The first one stays, but for being cut off for a while.
      if (at !== steps || host >= hosts || isDead[host] === true) continue
      if (typeof what === 'number') cutUntil[host] = steps + what
      else if (host > 0 && what === 'asked to leave') leaves[host]?.abort()
      else if (host > 0) [cutUntil[host], isDead[host]] = [Infinity, true]
    }
    if (scheduler.below(4) === 0) clock.next()
    if (!(await scheduler.step())) clock.next()
  }
  close()
  await large.end(true)
  return { ...end, settled, errors, store, remaining: large.remaining }
}

describe('large objects that hosts copy', () => {
  test('over a broker that loses, repeats, delays and forgets anything, by hosts that die, leave and are cut off: each is counted once, and no upload is forgotten', async () => {
    await fc.assert(
      fc.asyncProperty(
        ...([fc.nat(9), fc.integer({ min: 1, max: 3 }), fc.integer(), TROUBLE, blows] as const),
        async (objects, hosts, seed, how, hits) => {
          const { isOver, settled, errors, store, remaining } = await fleetOver(objects, hosts, seed, how, hits)
          expect([isOver, errors, remaining, store.problems]).toEqual([true, [], 0, []])
          const keys = Array.from({ length: objects }, (_, i) => `k${i}`)
          expect(settled.toSorted()).toEqual(keys.map((key) => `${key} copied`))
          const uploads = [...store.uploads.values()]
          const completed = uploads.filter(({ end }) => end === 'completed').map(({ key }) => key)
          expect([...new Set(completed)].toSorted()).toEqual(keys)
          // An empty one is what a host may leave that dies as it begins it.
          expect(uploads.filter(({ end, parts }) => end === undefined && parts.size > 0)).toEqual([])
          if (how !== NO_TROUBLE || hits.some(({ what }) => typeof what === 'number')) return
          // Whoever dies or leaves, another goes on with its upload, and sends no part again that is there. Only what is completed by one that
          // dies before it has said so is copied again.
          const begun = uploads.filter(({ parts }) => parts.size > 0)
          expect(begun.filter(({ end }) => end !== 'completed')).toEqual([])
          const deaths = hits.filter(({ what }) => what === 'killed').length
          expect(begun.length - objects).toBeLessThanOrEqual(deaths * AT_ONCE)
          expect(Math.max(1, ...uploads.flatMap(({ parts }) => [...parts.values()]))).toBe(1)
        },
      ),
      { numRuns: 120 },
    )
  })
})
