import { Worker } from 'node:worker_threads'
import type { WorkerPool, PoolWork } from './worker-pool.js'
import type { Valve } from '../lanes/gate.js'
import { UserError } from '../../errors.js'
import { together } from '../lanes/pacer.js'
import { sharedSlots, shareOf } from '../lanes/slot-loans.js'
import type { Throttle } from '../../job/events.js'
import type { RunSettings, SharedSlots } from '../../job/pace.js'
import type { Side } from '../../job/place.js'
import type { OpenStore } from '../../storage/backend.js'
import type { OpenStores } from '../../storage/open.js'
import type { Meter } from '../../storage/retry.js'
import { RangeServer, type Cursor } from '../../sources/ranges/remote-ranges.js'
import { fromImage, type FromThread, type StoreForThread, type ToThread } from './messages.js'

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
  /** The threads as a pool that works on `ends`. */
  crew(ends: OpenStores): WorkerPool
  close(): void
}

/**
 * A larger nursery, so that the objects of a page are garbage before they are moved: fewer and cheaper collections.
 */
const NURSERY_MB = 16

/** Starts a thread, and `count` in all once it is known that there is work for more. */
export function startThreads(count: number): IdleThreads {
  const workers: Worker[] = []
  const start = (upTo: number): void => {
    while (workers.length < upTo) workers.push(startThread())
  }
  start(Math.min(count, 1))
  const close = (): void => {
    for (const worker of workers) void worker.terminate()
  }
  const crew = (ends: OpenStores): WorkerPool => {
    if (!isOnePage(ends)) start(count)
    return new ThreadPool(workers, ends, close)
  }
  return { close, crew }
}

function startThread(): Worker {
  const worker = new Worker(new URL('worker-thread.js', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB },
    // What dependencies want to warn of is not our user's business.
    execArgv: ['--no-warnings'],
  })
  // Until it works, a thread that dies is noticed when it is given its task.
  worker.on('error', () => undefined)
  return worker
}

// Whether the requests for all there is are so few that a second thread would only take time to start.
function isOnePage({ source: { first }, settings: { streamed } }: OpenStores): boolean {
  return first?.truncated === false && !streamed
}

class ThreadPool implements WorkerPool, Valve {
  private readonly pulses = new Map<Worker, Pulse>()

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
      work.ranges.close()
      for (const worker of this.workers) tell(worker, { type: 'drain' })
    }
    const slots = sharedSlots(this.ends.settings.concurrency, this.workers.length)
    let detach: (() => void) | undefined
    await Promise.all([
      ...this.workers.map((worker, index) => this.drive(worker, { ...slots, index }, work)),
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

  private drive(worker: Worker, slots: SharedSlots, work: PoolWork): Promise<void> {
    const thread = new ThreadAtWork(worker, work, this.ends, this.pulses)
    const { settings } = this.ends
    const { threads, index } = slots
    return thread.run({
      ...settings,
      slots,
      concurrency: shareOf(settings.concurrency, threads, index),
      lanes: shareOf(settings.lanes, threads, index),
    })
  }
}

type Pulse = Extract<FromThread, { readonly type: 'pulse' }>

const SIDES = ['source', 'destination'] as const

/** A thread from the start of its task to the end. */
class ThreadAtWork {
  private readonly server: RangeServer
  private readonly order = new DeliveryOrder()
  private resolve: () => void = () => undefined

  constructor(
    private readonly worker: Worker,
    private readonly work: PoolWork,
    private readonly ends: OpenStores,
    private readonly pulses: Map<Worker, Pulse>,
  ) {
    this.server = new RangeServer(work.ranges, (answer) => tell(worker, answer))
    for (const side of SIDES) {
      ends[side]?.credentials?.onChange((current) => tell(worker, { type: 'credentials', side, current }))
    }
  }

  /** Resolves when it has ended, however that came. */
  run(settings: RunSettings): Promise<void> {
    const { worker } = this
    const { source, destination } = this.ends
    return new Promise((resolve) => {
      this.resolve = resolve
      worker.on('message', (message: FromThread) => this.received(message))
      worker.on('error', (error) => this.died(error instanceof Error ? error.message : String(error)))
      worker.on('exit', (code) => this.died(`exit code ${code}`))
      if (worker.threadId === -1) {
        this.died('it could not be started')
        return
      }
      tell(worker, {
        ...{ type: 'start', task: this.work.task, settings },
        source: reachOf(source),
        destination: destination === undefined ? undefined : reachOf(destination),
      })
    })
  }

  private received(message: FromThread): void {
    const { server, order } = this
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
        this.delivered(message)
        return
      case 'pulse':
        this.pulses.set(this.worker, message)
        for (const [key, times] of message.refused ?? []) this.work.watch?.refused(key, times)
        add(this.ends.meter, message.meter)
        return
      case 'refresh':
        void this.refresh(message.side)
        return
      case 'notice':
        this.ends.notice(message.notice)
        return
      case 'failed':
        this.work.fail(fromImage(message.error))
        return
      case 'ended':
        order.behind(undefined, () => this.ended())
    }
  }

  private delivered({ cursors, product }: Extract<FromThread, { readonly type: 'delivery' }>): void {
    const { server, order } = this
    order.begun(cursors)
    const settle = (): void => {
      server.settle(cursors)
      for (const [, key, count] of cursors) this.work.watch?.settled(key, count)
      tell(this.worker, { type: 'settled' })
      order.settled(cursors)
    }
    this.work.deliver(product, settle, server.first(cursors))
  }

  private async refresh(side: Side): Promise<void> {
    const credentials = this.ends[side]?.credentials
    const renewal = (await credentials?.refresh()) ?? 'impossible'
    const current = credentials?.current
    if (current !== undefined) tell(this.worker, { type: 'credentials', side, current })
    tell(this.worker, { type: 'refreshed', side, renewal })
  }

  private died(cause: string): void {
    this.work.fail(new ThreadDied(cause))
    this.ended()
  }

  private ended(): void {
    this.worker.removeAllListeners('message').removeAllListeners('error').removeAllListeners('exit')
    this.worker.on('error', () => undefined)
    this.pulses.delete(this.worker)
    this.server.abandon()
    this.resolve()
  }
}

/**
 * What was delivered of each grant and is not settled. A release counts only once all of its grant is settled: else keys would be handed
 * out again whose results are on their way.
 */
class DeliveryOrder {
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

function add(meter: Meter, gain: Meter): void {
  meter.throttled += gain.throttled
  meter.retried += gain.retried
  for (const [operation, count] of Object.entries(gain.requests)) {
    meter.requests[operation] = (meter.requests[operation] ?? 0) + count
  }
}
