import type { PageFacts } from '../page-facts.js'
import type { RangeClaim, ClaimableRanges, KeptRanges, PageVerdict } from '../work-source.js'

/** How far grants are settled: the number of the grant, the last settled key, and how many keys more than before. */
export type Cursor = readonly [grant: number, key: string, count: number]

/** What a thread that lists asks the thread that keeps the ranges. */
export type RangeRequest =
  | { readonly type: 'claim' }
  | { readonly type: 'page'; readonly grant: number; readonly facts: PageFacts }
  | { readonly type: 'trimmed'; readonly grant: number; readonly facts: PageFacts; readonly from: PageFacts }
  | { readonly type: 'release'; readonly grant: number }

/** What it is answered. Claims are answered in no particular order. */
export type RangeAnswer =
  | (Granted & { readonly type: 'grant'; readonly grant: number })
  | { readonly type: 'none' }
  | { readonly type: 'verdict'; readonly grant: number; readonly verdict: PageVerdict }

type Granted = Pick<RangeClaim, 'after' | 'until' | 'first' | 'named' | 'rows'>

type Send = (request: RangeRequest) => void

/**
 * The ranges of a keyspace that is kept in another thread. What is settled is collected until somebody takes it, so that it is
 * sent together with what came of it: whoever keeps the ranges can then take in both in one step.
 */
export class PortRanges implements ClaimableRanges {
  private readonly claims: ((grant: RangeClaim | undefined) => void)[] = []
  private readonly pages = new Map<number, (verdict: PageVerdict) => void>()
  private cursors = new Map<number, { key: string; count: number }>()
  private closed = false

  /** `flush` must send what is settled before it returns. */
  constructor(
    private readonly send: Send,
    private readonly flush: () => void,
  ) {}

  claim(): Promise<RangeClaim | undefined> {
    if (this.closed) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.claims.push(resolve)
      this.send({ type: 'claim' })
    })
  }

  close(): void {
    this.closed = true
    for (const resolve of this.claims.splice(0)) resolve(undefined)
  }

  /** Takes in an answer. A grant that nobody waits for any more is given back. */
  answered(answer: RangeAnswer): void {
    switch (answer.type) {
      case 'grant': {
        const resolve = this.claims.shift()
        if (resolve === undefined) this.send({ type: 'release', grant: answer.grant })
        else resolve(this.grant(answer.grant, answer))
        return
      }
      case 'none':
        this.claims.shift()?.(undefined)
        return
      case 'verdict': {
        const resolve = this.pages.get(answer.grant)
        this.pages.delete(answer.grant)
        resolve?.(answer.verdict)
      }
    }
  }

  /** How far the grants were settled since the last call. */
  takeCursors(): Cursor[] {
    const taken = [...this.cursors].map(([grant, { key, count }]): Cursor => [grant, key, count])
    this.cursors = new Map()
    return taken
  }

  private grant(grant: number, { after, until, first, named, rows }: Granted): RangeClaim {
    return {
      ...{ after, until, first, named, rows },
      accept: (facts) =>
        new Promise((resolve) => {
          this.pages.set(grant, resolve)
          this.send({ type: 'page', grant, facts })
        }),
      trimmed: (facts, from) => this.send({ type: 'trimmed', grant, facts, from }),
      settle: (key, count) => {
        const cursor = this.cursors.get(grant)
        if (cursor === undefined) this.cursors.set(grant, { key, count })
        else {
          cursor.key = key
          cursor.count += count
        }
      },
      release: () => {
        this.flush()
        this.send({ type: 'release', grant })
      },
    }
  }
}

/** Serves one thread the ranges of another. */
export class RangeServer {
  private readonly grants = new Map<number, RangeClaim>()
  private granted = 0
  private readonly gone = new AbortController()

  constructor(
    private readonly ranges: KeptRanges,
    private readonly send: (answer: RangeAnswer) => void,
  ) {}

  /** Carries out what the thread asks. */
  requested(request: RangeRequest): void {
    switch (request.type) {
      case 'claim':
        void this.claim()
        return
      case 'page':
        void this.accept(request.grant, request.facts)
        return
      case 'trimmed':
        this.grants.get(request.grant)?.trimmed(request.facts, request.from)
        return
      case 'release':
        this.grants.get(request.grant)?.release()
        this.grants.delete(request.grant)
    }
  }

  /** Moves the ranges of the thread on, in one synchronous step. */
  settle(cursors: readonly Cursor[]): void {
    for (const [grant, key, count] of cursors) this.grants.get(grant)?.settle(key, count)
  }

  /** The grant of the first of `cursors`. */
  first(cursors: readonly Cursor[]): RangeClaim | undefined {
    const [cursor] = cursors
    return cursor === undefined ? undefined : this.grants.get(cursor[0])
  }

  /** The thread is no more: what it held is work for others. */
  abandon(): void {
    this.gone.abort()
    for (const grant of this.grants.values()) grant.release()
    this.grants.clear()
  }

  private async claim(): Promise<void> {
    const { signal } = this.gone
    const grant = await this.ranges.claim(signal)
    if (grant === undefined) {
      if (!signal.aborted) this.send({ type: 'none' })
      return
    }
    if (signal.aborted) {
      grant.release()
      return
    }
    const number = ++this.granted
    this.grants.set(number, grant)
    const { after, until, first, named, rows } = grant
    this.send({ type: 'grant', grant: number, after, until, first, named, rows })
  }

  private async accept(number: number, facts: PageFacts): Promise<void> {
    const verdict = await this.grants.get(number)?.accept(facts)
    if (verdict !== undefined && !this.gone.signal.aborted) this.send({ type: 'verdict', grant: number, verdict })
  }
}
