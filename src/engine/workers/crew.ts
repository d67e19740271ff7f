import type { HostActivity, Throttle } from '../../job/events.js'
import { addMeter } from '../../storage/retry.js'
import { RangeServer, type Cursor } from '../../sources/ranges/remote-ranges.js'
import type { Valve } from '../lanes/gate.js'
import { together } from '../lanes/pacer.js'
import type { Hand, HandListener, Lenders, LentWork } from './hand.js'
import { fromImage, type FromHand, type ToHand } from './messages.js'
import type { PoolWork, WorkerPool } from './worker-pool.js'

/** What a crew consists of. */
export interface CrewOptions {
  /** Those that are there from the beginning. */
  readonly hands: readonly Hand[]
  /** With them the task ends only when nothing of it is left, or it is stopped: without hands it waits for some. */
  readonly lenders?: Lenders | undefined
  /** What it tells of besides the task. */
  readonly told: LentWork['told']
  readonly close: () => void
}

/** Hands that work on a task together, and may join and leave meanwhile. */
export class Crew implements WorkerPool, Valve {
  private readonly atWork = new Set<HandAtWork>()
  private paused = false

  constructor(private readonly options: CrewOptions) {}

  get threads(): number {
    return this.atWork.size
  }

  get hosts(): readonly HostActivity[] | undefined {
    return this.options.lenders?.atWork
  }

  get inFlight(): number {
    let sum = 0
    for (const { pulse } of this.atWork) sum += pulse?.inFlight ?? 0
    return sum
  }

  get held(): Throttle | undefined {
    let held: Throttle | undefined
    for (const { pulse } of this.atWork) held = together(held, pulse?.held)
    return held
  }

  async run(work: PoolWork): Promise<void> {
    const { hands, lenders, told } = this.options
    const { ranges, stop, gate } = work
    let finished: () => void = () => undefined
    const end = new Promise<void>((resolve) => (finished = resolve))
    const look = (): void => {
      if (this.atWork.size === 0 && (lenders === undefined || ranges.done || stop.aborted)) finished()
    }
    const join = (hand: Hand): void => {
      const joined = new HandAtWork(hand, work, told, () => {
        this.atWork.delete(joined)
        look()
      })
      this.atWork.add(joined)
      joined.start()
      if (this.paused) hand.tell({ type: 'gate', action: 'pause' })
      if (stop.aborted) hand.tell({ type: 'drain' })
    }
    const drain = (): void => {
      ranges.close()
      this.tellAll({ type: 'drain' })
      look()
    }
    for (const hand of hands) join(hand)
    const detach = gate?.attach(this)
    if (stop.aborted) drain()
    else stop.addEventListener('abort', drain, { once: true })
    const shut = lenders?.open({ ...work, told }, join)
    look()
    await end
    await work.after?.()
    shut?.()
    stop.removeEventListener('abort', drain)
    detach?.()
  }

  close(): void {
    this.options.close()
  }

  pause(): void {
    this.paused = true
    this.tellAll({ type: 'gate', action: 'pause' })
  }

  probe(count: number): void {
    this.tellAll({ type: 'probe', count })
  }

  resume(): void {
    this.paused = false
    this.tellAll({ type: 'gate', action: 'resume' })
  }

  private tellAll(message: ToHand): void {
    for (const { hand } of this.atWork) hand.tell(message)
  }
}

/** A hand from the start of its task to the end. */
class HandAtWork implements HandListener {
  private readonly server: RangeServer
  private readonly order = new DeliveryOrder()
  private isGone = false
  private hasEnded = false
  /** The latest. */
  pulse: Extract<FromHand, { readonly type: 'pulse' }> | undefined

  constructor(
    readonly hand: Hand,
    private readonly work: PoolWork,
    private readonly told: LentWork['told'],
    /** Called when nothing of it is left. */
    private readonly left: () => void,
  ) {
    this.server = new RangeServer(work.ranges, (answer) => hand.tell(answer))
  }

  start(): void {
    this.hand.start(this.work.task, this)
  }

  said(message: FromHand): void {
    if (this.isGone) return
    const { server, order, work, told } = this
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
        this.pulse = message
        for (const [key, times] of message.refused ?? []) work.watch?.refused(key, times)
        addMeter(told.meter, message.meter)
        return
      case 'notice':
        told.notice(message.notice)
        return
      case 'failed':
        work.fail(fromImage(message.error))
        return
      case 'ended':
        order.behind(undefined, () => this.ended())
    }
  }

  gone(error?: Error): void {
    if (this.isGone) return
    this.isGone = true
    if (error !== undefined) {
      this.work.fail(error)
      this.ended()
      return
    }
    // What it delivered is being taken in: handed out before that, it would be counted twice.
    this.order.behind(undefined, () => this.ended())
  }

  private delivered({ cursors, product }: Extract<FromHand, { readonly type: 'delivery' }>): void {
    const { server, order } = this
    order.begun(cursors)
    const settle = (): void => {
      server.settle(cursors)
      for (const [, key, count] of cursors) this.work.watch?.settled(key, count)
      this.hand.tell({ type: 'settled' })
      order.settled(cursors)
    }
    this.work.deliver(product, settle, server.first(cursors))
  }

  private ended(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.isGone = true
    this.server.abandon()
    this.left()
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
