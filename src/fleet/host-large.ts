import type { UploadState } from '../checkpoint/checkpoint.js'
import type { LargeAtWork, LargeListener } from '../engine/workers/large-hand.js'
import { toImage } from '../engine/workers/messages.js'
import type { ToLarge } from './large-message.js'
import { failedOnWire, type FromMember } from './message.js'

/** How a host copies large objects. */
export interface LargeAtHost {
  /** How many at once. */
  readonly atOnce: number
  /** What it is told of is told to the run. */
  start(listener: LargeListener): LargeAtWork
}

/** The large objects that a member has in hand. */
export class LargeInHand {
  private readonly work: LargeAtWork
  /** Those whose upload is being saved by the run, and how they go on. */
  private readonly waiting = new Map<number, () => void>()
  private underWay = 0
  private isLeaving = false
  private isLost = false
  private emptied: (() => void) | undefined

  constructor(
    large: LargeAtHost,
    private readonly say: (message: FromMember) => void,
  ) {
    const fail = (error: unknown): void => say(failedOnWire(toImage(error)))
    this.work = large.start({ fail, notice: (notice) => say({ type: 'notice', notice }) })
  }

  told(message: ToLarge): void {
    switch (message.type) {
      case 'lend':
        // What is left aside is given back when it has left.
        if (!this.isLeaving) void this.copy(message)
        return
      case 'go-on':
        this.goOn(message.at)
        return
      case 'drain':
        this.work.stop(false)
    }
  }

  /** Begins no further part, or goes on. */
  hold(isHeld: boolean): void {
    this.work.hold(isHeld)
  }

  /** Says what was requested, if anything. */
  beat(): void {
    const meter = this.work.takeMeter()
    if (meter !== undefined) this.say({ type: 'meter', meter })
  }

  /** Gives all back; resolves when nothing of them is under way. */
  async leave(): Promise<void> {
    this.isLeaving = true
    this.work.stop(true)
    if (this.underWay > 0) await new Promise<void>((resolve) => (this.emptied = resolve))
  }

  /** Gives all up: they are those of others, as far as anybody knows. */
  abandon(): void {
    this.isLeaving = true
    this.isLost = true
    this.work.stop(true)
    for (const at of [...this.waiting.keys()]) this.goOn(at)
  }

  private async copy({ at, object, upload }: Extract<ToLarge, { readonly type: 'lend' }>): Promise<void> {
    const begun = async (upload: UploadState): Promise<void> => {
      this.say({ type: 'begun', at, upload })
      if (!this.isLost) await new Promise<void>((resolve) => this.waiting.set(at, resolve))
    }
    this.underWay++
    try {
      const outcome = await this.work.copy({ at, object, uploads: { before: upload, begun } })
      this.beat()
      this.say({ type: 'done', at, ...(outcome === undefined ? {} : { outcome }) })
    } catch (error) {
      this.say(failedOnWire(toImage(error)))
    }
    this.underWay--
    if (this.underWay === 0) this.emptied?.()
  }

  private goOn(at: number): void {
    this.waiting.get(at)?.()
    this.waiting.delete(at)
  }
}
