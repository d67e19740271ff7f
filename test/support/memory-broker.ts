import * as fc from 'fast-check'
import type { Broker, Clock, StreamEntry } from '../../src/fleet/broker.js'
import type { Scheduler } from './keyspace-session.js'

/** A clock that stands still until it is told to go on. */
export class StandingClock implements Clock {
  private time = 0
  private timers: { readonly at: number; readonly act: () => void }[] = []

  now(): number {
    return this.time
  }

  after(milliseconds: number, act: () => void): () => void {
    const timer = { at: this.time + milliseconds, act }
    this.timers.push(timer)
    return () => (this.timers = this.timers.filter((one) => one !== timer))
  }

  /** Goes on to the next timer. False where there is none. */
  next(): boolean {
    const [first] = this.timers.toSorted((a, b) => a.at - b.at)
    if (first === undefined) return false
    this.timers = this.timers.filter((one) => one !== first)
    this.time = Math.max(this.time, first.at)
    first.act()
    return true
  }

  /** Goes on by some time, whatever happens meanwhile. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds
    for (;;) {
      for (let i = 0; i < 8; i++) await new Promise<void>((resolve) => setImmediate(resolve))
      const [first] = this.timers.toSorted((a, b) => a.at - b.at)
      if (first === undefined || first.at > end) break
      this.next()
    }
    this.time = end
  }
}

/** How often, in a hundred, something goes wrong of what a broker is asked. */
export interface Trouble {
  /** It is not done, and nobody is told. */
  readonly lost: number
  /** It is done, and told to have failed. */
  readonly repeated: number
  /** All that is kept is forgotten. */
  readonly emptied: number
}

export const NO_TROUBLE: Trouble = { lost: 0, repeated: 0, emptied: 0 }

/** More or less of that. */
export const TROUBLE: fc.Arbitrary<Trouble> = fc.oneof(
  fc.constant(NO_TROUBLE),
  fc.record({ lost: fc.constantFrom(0, 3, 15), repeated: fc.constantFrom(0, 10), emptied: fc.constantFrom(0, 3) }),
)

/** What a host says and hears, unless it is cut off. */
export function cutOff(broker: Broker, isCut: () => boolean): Broker {
  const never = new Promise<never>(() => undefined)
  return {
    append: (stream, text) => (isCut() ? Promise.reject(new Error('cut off')) : broker.append(stream, text)),
    read: async (stream, after) => {
      if (isCut()) throw new Error('cut off')
      const found = await broker.read(stream, after)
      if (isCut()) throw new Error('cut off')
      return found
    },
    forget: (stream, id) => (isCut() ? never : broker.forget(stream, id)),
    announce: (name, text) => broker.announce(name, text),
    announced: () => broker.announced(),
    withdraw: (name, text) => broker.withdraw(name, text),
    publish: (name, text) => broker.publish(name, text),
    published: (name) => broker.published(name),
    close: () => undefined,
  }
}

/** A broker in memory: what it is asked takes its time, as the scheduler says. */
export class MemoryBroker implements Broker {
  private readonly streams = new Map<string, StreamEntry[]>()
  private readonly announcements = new Map<string, string>()
  private readonly statuses = new Map<string, string>()
  private number = 0
  /** All that was kept, ever. */
  readonly said: string[] = []

  constructor(
    private readonly clock: Clock,
    private readonly scheduler?: Scheduler,
    private readonly trouble: () => Trouble = () => NO_TROUBLE,
  ) {}

  async append(stream: string, text: string): Promise<void> {
    await this.answer(() => undefined)
    const { lost, repeated, emptied } = this.trouble()
    if (this.happens(emptied)) this.streams.clear()
    if (this.happens(lost)) return
    const id = String(++this.number).padStart(9, '0')
    this.said.push(text)
    this.streams.set(stream, [...(this.streams.get(stream) ?? []), { id, text }])
    if (this.happens(repeated)) throw new Error('the answer was lost')
  }

  async read(stream: string, after: string): Promise<readonly StreamEntry[]> {
    for (let patience = 0; patience < 20; patience++) {
      const found = await this.answer(() => (this.streams.get(stream) ?? []).filter(({ id }) => id > after))
      if (found.length > 0) return found
      await new Promise<void>((resolve) => this.clock.after(100, resolve))
    }
    return []
  }

  async forget(stream: string, id: string): Promise<void> {
    await this.answer(() =>
      this.streams.set(
        stream,
        (this.streams.get(stream) ?? []).filter((entry) => entry.id > id),
      ),
    )
  }

  announce(name: string, text: string): Promise<string> {
    const found = this.announcements.get(name)
    if (found === undefined) this.announcements.set(name, text)
    return Promise.resolve(found ?? text)
  }

  announced(): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map(this.announcements))
  }

  withdraw(name: string, text: string): Promise<void> {
    if (this.announcements.get(name) === text) this.announcements.delete(name)
    return Promise.resolve()
  }

  publish(name: string, text: string): Promise<void> {
    this.statuses.set(name, text)
    return Promise.resolve()
  }

  published(name: string): Promise<string | undefined> {
    return Promise.resolve(this.statuses.get(name))
  }

  close(): void {
    this.streams.clear()
  }

  private happens(percent: number): boolean {
    return percent > 0 && this.scheduler !== undefined && this.scheduler.below(100) < percent
  }

  private answer<T>(value: () => T): Promise<T> {
    return this.scheduler?.answer(value) ?? Promise.resolve(value())
  }
}
