import { Worker } from 'node:worker_threads'
import type { WorkerPool, PoolWork, Task } from './worker-pool.js'
import type { Valve } from '../lanes/gate.js'
import { StorageError, UserError, type StorageErrorDetails } from '../../errors.js'
import { together } from '../lanes/pacer.js'
import type { Throttle } from '../../job/events.js'
import type { RunSettings } from '../../job/pace.js'
import type { Side } from '../../job/place.js'
import type { OpenStores, OpenStore } from '../../storage/open.js'
import type { Notice } from '../../storage/notice.js'
import type { StoreDescriptor } from '../../storage/descriptor.js'
import type { Meter } from '../../storage/retry.js'
import type { Credentials, CredentialSource, Renewal } from '../../storage/credential-source.js'
import { RangeServer, type Cursor, type RangeAnswer, type RangeRequest } from '../../sources/ranges/remote-ranges.js'

/** A store that a thread opens for itself, with what it needs and is never stored. */
export type StoreForThread = StoreDescriptor & { readonly credentials: Credentials | undefined }

/** What a thread is to do. */
export interface ThreadStart {
  readonly type: 'start'
  readonly task: Task
  readonly source: StoreForThread
  readonly destination: StoreForThread | undefined
  readonly settings: RunSettings
}

/** What a thread is told. */
export type ToThread =
  | ThreadStart
  | RangeAnswer
  /** A delivery was taken in. */
  | { readonly type: 'settled' }
  | { readonly type: 'drain' }
  /** For a `Gate`. */
  | { readonly type: 'gate'; readonly action: 'pause' | 'resume' }
  | { readonly type: 'probe'; readonly count: number }
  | { readonly type: 'credentials'; readonly side: Side; readonly current: Credentials }
  | { readonly type: 'refreshed'; readonly side: Side; readonly renewal: Renewal }

/** What a thread tells. */
export type FromThread =
  | RangeRequest
  | { readonly type: 'delivery'; readonly cursors: readonly Cursor[]; readonly product: unknown }
  /** What the meter has counted since the last time. */
  | { readonly type: 'pulse'; readonly meter: Meter; readonly inFlight: number; readonly held: Throttle | undefined }
  | { readonly type: 'refresh'; readonly side: Side }
  /** Of a folder. */
  | { readonly type: 'notice'; readonly notice: Notice }
  | { readonly type: 'failed'; readonly error: ErrorImage }
  | { readonly type: 'ended' }

/** An error as it crosses between threads. */
export type ErrorImage =
  | {
      readonly kind: 'storage'
      readonly message: string
      readonly details: StorageErrorDetails
      readonly attempts: number
    }
  | { readonly kind: 'user'; readonly message: string; readonly hint: string | undefined }
  | { readonly kind: 'defect'; readonly message: string; readonly stack: string | undefined }

/** The image of an error. */
export function toImage(error: unknown): ErrorImage {
  if (error instanceof StorageError) {
    const { message, details, attempts } = error
    return { kind: 'storage', message, details, attempts }
  }
  if (error instanceof UserError) return { kind: 'user', message: error.message, hint: error.hint }
  if (error instanceof Error) return { kind: 'defect', message: error.message, stack: error.stack }
  return { kind: 'defect', message: String(error), stack: undefined }
}

/** The error of an image. */
function fromImage(image: ErrorImage): Error {
  switch (image.kind) {
    case 'storage': {
      const error = new StorageError(image.message, image.details)
      error.attempts = image.attempts
      return error
    }
    case 'user':
      return new UserError(image.message, image.hint)
    case 'defect': {
      const error = new Error(image.message)
      if (image.stack !== undefined) error.stack = image.stack
      return error
    }
  }
}

/** A thread ended though it was not told to: what it held is in the checkpoint, unsettled. */
class ThreadDied extends UserError {
  constructor(cause: string) {
    super(
      `a worker thread ended unexpectedly (${cause}); nothing is lost`,
      'resume the run, with fewer --threads if memory was short',
    )
  }
}

/** Threads that have been started and wait for a task: starting takes as long as reaching the store, so both go on together. */
export interface IdleThreads {
  /** The threads as a crew that works on `ends`. */
  crew(ends: OpenStores): WorkerPool
  close(): void
}

/**
 * A larger nursery, so that the objects of a page are garbage before they are moved: fewer and cheaper collections.
 */
const NURSERY_MB = 16

/** Starts `count` threads. */
export function startThreads(count: number): IdleThreads {
  const workers = Array.from(
    { length: count },
    () =>
      new Worker(new URL('worker-thread.js', import.meta.url), {
        resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB },
        // What dependencies want to warn of is not our user's business.
        execArgv: ['--no-warnings'],
      }),
  )
  // Until it works, a thread that dies is noticed when it is given its task.
  for (const worker of workers) worker.on('error', () => undefined)
  const close = (): void => {
    for (const worker of workers) void worker.terminate()
  }
  return { close, crew: (ends) => new ThreadCrew(workers, ends, close) }
}

class ThreadCrew implements WorkerPool, Valve {
  private readonly pulses = new Map<Worker, Extract<FromThread, { readonly type: 'pulse' }>>()

  constructor(
    private readonly workers: readonly Worker[],
    private readonly ends: OpenStores,
    readonly close: () => void,
  ) {}

  get inFlight(): number {
    let sum = 0
    for (const { inFlight } of this.pulses.values()) sum += inFlight
    return sum
  }

  get held(): Throttle | undefined {
    let held: Throttle | undefined
    for (const pulse of this.pulses.values()) held = together(held, pulse.held)
    return held
  }

  async run(work: PoolWork): Promise<void> {
    const drain = (): void => {
      work.keyspace.close()
      for (const worker of this.workers) tell(worker, { type: 'drain' })
    }
    let detach: (() => void) | undefined
    await Promise.all([
      ...this.workers.map((worker, index) => this.drive(worker, index, work)),
      // After the starts, which must come first.
      Promise.resolve().then(() => {
        detach = work.gate?.attach(this)
        if (work.stop.aborted) drain()
        else work.stop.addEventListener('abort', drain, { once: true })
      }),
    ])
    work.stop.removeEventListener('abort', drain)
    detach?.()
  }

  pause(): void {
    this.tellAll({ type: 'gate', action: 'pause' })
  }

  probe(count: number): void {
    this.tellAll({ type: 'probe', count })
  }

  resume(): void {
    this.tellAll({ type: 'gate', action: 'resume' })
  }

  private tellAll(message: ToThread): void {
    for (const worker of this.workers) tell(worker, message)
  }

  private async refresh(worker: Worker, side: Side, credentials: CredentialSource | undefined): Promise<void> {
    const renewal = (await credentials?.refresh()) ?? 'impossible'
    const current = credentials?.current
    if (current !== undefined) tell(worker, { type: 'credentials', side, current })
    tell(worker, { type: 'refreshed', side, renewal })
  }

  private drive(worker: Worker, index: number, work: PoolWork): Promise<void> {
    const { task, keyspace, deliver, fail } = work
    const { source, destination, settings, meter } = this.ends
    const server = new RangeServer(keyspace, (answer) => tell(worker, answer))
    const order = new Order()
    const credentials = { source: source.credentials, destination: destination?.credentials }
    for (const side of SIDES) {
      credentials[side]?.onChange((current) => tell(worker, { type: 'credentials', side, current }))
    }
    return new Promise((resolve) => {
      const ended = (): void => {
        worker.removeAllListeners('message').removeAllListeners('error').removeAllListeners('exit')
        worker.on('error', () => undefined)
        this.pulses.delete(worker)
        server.abandon()
        resolve()
      }
      const died = (cause: string): void => {
        fail(new ThreadDied(cause))
        ended()
      }
      worker.on('message', (message: FromThread) => {
        switch (message.type) {
          case 'claim':
          case 'page':
          case 'trimmed':
            server.requested(message)
            return
          case 'release':
            order.behind(message.grant, () => server.requested(message))
            return
          case 'delivery':
            order.begun(message.cursors)
            deliver(
              message.product,
              () => {
                server.settle(message.cursors)
                tell(worker, { type: 'settled' })
                order.settled(message.cursors)
              },
              server.first(message.cursors),
            )
            return
          case 'pulse':
            this.pulses.set(worker, message)
            add(meter, message.meter)
            return
          case 'refresh':
            void this.refresh(worker, message.side, credentials[message.side])
            return
          case 'notice':
            this.ends.notice(message.notice)
            return
          case 'failed':
            fail(fromImage(message.error))
            return
          case 'ended':
            order.behind(undefined, ended)
        }
      })
      worker.on('error', (error) => died(error instanceof Error ? error.message : String(error)))
      worker.on('exit', (code) => died(`exit code ${code}`))
      if (worker.threadId === -1) {
        died('it could not be started')
        return
      }
      tell(worker, {
        ...{ type: 'start', task },
        source: reachOf(source),
        destination: destination === undefined ? undefined : reachOf(destination),
        settings: {
          ...settings,
          concurrency: share(settings.concurrency, this.workers.length, index),
          lanes: share(settings.lanes, this.workers.length, index),
        },
      })
    })
  }
}

const SIDES = ['source', 'destination'] as const

/**
 * What was delivered of each grant and is not settled. A release counts only once all of its grant is settled: else keys would be handed
 * out again whose results are on their way.
 */
class Order {
  private readonly unsettled = new Map<number, number>()
  private readonly waiting = new Map<number | undefined, () => void>()

  begun(cursors: readonly Cursor[]): void {
    for (const [grant] of cursors) this.unsettled.set(grant, (this.unsettled.get(grant) ?? 0) + 1)
  }

  settled(cursors: readonly Cursor[]): void {
    for (const [grant] of cursors) {
      const left = (this.unsettled.get(grant) ?? 0) - 1
      if (left > 0) this.unsettled.set(grant, left)
      else {
        this.unsettled.delete(grant)
        this.act(grant)
      }
    }
    if (this.unsettled.size === 0) this.act(undefined)
  }

  /** Acts when all that was delivered so far of `grant` (of all grants, when undefined) is settled. */
  behind(grant: number | undefined, act: () => void): void {
    if (grant === undefined ? this.unsettled.size === 0 : !this.unsettled.has(grant)) act()
    else this.waiting.set(grant, act)
  }

  private act(grant: number | undefined): void {
    const act = this.waiting.get(grant)
    this.waiting.delete(grant)
    act?.()
  }
}

function tell(worker: Worker, message: ToThread): void {
  worker.postMessage(message)
}

function reachOf({ route, credentials }: OpenStore): StoreForThread {
  return { ...route, credentials: credentials?.current }
}

// What of a total falls to one of several, at least one.
function share(total: number, parts: number, index: number): number {
  return Math.max(1, Math.floor((total + index) / parts))
}

function add(meter: Meter, gain: Meter): void {
  meter.throttled += gain.throttled
  meter.retried += gain.retried
  for (const [operation, count] of Object.entries(gain.requests)) {
    meter.requests[operation] = (meter.requests[operation] ?? 0) + count
  }
}
