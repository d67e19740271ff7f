import type { RunEvent, Snapshot } from '../../job/events.js'

/** How long nothing may move, in milliseconds: a request is silent for a minute at most (`--read-timeout`), and waits for its next try for 20 s. */
const PATIENCE = 10 * 60_000
/** A session tells of itself several times a second. */
const RECENT = 10_000

/** Judges by what a session that writes tells of itself whether it stands still without a reason. Times are those of one clock, in milliseconds. */
export class Standstill {
  private counts = ''
  private movedAt = 0
  private toldAt = -Infinity
  private waits = false

  /** Takes in an event of then. */
  event(event: RunEvent, now: number): void {
    if (event.type !== 'progress') return
    this.toldAt = now
    const { totals, listed, requests, retried, throttled } = event.snapshot
    const counts = JSON.stringify([totals, listed, requests, retried, throttled])
    this.waits = waitsKnowingly(event.snapshot)
    if (counts === this.counts && !this.waits) return
    this.counts = counts
    this.movedAt = now
  }

  /** Whether nothing moves by now. Of what tells nothing it is not known, and answered with false. */
  isStill(now: number): boolean {
    return now - this.toldAt < RECENT && now - this.movedAt >= PATIENCE
  }
}

// What is in flight has time limits of its own, and of content that is sent slowly nothing is counted before it is there.
function waitsKnowingly({ inFlight, waiting, paused }: Snapshot): boolean {
  return inFlight > 0 || waiting !== undefined || paused !== undefined
}
