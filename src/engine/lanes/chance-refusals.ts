/** The part of its requests that a lane may be refused before that is a sign of a limit. */
const TOLERATED = 0.003
/** Where more is refused of all requests, there is a limit. */
const MOST_TOLERATED = 0.05
/** How long requests are counted before they are judged, in milliseconds. */
const SPAN = 2_000
/** While these are so few they are counted for so long, as the part that is refused of few says nothing. */
const FEW = 200
const LONGEST_SPAN = 8_000
/** By so many standard deviations more than that must be refused to show that there is a limit. */
const DEVIATIONS = 2
/** To this part of what was reached before the rate must have fallen to show that going slower is of no use. */
const FALLEN = 0.75
/** By what factor it must rise, and within how many milliseconds, to show that it was. */
const RISEN = 1.15
const PROOF = 15_000
/** So much more than what is refused by chance is tolerated, and so much of that is left after each span. */
const HEADROOM = 2
const FADING = 0.995
/** What is left of it after a span in which so little was refused that chance cannot explain half of it. */
const DISPROVED = 0.7
/** Lanes were held back for nothing when so many times as much turns out to be refused by chance. */
const QUICKENING = 1.5

/**
 * Which part of the requests of all lanes is refused by chance. A store that has enough of us refuses next to nothing as soon as it is asked
 * for a little less; one that answers 503 to one request in a hundred, whoever asks, goes on doing so however slow we become. So what is
 * refused of lanes that are not held back is noise; and where all are, and their rate has fallen by a quarter, and no smaller part is
 * refused, that part is. Noise is tolerated.
 */
export class ChanceRefusals {
  private part = TOLERATED
  private accepted = 0
  private turnedAway = 0
  /** Of these, those of lanes that are not held back. */
  private freely = 0
  private freelyRefused = 0
  private from: number
  /** Requests a second that were reached in a span; 0 when none is known since more was refused than chance explains. */
  private reached = 0
  /** In the span before, too, going slower was of no use: one alone may be the end of what had been saved up of a limit. */
  private suspected = false
  /** What must be reached by `due` to show that noise was found. */
  private owed = 0
  private due = 0

  /** `onFound` is called when part of what is refused is put down to chance. */
  constructor(
    private readonly now: () => number,
    private readonly onFound: () => void,
  ) {
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

  /** The store did as it was asked by a lane that is held back, or by one that is `free`. */
  granted(free: boolean): void {
    this.accepted++
    if (free) this.freely++
    if ((this.accepted & 63) === 0) this.judge()
  }

  /** A request was refused, of a lane that is held back or of one that is `free`. */
  refused(free: boolean): void {
    this.turnedAway++
    if (free) this.freelyRefused++
    this.judge()
  }

  /** A lane is held back that was not: what it was refused before was no chance. */
  changed(): void {
    this.freely = 0
    this.freelyRefused = 0
    if (!this.isLimit()) return
    this.reached = 0
    this.begin()
  }

  private judge(): void {
    const elapsed = this.now() - this.from
    const requests = this.accepted + this.turnedAway
    if (elapsed < SPAN || (requests < FEW && elapsed < LONGEST_SPAN)) return
    const refused = this.turnedAway / requests
    const rate = (this.accepted * 1000) / elapsed
    const inVain = refused > this.part && rate < FALLEN * this.reached
    if (this.isLimit()) this.limit()
    else if (inVain && this.suspected) {
      this.reached = rate
      this.owed = RISEN * rate
      this.due = this.now() + PROOF
      this.tolerate(refused)
    } else {
      this.reached = Math.max(this.reached, rate)
      if (this.reached < this.owed && this.now() > this.due) this.limit()
      else this.tolerate(this.freely >= FEW ? this.freelyRefused / (this.freely + this.freelyRefused) : 0)
    }
    this.suspected = inVain
    this.begin()
  }

  private tolerate(refused: number): void {
    const before = this.part
    const left = before * (HEADROOM * this.mostByChance() < before / 2 ? DISPROVED : FADING)
    this.part = Math.max(TOLERATED, left, HEADROOM * Math.min(MOST_TOLERATED, refused))
    if (this.part > QUICKENING * before) this.onFound()
  }

  // Chance strikes every request, so no larger part can have been refused by it than was refused at all; of none among n that is 3/n ("rule of three").
  private mostByChance(): number {
    const { accepted, turnedAway } = this
    return (turnedAway + DEVIATIONS * Math.sqrt(turnedAway) + 3) / (accepted + turnedAway)
  }

  private isLimit(): boolean {
    const most = MOST_TOLERATED * (this.accepted + this.turnedAway)
    return this.turnedAway > most + DEVIATIONS * Math.sqrt(most)
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
    this.freely = 0
    this.freelyRefused = 0
  }
}
