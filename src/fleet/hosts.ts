import type { Hand, HandListener, Lenders, LentWork } from '../engine/workers/hand.js'
import type { ToHand } from '../engine/workers/messages.js'
import type { Task } from '../engine/workers/worker-pool.js'
import type { WriteProduct } from '../engine/workers/tasks.js'
import { UserError } from '../errors.js'
import type { HostActivity } from '../job/events.js'
import { Mismatch } from '../job/schema.js'
import { sum } from '../job/totals.js'
import { addMeter } from '../storage/retry.js'
import type { Announcement, LentTask } from './announcement.js'
import { inStream, toStream, type Broker, type Clock } from './broker.js'
import { HostPace } from './host-pace.js'
import { LentLargeHand } from './lent-large.js'
import { Link } from './link.js'
import { fromLent, fromMember, type FromLent, type FromMember, type ToLent, type ToMember } from './message.js'
import { readStream } from './read-stream.js'
import { Inbox, readEntry, type Said } from './wire.js'

/** How long a host may be silent, in milliseconds; it gives up by itself before that. */
const MOST_SILENCE = 15_000
/** An announcement is renewed so often. */
const RENEW = 2_000
/** How the run is doing is told so often. */
const PUBLISH = 1_000
/** How long another session's announcement of the same name is waited for: it ends by itself when nobody renews it. */
const MOST_WAIT = 12_000
/** A host of whose first objects so many failed alike, and none was done, is not lent again. */
const FUTILE = 1_000
/** How long hosts are told for that it is over. */
const FAREWELL = 2_000

/** What the run's side needs. */
export interface HostsOptions {
  readonly broker: Broker
  readonly clock: Clock
  readonly announcement: Omit<Announcement, 'task'>
  /** Whether the run has threads of its own: else it ends when every host that came was dismissed. */
  readonly hasThreads: boolean
  readonly note: (level: 'info' | 'warning', message: string) => void
  /** How the run is doing, for who asks at the Redis. */
  readonly status: () => Promise<string>
}

/** The run's side of a fleet: hosts join, and each of their threads is a hand. */
export class Hosts implements Lenders {
  private readonly members = new Map<string, Member>()
  /** By what name each was refused or given up, and told so. */
  private readonly over = new Set<string>()
  private readonly dismissed = new Set<string>()
  private isOpen = false
  private text = ''
  private readonly endings: Promise<void>[] = []

  constructor(private readonly options: HostsOptions) {}

  get atWork(): readonly HostActivity[] {
    const now = this.options.clock.now()
    return [...this.members.values()].map(({ host, hands, pace }) => ({
      ...{ host, threads: hands.length, settled: pace.settled, perSecond: pace.perSecond(now) },
    }))
  }

  open(work: LentWork, join: (hand: Hand) => void): () => void {
    const { announcement } = this.options
    const task = lentTask(work.task)
    this.isOpen = true
    this.text = JSON.stringify({ ...announcement, task } satisfies Announcement)
    const run: Run = { ...work, task, join }
    work.stop.addEventListener('abort', () => this.drain(), { once: true })
    void this.announce(run, this.options.clock.now())
    void this.listen(run)
    void this.publish()
    this.watch(run)
    return () => this.close()
  }

  /** Resolves when hosts have been told that it is over, or cannot be told. */
  async ended(): Promise<void> {
    await Promise.all(this.endings)
  }

  private close(): void {
    const { broker, clock, announcement } = this.options
    this.isOpen = false
    const withdrawn = broker.withdraw(announcement.name, this.text).catch(() => undefined)
    const told = [...this.members.values()].map(async (member) => {
      member.tell({ type: 'over' })
      await member.link.end()
    })
    this.members.clear()
    let giveUp: () => void = () => undefined
    const late = new Promise<void>((resolve) => (giveUp = resolve))
    const cancel = clock.after(FAREWELL, giveUp)
    this.endings.push(Promise.race([Promise.all([withdrawn, ...told]).then(cancel), late]))
  }

  // Hands are told by who gives them work.
  private drain(): void {
    for (const member of this.members.values()) member.tell({ type: 'drain' })
  }

  private async announce(run: Run, since: number): Promise<void> {
    const { broker, clock, announcement } = this.options
    while (!this.isClosed()) {
      const found = await broker.announce(announcement.name, this.text).catch(() => undefined)
      if (found === this.text) since = clock.now()
      else if (found !== undefined && clock.now() - since > MOST_WAIT && !this.isClosed()) {
        run.fail(
          new UserError(
            `another run is announced there by the name ${announcement.name}`,
            'resume this one with another --fleet-name',
          ),
        )
        return
      }
      await this.pause(RENEW)
    }
  }

  // Who asks is told nothing as long as it cannot be told.
  private async publish(): Promise<void> {
    const { broker, announcement, status } = this.options
    while (!this.isClosed()) {
      await this.pause(PUBLISH)
      if (this.isClosed()) return
      await status()
        .then((text) => broker.publish(announcement.name, text))
        .catch(() => undefined)
    }
  }

  private async listen(run: Run): Promise<void> {
    const { broker, clock, announcement } = this.options
    const entry = (text: string): void => this.entry(text, run)
    const stream = inStream(announcement.name, announcement.session)
    await readStream(stream, { broker, clock, entry, isOver: () => this.isClosed() })
  }

  private entry(text: string, run: Run): void {
    let entry: ReturnType<typeof readEntry>
    try {
      entry = readEntry(text)
    } catch (error) {
      // Nobody knows whose it is: its number will be missing.
      if (error instanceof Mismatch) return
      throw error
    }
    const member = this.members.get(entry.m)
    if (member === undefined) {
      this.stranger(entry.m, entry.n, entry.d, run)
      return
    }
    const received = member.inbox.receive(entry.n)
    if (received === 'again') return
    if (received === 'missing') {
      this.end(member, run, 'something that it said was lost on the way')
      return
    }
    member.heardAt = this.options.clock.now()
    member.link.heard(entry.h)
    member.link.beat()
    for (const [hand, message] of entry.d) {
      if (this.members.get(member.name) !== member) return
      try {
        this.said(member, hand, message, run)
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error
        this.end(member, run, `what it said is not understood: ${error.message}`)
      }
    }
  }

  // Who joins; what is said by one who is no member any more is answered once.
  private stranger(name: string, number: number, said: readonly Said[], run: Run): void {
    if (this.over.has(name)) return
    const [hand, message] = said[0] ?? []
    let join: ReturnType<typeof fromMember> | undefined
    try {
      join = hand === 0 && number === 1 ? fromMember(message, 'd') : undefined
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error
    }
    const { broker, clock, announcement } = this.options
    const inbox = new Inbox()
    const stream = toStream(announcement.name, announcement.session, name)
    const link = new Link({ broker, clock, stream, member: name, inbox })
    if (join?.type !== 'join' || this.dismissed.has(join.host)) {
      this.over.add(name)
      const reason = join === undefined ? 'it was not heard of for too long' : 'it was dismissed from this run'
      link.say(0, { type: 'void', reason, dismissed: join !== undefined } satisfies ToMember)
      void link.end()
      return
    }
    const before = join.instead === undefined ? undefined : this.members.get(join.instead)
    if (before !== undefined) this.end(before, run, 'it joined anew')
    inbox.receive(number)
    const member = new Member(name, join, link, inbox, clock.now())
    this.members.set(name, member)
    member.tell({ type: 'welcome' })
    this.options.note('info', `${member.host} lends ${join.hands} ${join.hands === 1 ? 'thread' : 'threads'}`)
    for (let number = 1; number <= join.hands; number++) {
      const hand = new LentHand(number, link)
      member.hands.push(hand)
      run.join(hand)
    }
    if (run.large !== undefined && join.large > 0) member.large.join(run.large)
  }

  private said(member: Member, number: number, message: unknown, run: Run): void {
    if (number === 0) {
      this.saidOfItself(member, fromMember(message, 'd'), run)
      return
    }
    const hand = member.hands[number - 1]
    if (hand === undefined) throw new Mismatch(`it has no hand ${number}`)
    const found = fromLent(run.task)(message, 'd')
    if (found.type === 'failed') {
      const { error } = found
      this.failed(member, error.message, error.kind === 'user' ? error.hint : undefined, run)
      return
    }
    if (found.type === 'delivery') {
      for (const [, , count] of found.cursors) member.pace.add(count, this.options.clock.now())
      const futile = run.task.kind === 'write' ? member.futility(found.product as WriteProduct) : undefined
      hand.said(found)
      if (futile !== undefined) this.end(member, run, `all of its first objects failed with ${futile}`, true)
      return
    }
    hand.said(found)
  }

  private saidOfItself(member: Member, found: FromMember, run: Run): void {
    switch (found.type) {
      case 'join':
        throw new Mismatch('it has joined already')
      case 'leave':
        this.leave(member)
        return
      case 'begun':
      case 'done':
        if (member.large.said(found)) member.pace.add(1, this.options.clock.now())
        return
      case 'meter':
        addMeter(run.told.meter, found.meter)
        return
      case 'notice':
        run.told.notice(found.notice)
        return
      case 'failed':
        this.failed(member, found.message, found.hint, run)
    }
  }

  private failed(member: Member, message: string, hint: string | undefined, run: Run): void {
    this.end(member, run, hint === undefined ? message : `${message} (${hint})`, true)
  }

  private leave(member: Member): void {
    this.members.delete(member.name)
    this.over.add(member.name)
    this.options.note('info', `${member.host} has left`)
    member.gone()
    void member.link.end()
  }

  /** Gives a host up: what it holds is done by others. */
  private end(member: Member, run: Run, reason: string, dismissed = false): void {
    this.members.delete(member.name)
    this.over.add(member.name)
    if (dismissed) this.dismissed.add(member.host)
    member.tell({ type: 'void', reason, dismissed })
    void member.link.end()
    const what = dismissed ? 'was dismissed' : 'was given up'
    this.options.note('warning', `${member.host} ${what}, and others do what it had: ${reason}`)
    member.gone()
    if (!dismissed || this.options.hasThreads || this.members.size > 0) return
    run.fail(
      new UserError(
        `every host that came was dismissed, and this one has no threads of its own; the last was ${member.host}: ${reason}`,
        'see to the hosts, or leave --threads 0 away; then resume the run',
      ),
    )
  }

  private watch(run: Run): void {
    const { clock } = this.options
    const look = (): void => {
      if (!this.isOpen) return
      for (const member of [...this.members.values()]) {
        if (clock.now() - member.heardAt <= MOST_SILENCE) continue
        this.end(member, run, `nothing was heard of it for ${MOST_SILENCE / 1000} seconds`)
      }
      clock.after(1_000, look)
    }
    clock.after(1_000, look)
  }

  // It may be closed while something is awaited.
  private isClosed(): boolean {
    return !this.isOpen
  }

  private async pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => this.options.clock.after(milliseconds, resolve))
  }
}

interface Run extends LentWork {
  readonly task: LentTask
  readonly join: (hand: Hand) => void
}

function lentTask(task: Task): LentTask {
  if (task.kind !== 'write' && task.kind !== 'comparison') throw new Error(`hosts cannot be lent for ${task.kind}`)
  return task
}

type Joining = Extract<FromMember, { readonly type: 'join' }>

/** One membership of a host. */
class Member {
  readonly host: string
  readonly hands: LentHand[] = []
  readonly pace: HostPace
  readonly large: LentLargeHand
  private failedWith: string | undefined
  private failed = 0

  constructor(
    readonly name: string,
    { host, large }: Pick<Joining, 'host' | 'large'>,
    readonly link: Link,
    readonly inbox: Inbox,
    public heardAt: number,
  ) {
    this.host = host
    this.pace = new HostPace(heardAt)
    this.large = new LentLargeHand(large, (message) => this.tell(message))
  }

  tell(message: ToMember): void {
    this.link.say(0, message)
  }

  /** What it holds is work for others. */
  gone(): void {
    for (const hand of this.hands) hand.gone()
    this.large.gone()
  }

  /** The code of which all has failed that it has done, once that is much. */
  futility({ gain: { totals, added } }: WriteProduct): string | undefined {
    const [code, ...others] = Object.keys(totals.failed)
    const isAlike = others.length === 0 && (code === undefined || code === (this.failedWith ?? code))
    if (!isAlike || added > sum(totals.failed)) this.failed = -Infinity
    this.failedWith ??= code
    this.failed += added
    return this.failed >= FUTILE ? this.failedWith : undefined
  }
}

/** What nobody waits for may wait for company. */
const UNHURRIED: ReadonlySet<ToHand['type']> = new Set(['settled'])

/** A thread of another host. */
class LentHand implements Hand {
  private listener: HandListener | undefined

  constructor(
    private readonly number: number,
    private readonly link: Link,
  ) {}

  start(_task: Task, listener: HandListener): void {
    this.listener = listener
    // What it is to do was announced, and is what its host looked at.
    this.link.say(this.number, { type: 'start' } satisfies ToLent)
  }

  tell(message: ToHand): void {
    // A page is long, and listed again as soon.
    const told = message.type === 'grant' ? { ...message, first: undefined } : message
    this.link.say(this.number, told, !UNHURRIED.has(message.type))
  }

  said(message: FromLent): void {
    if (message.type === 'gone') this.gone()
    else this.listener?.said(message)
  }

  gone(): void {
    this.listener?.gone()
  }
}
