import { list, shape, text } from './schema.js'

/** From when to when, in ISO 8601. */
export interface Span {
  readonly from: string
  readonly to: string
}

/** What is known of the rounds before by a job that follows its source; nothing in the first one. */
export interface Follow {
  /**
   * When the last round began that left nothing undone, or else the first one, by the source's clock: no copy of ours is older than what was there by then.
   */
  readonly settled?: string
  /** When any of them was under way, by the destination's clock, the last one last. */
  readonly rounds?: readonly Span[]
}

export const spanShape = shape<Span>({ from: text, to: text }, {})

export const followShape = shape<Follow>({}, { settled: text, rounds: list(spanShape) })
