import { Worker } from 'node:worker_threads'
import { UserError } from '../../errors.js'
import { sharedSlots, shareOf } from '../lanes/slot-loans.js'
import type { RunSettings } from '../../job/pace.js'
import type { OpenStore } from '../../storage/backend.js'
import type { OpenStores } from '../../storage/open.js'
import { Crew } from './crew.js'
import type { Hand, HandListener, Lenders } from './hand.js'
import { STORES, type FromThread, type StoreForThread, type StoreRole, type ToHand, type ToThread } from './messages.js'
import type { Task, WorkerPool } from './worker-pool.js'

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
  /** The threads as a pool that works on `ends`, and who joins them. */
  crew(ends: OpenStores, lenders?: Lenders): WorkerPool
  /** The threads as hands that work on `ends`, for who lends them. */
  hands(ends: OpenStores): readonly Hand[]
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
  const crew = (ends: OpenStores, lenders?: Lenders): WorkerPool => {
    if (!isOnePage(ends)) start(count)
    return new Crew({ hands: handsOf(workers, ends), lenders, told: ends, close })
  }
  const hands = (ends: OpenStores): readonly Hand[] => {
    start(count)
    return handsOf(workers, ends, LENT_FLUSH)
  }
  return { close, crew, hands }
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

/** What is settled waits so long to be sent where it goes to another machine, in milliseconds. */
const LENT_FLUSH = 250

function handsOf(workers: readonly Worker[], ends: OpenStores, flushEvery?: number): Hand[] {
  const { settings } = ends
  const slots = sharedSlots(settings.ceiling, workers.length)
  return workers.map((worker, index) => {
    const share = {
      slots: { ...slots, index },
      concurrency: shareOf(settings.concurrency, workers.length, index),
      lanes: shareOf(settings.lanes, workers.length, index),
    }
    return new ThreadHand(worker, ends, { ...settings, ...share }, flushEvery)
  })
}

/** A thread of this process. */
class ThreadHand implements Hand {
  constructor(
    private readonly worker: Worker,
    private readonly ends: OpenStores,
    private readonly settings: RunSettings,
    private readonly flushEvery: number | undefined,
  ) {}

  start(task: Task, listener: HandListener): void {
    const { worker, settings, flushEvery } = this
    const { source, destination, listFiles } = this.ends
    const died = (cause: string): void => {
      worker.removeAllListeners('message').removeAllListeners('error').removeAllListeners('exit')
      worker.on('error', () => undefined)
      listener.gone(new ThreadDied(cause))
    }
    worker.on('message', (message: FromThread) => {
      if (message.type === 'refresh') void this.refresh(message.side)
      else listener.said(message)
    })
    worker.on('error', (error) => died(error instanceof Error ? error.message : String(error)))
    worker.on('exit', (code) => died(`exit code ${code}`))
    if (worker.threadId === -1) {
      died('it could not be started')
      return
    }
    for (const side of STORES) {
      this.storeOf(side)?.credentials?.onChange((current) => this.post({ type: 'credentials', side, current }))
    }
    this.post({
      ...{ type: 'start', task, settings, flushEvery },
      source: reachOf(source),
      destination: destination === undefined ? undefined : reachOf(destination),
      inventory: listFiles === undefined ? undefined : reachOf(listFiles.store),
    })
  }

  tell(message: ToHand): void {
    this.post(message)
  }

  private post(message: ToThread): void {
    this.worker.postMessage(message)
  }

  private storeOf(role: StoreRole): OpenStore | undefined {
    return role === 'inventory' ? this.ends.listFiles?.store : this.ends[role]
  }

  private async refresh(side: StoreRole): Promise<void> {
    const credentials = this.storeOf(side)?.credentials
    const renewal = (await credentials?.refresh()) ?? 'impossible'
    const current = credentials?.current
    if (current !== undefined) this.post({ type: 'credentials', side, current })
    this.post({ type: 'refreshed', side, renewal })
  }
}

function reachOf({ route, credentials }: OpenStore): StoreForThread {
  return { ...route, credentials: credentials?.current }
}
