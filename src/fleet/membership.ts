import type { Hand } from '../engine/workers/hand.js'
import type { FromHand } from '../engine/workers/messages.js'
import { addMeter } from '../storage/retry.js'
import { Mismatch } from '../job/schema.js'
import type { LentTask } from './announcement.js'
import { inStream, toStream, type Broker, type Clock } from './broker.js'
import { LargeInHand, type LargeAtHost } from './host-large.js'
import { Link } from './link.js'
import { onWire, toLent, toMember, type FromMember } from './message.js'
import { readStream } from './read-stream.js'
import { Inbox, readEntry } from './wire.js'

/** What is said is answered by then, in milliseconds, or nothing more is begun. */
const HOLD = 1_000
/** And by then, or the membership is ended: before the run gives what it holds to others. */
const GIVE_UP = 6_000
/** Something is said so often. */
const BEAT = 500

/** How a membership ended. */
export type MembershipEnd =
  /** Nothing is left to be done. */
  | { readonly end: 'over' }
  /** It left, and holds nothing. */
  | { readonly end: 'left' }
  | { readonly end: 'dismissed' | 'lost'; readonly reason: string }

/** What a membership is of. */
export interface MembershipOptions {
  readonly broker: Broker
  readonly clock: Clock
  readonly name: string
  readonly session: string
  /** Used once. */
  readonly member: string
  /** As people know it. */
  readonly host: string
  /** What it was before in this session: that is no more. */
  readonly instead?: string | undefined
  readonly task: LentTask
  readonly hands: readonly Hand[]
  /** Absent where it copies no large objects. */
  readonly large?: LargeAtHost | undefined
  /** Aborted when it is to leave: nothing more is begun, what is in flight ends. */
  readonly leave: AbortSignal
  /** Aborted when it is to end at once. */
  readonly abandon: AbortSignal
}

type Pulse = Extract<FromHand, { readonly type: 'pulse' }>

/** The host's side of a run: its hands work on the ranges that the run keeps. Once it has ended, they are to be ended as well. */
export class Membership {
  private readonly inbox = new Inbox()
  private readonly link: Link
  private readonly pulses = new Map<number, Pulse>()
  private readonly atWork = new Set<number>()
  private readonly large: LargeInHand | undefined
  private isPaused = false
  private isHolding = false
  private isLeaving = false
  private hasGivenBack = false
  private hasEnded = false
  private resolve: (end: MembershipEnd) => void = () => undefined

  constructor(private readonly options: MembershipOptions) {
    const { broker, clock, name, session, member, large } = options
    this.link = new Link({ broker, clock, stream: inStream(name, session), member, inbox: this.inbox })
    this.large = large && new LargeInHand(large, (message) => this.link.say(0, message))
  }

  /** Resolves when it has ended, however that came. */
  async run(): Promise<MembershipEnd> {
    const { hands, large, host, instead, leave, abandon } = this.options
    const leaving = (): void => this.leave()
    const abandoning = (): void => this.end({ end: 'left' })
    const ended = new Promise<MembershipEnd>((resolve) => (this.resolve = resolve))
    const lent = { hands: hands.length, large: large?.atOnce ?? 0 }
    this.link.say(0, { type: 'join', host, ...lent, instead } satisfies FromMember)
    leave.addEventListener('abort', leaving)
    abandon.addEventListener('abort', abandoning)
    if (leave.aborted) leaving()
    if (abandon.aborted) abandoning()
    void this.listen()
    this.tick()
    const end = await ended
    leave.removeEventListener('abort', leaving)
    abandon.removeEventListener('abort', abandoning)
    return end
  }

  private async listen(): Promise<void> {
    const { broker, clock, name, session, member } = this.options
    const entry = (text: string): void => this.entry(text)
    await readStream(toStream(name, session, member), { broker, clock, entry, isOver: () => this.isOver() })
  }

  private entry(text: string): void {
    try {
      const { n, h, d } = readEntry(text)
      const received = this.inbox.receive(n)
      if (received === 'again') return
      if (received === 'missing') throw new Mismatch('something that the run said was lost on the way')
      this.link.heard(h)
      for (const [hand, message] of d) if (!this.isOver()) this.told(hand, message)
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error
      this.end({ end: 'lost', reason: error.message })
    }
  }

  private told(number: number, message: unknown): void {
    if (number === 0) {
      const told = toMember(message, 'd')
      if (told.type === 'over') this.end({ end: 'over' })
      else if (told.type === 'void') this.end({ end: told.dismissed ? 'dismissed' : 'lost', reason: told.reason })
      else if (told.type !== 'welcome') this.large?.told(told)
      return
    }
    const hand = this.options.hands[number - 1]
    if (hand === undefined) throw new Mismatch(`the run spoke to hand ${number}, which is not here`)
    const told = toLent(message, 'd')
    if (told.type === 'start') this.start(hand, number)
    else if (told.type === 'gate') this.gate(told.action)
    else hand.tell(told)
  }

  private start(hand: Hand, number: number): void {
    this.atWork.add(number)
    hand.start(this.options.task, {
      said: (message) => this.said(number, message),
      gone: (error) => {
        this.link.say(number, { type: 'gone' })
        this.ended(number)
        if (error !== undefined && this.atWork.size === 0) this.end({ end: 'lost', reason: error.message })
      },
    })
    if (this.isPaused || this.isHolding) hand.tell({ type: 'gate', action: 'pause' })
    if (this.isLeaving) hand.tell({ type: 'drain' })
  }

  private said(number: number, message: FromHand): void {
    if (this.isOver()) return
    if (message.type === 'pulse') {
      const before = this.pulses.get(number)
      this.pulses.set(number, before === undefined ? copied(message) : added(before, message))
      return
    }
    if (message.type === 'ended') this.pulse(number)
    this.link.say(number, onWire(message))
    if (message.type === 'ended') this.ended(number)
  }

  private ended(number: number): void {
    this.atWork.delete(number)
    this.lookIfLeft()
  }

  // Who leaves of its own accord gives back all it has; who has nothing more to do waits to be told that it is over.
  private leave(): void {
    if (this.isLeaving) return
    this.isLeaving = true
    for (const number of this.atWork) this.options.hands[number - 1]?.tell({ type: 'drain' })
    const given = (): void => {
      this.hasGivenBack = true
      this.lookIfLeft()
    }
    if (this.large === undefined) given()
    else void this.large.leave().then(given)
  }

  private lookIfLeft(): void {
    if (this.hasGivenBack && this.atWork.size === 0) void this.left()
  }

  private async left(): Promise<void> {
    this.link.say(0, { type: 'leave' } satisfies FromMember)
    await this.link.end()
    this.end({ end: 'left' })
  }

  // What the run holds back stays so however well it answers.
  private gate(action: 'pause' | 'resume'): void {
    this.isPaused = action === 'pause'
    if (!this.isHolding) this.tellAll({ type: 'gate', action })
  }

  private hold(holding: boolean): void {
    if (this.isHolding === holding) return
    this.isHolding = holding
    this.large?.hold(holding)
    if (!this.isPaused) this.tellAll({ type: 'gate', action: holding ? 'pause' : 'resume' })
  }

  private tellAll(message: Parameters<Hand['tell']>[0]): void {
    for (const number of this.atWork) this.options.hands[number - 1]?.tell(message)
  }

  private tick(): void {
    const { clock } = this.options
    let beaten = clock.now()
    const look = (): void => {
      if (this.isOver()) return
      const { unheardFor } = this.link
      if (unheardFor > GIVE_UP) {
        this.end({ end: 'lost', reason: `the run has not answered for ${GIVE_UP / 1000} seconds` })
        return
      }
      this.hold(unheardFor > HOLD)
      if (clock.now() - beaten >= BEAT) {
        beaten = clock.now()
        for (const number of this.pulses.keys()) this.pulse(number)
        this.large?.beat()
        this.link.beat()
      }
      clock.after(BEAT / 2, look)
    }
    clock.after(BEAT / 2, look)
  }

  private pulse(number: number): void {
    const pulse = this.pulses.get(number)
    this.pulses.delete(number)
    if (pulse !== undefined) this.link.say(number, pulse, false)
  }

  private end(end: MembershipEnd): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.link.close()
    this.large?.abandon()
    this.resolve(end)
  }

  // It may end while something is awaited.
  private isOver(): boolean {
    return this.hasEnded
  }
}

// The thread goes on to count in the one that it gave.
function copied(pulse: Pulse): Pulse {
  return { ...pulse, meter: { ...pulse.meter, requests: { ...pulse.meter.requests } } }
}

function added(before: Pulse, pulse: Pulse): Pulse {
  const { meter } = copied(before)
  addMeter(meter, pulse.meter)
  const refused = [...(before.refused ?? []), ...(pulse.refused ?? [])]
  return { ...pulse, meter, refused: refused.length === 0 ? undefined : refused }
}
