/** How long what is settled counts for the rate, in milliseconds. */
const WINDOW = 5_000

/** How much a host settles, and how fast of late. */
export class HostPace {
  settled = 0
  private before = 0
  private now = 0
  private windowFrom: number

  /** It joined at the time `began`, in milliseconds. */
  constructor(private readonly began: number) {
    this.windowFrom = began
  }

  add(count: number, at: number): void {
    this.roll(at)
    this.settled += count
    this.now += count
  }

  /** Objects a second over the last five seconds, or since it joined. */
  perSecond(at: number): number {
    this.roll(at)
    const since = at - this.began
    if (since < WINDOW) return (this.now * 1000) / Math.max(since, 1)
    const left = 1 - (at - this.windowFrom) / WINDOW
    return ((this.before * left + this.now) * 1000) / WINDOW
  }

  private roll(at: number): void {
    const windows = Math.floor((at - this.windowFrom) / WINDOW)
    if (windows < 1) return
    this.before = windows === 1 ? this.now : 0
    this.now = 0
    this.windowFrom += windows * WINDOW
  }
}
