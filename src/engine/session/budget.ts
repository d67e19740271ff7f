import type { Totals } from '../../job/totals.js'
import { CostReached } from './stop-reason.js'

/** What requests, and what objects were copied by them, have cost, in US$. */
export type SpentOf = (requests: Readonly<Record<string, number>>, totals: Readonly<Totals>) => number

/** What is needed to end a session that costs too much. */
export interface BudgetOptions {
  /** In US$, over all sessions. */
  readonly most: number
  /** What was spent so far. */
  readonly spent: () => number
  /** Called with what ends the session. */
  readonly fail: (error: unknown) => void
}

/** So many times what was spent since the last look may be spent until the next one, and by what is in flight then. */
const AHEAD = 3

/** Ends a session before it costs more than it may. */
export class Budget {
  private last: number | undefined

  constructor(private readonly options: BudgetOptions) {}

  /** Looks at what was spent; to be called several times a second, and before the first object. */
  look(): void {
    const { most, spent, fail } = this.options
    const now = spent()
    const ahead = now + AHEAD * (now - (this.last ?? now))
    this.last = now
    if (now >= most || ahead > most) fail(new CostReached(most, now))
  }
}
