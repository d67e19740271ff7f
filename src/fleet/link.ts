import type { Broker, Clock } from './broker.js'
import { Outbox, type Inbox } from './wire.js'

/** How long what is waited for may wait for company, in milliseconds. */
const SOON = 10
/** The same of what nobody waits for. */
const LATER = 100
/** An entry that could not be appended is appended again after so long. */
const AGAIN = 250

/** What a link is between. */
export interface LinkOptions {
  readonly broker: Broker
  readonly clock: Clock
  readonly stream: string
  readonly member: string
  /** What is heard of the other side. */
  readonly inbox: Inbox
}

/** One direction of a membership: what is said arrives in order, each once, or a number is missing. */
export class Link {
  private readonly outbox: Outbox
  private due: number | undefined
  private cancel: () => void = () => undefined
  private isAppending = false
  private isClosed = false
  private emptied: (() => void) | undefined

  constructor(private readonly options: LinkOptions) {
    this.outbox = new Outbox(options.member)
  }

  /** How long the other side has not told to have heard what was said, in milliseconds. */
  get unheardFor(): number {
    const since = this.outbox.unheardSince
    return since === undefined ? 0 : this.options.clock.now() - since
  }

  say(hand: number, message: object, awaited = true): void {
    if (this.isClosed) return
    this.outbox.say(hand, message)
    this.within(awaited ? SOON : LATER)
  }

  /** Says something, if nothing else then how far the other side was heard. */
  beat(): void {
    this.within(LATER)
  }

  /** The other side has heard up to this number. */
  heard(number: number): void {
    this.outbox.heard(number)
  }

  /** Says nothing more, once what was said is on its way. */
  async end(): Promise<void> {
    if (this.outbox.isEmpty && !this.isAppending) this.close()
    else {
      this.within(0)
      await new Promise<void>((resolve) => (this.emptied = resolve))
    }
  }

  /** Says nothing more. */
  close(): void {
    this.isClosed = true
    this.cancel()
    this.emptied?.()
  }

  private within(milliseconds: number): void {
    if (this.isClosed) return
    const { clock } = this.options
    const due = clock.now() + milliseconds
    if (this.due !== undefined && this.due <= due) return
    this.due = due
    // While an entry is being appended, again and again perhaps, what is said waits for that.
    if (this.isAppending) return
    this.cancel()
    this.cancel = clock.after(milliseconds, () => this.append())
  }

  private append(): void {
    const { inbox, clock } = this.options
    this.due = undefined
    this.isAppending = true
    this.attempt(this.outbox.seal(inbox.heard, clock.now()))
  }

  // The same number again: whether it was appended is not known.
  private attempt(entry: string): void {
    const { broker, clock, stream } = this.options
    if (this.isClosed) return
    broker.append(stream, entry).then(
      () => this.appended(),
      () => (this.cancel = clock.after(AGAIN, () => this.attempt(entry))),
    )
  }

  private appended(): void {
    this.isAppending = false
    if (this.emptied !== undefined && this.outbox.isEmpty) {
      this.close()
      return
    }
    if (this.due === undefined && this.outbox.isEmpty) return
    const due = this.due ?? 0
    this.due = undefined
    this.within(Math.max(0, due - this.options.clock.now()))
  }
}
