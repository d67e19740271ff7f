/** The part of its requests that a lane may be refused before that is a sign of a limit. */
const TOLERATED = 0.003
/** More is never put down to chance. */
const MOST_TOLERATED = 0.05
/** How long requests are counted before they are judged, in milliseconds. */
const SPAN = 2_000
/** To this part of what was reached before the rate must have fallen to show that going slower is of no use. */
const FALLEN = 0.75
/** By what factor it must rise, and within how many milliseconds, to show that it was. */
const RISEN = 1.15
const PROOF = 15_000
/** So much more than what is refused by chance is tolerated, and so much of that is left after each span. */
const HEADROOM = 2
const FADING = 0.995

/**
 * Which part of the requests of all lanes is refused by chance. A store that has enough of us refuses next to nothing as soon as it is asked
 * for a little less; one that answers 503 to one request in a hundred, whoever asks, goes on doing so however slow we become. So where the
 * rate of all lanes has fallen by a quarter and no smaller part is refused, that part is noise, and tolerated.
 */
export class Noise {
  private part = TOLERATED
  private accepted = 0
  private turnedAway = 0
  private from: number
  /** Requests a second that were reached in a span; 0 when none is known since more was refused than chance explains. */
  private reached = 0
  /** In the span before, too, going slower was of no use: one alone may be the end of what had been saved up of a limit. */
  private suspected = false
  /** What must be reached by `due` to show that noise was found. */
  private owed = 0
  private due = 0

  constructor(private readonly now: () => number) {
    this.from = now()
  }

  /** The part of its requests that a lane may be refused before that is a sign of a limit. */
  get tolerated(): number {
    return this.part
  }

  /** How much of that is there only since noise was found. */
  get found(): number {
    return this.part - TOLERATED
  }

  /** The store did as it was asked. */
  granted(): void {
    this.accepted++
    if ((this.accepted & 63) === 0) this.judge()
  }

  /** A request was refused. */
  refused(): void {
    this.turnedAway++
    this.judge()
  }

  /** A lane is held back that was not: what all reach may be less from now on. */
  changed(): void {
    this.reached = 0
    this.begin()
  }

  private judge(): void {
    const elapsed = this.now() - this.from
    if (elapsed < SPAN) return
    const refused = this.turnedAway / (this.accepted + this.turnedAway)
    const rate = (this.accepted * 1000) / elapsed
    const inVain = refused > this.part && rate < FALLEN * this.reached
    if (refused > MOST_TOLERATED) this.limit()
    else if (inVain && this.suspected) {
      this.part = Math.min(MOST_TOLERATED, HEADROOM * refused)
      this.reached = rate
      this.owed = RISEN * rate
      this.due = this.now() + PROOF
    } else {
      this.reached = Math.max(this.reached, rate)
      if (this.reached < this.owed && this.now() > this.due) this.limit()
      else this.part = Math.max(TOLERATED, this.part * FADING)
    }
    this.suspected = inVain
    this.begin()
  }

  // There is one: nothing can be put down to chance.
  private limit(): void {
    this.part = TOLERATED
    this.reached = 0
    this.owed = 0
  }

  private begin(): void {
    this.from = this.now()
    this.accepted = 0
    this.turnedAway = 0
  }
}
