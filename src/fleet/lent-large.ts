import type { Outcome } from '../job/outcome.js'
import { LARGE_AT_ONCE, type LargeHand, type LargeQueue, type LargeTask } from '../engine/workers/large-hand.js'
import type { FromLarge, ToLarge } from './large-message.js'

interface InHand extends Pick<LargeTask, 'uploads'> {
  readonly resolve: (outcome: Outcome | undefined) => void
}

/** A host that copies large objects. What it has in hand when it goes is given back, with what it has uploaded. */
export class LentLargeHand implements LargeHand {
  readonly atOnce: number
  private readonly inHand = new Map<number, InHand>()
  private isGone = false
  private leave: () => void = () => undefined

  /** `wanted` is how many it takes at once, at most. */
  constructor(
    wanted: number,
    private readonly tell: (message: ToLarge) => void,
  ) {
    this.atOnce = Math.min(wanted, LARGE_AT_ONCE)
  }

  /** Lets it have some of these. */
  join(queue: LargeQueue): void {
    this.leave = queue.join(this)
  }

  async copy({ at, object, uploads }: LargeTask): Promise<Outcome | undefined> {
    if (this.isGone) return undefined
    const { key, size, etag, lastModified, storageClass } = object
    const { before } = uploads
    this.tell({
      ...{ type: 'lend', at, object: { key, size, etag, lastModified, storageClass } },
      ...(before === undefined ? {} : { upload: before }),
    })
    return await new Promise((resolve) => this.inHand.set(at, { uploads, resolve }))
  }

  /** Answers whether an object has got its outcome. */
  said(message: FromLarge): boolean {
    const { at } = message
    const found = this.inHand.get(at)
    if (found === undefined) return false
    if (message.type === 'begun') {
      void found.uploads.begun(message.upload).then(() => {
        if (!this.isGone) this.tell({ type: 'go-on', at })
      })
      return false
    }
    const { outcome } = message
    // Who gives one back is about to leave.
    if (outcome === undefined) this.leave()
    this.inHand.delete(at)
    found.resolve(outcome)
    return outcome !== undefined
  }

  gone(): void {
    this.isGone = true
    this.leave()
    for (const { resolve } of this.inHand.values()) resolve(undefined)
    this.inHand.clear()
  }
}
