import type { Hand } from '../engine/workers/hand.js'
import { isAborted, sleep } from '../abort.js'
import { UserError } from '../errors.js'
import { Mismatch } from '../job/schema.js'
import { FLEET_FORMAT, readAnnouncement, type Announcement } from './announcement.js'
import type { Broker, Clock } from './broker.js'
import type { LargeAtHost } from './host-large.js'
import { whyNot, type Allowed } from './lendable.js'
import { Membership, type MembershipEnd } from './membership.js'

/** Runs are looked for so often, in milliseconds. */
const LOOK = 1_000

/** The threads of a host, and what they need. */
export interface OpenHands {
  readonly hands: readonly Hand[]
  readonly large: LargeAtHost | undefined
  close(): void
}

/** What a host needs. */
export interface HostOptions {
  readonly broker: Broker
  readonly clock: Clock
  /** As `s3move --version` has it. */
  readonly program: string
  /** As people know it; no other has the same. */
  readonly host: string
  readonly allowed: Allowed
  /** The only run that it is for. */
  readonly name?: string | undefined
  /** Whether it ends with the first run that it worked on. */
  readonly once: boolean
  /** Opens the stores of a run with what this machine has; what is in the way is a `UserError`. */
  readonly open: (announcement: Announcement) => Promise<OpenHands>
  readonly say: (level: 'info' | 'warning', message: string) => void
  /** Aborted when it is to end in order, and at once. */
  readonly leave: AbortSignal
  readonly abandon: AbortSignal
}

/** How a host ended. */
export type HostEnd = 'left' | 'over' | 'dismissed'

/** Lends the threads of this process to one run after the other. */
export class Host {
  /** Sessions that it is not to join, or not any more. */
  private readonly done = new Set<string>()
  private members = 0
  /** What it was in the session that it was in last. */
  private before: { readonly session: string; readonly member: string } | undefined

  constructor(private readonly options: HostOptions) {}

  /** Resolves when it was told to end, or with `once` when a run is over. */
  async run(): Promise<HostEnd> {
    const { leave, once, say } = this.options
    while (!isAborted(leave)) {
      const found = await this.look()
      const ended = found === undefined ? undefined : await this.lend(found)
      if (found !== undefined && ended !== undefined) {
        const { name, session } = found
        if (ended.end === 'left') return 'left'
        if (ended.end === 'over') say('info', `${name} is over`)
        if (ended.end === 'dismissed')
          say(
            'warning',
            `${name} wants no more of this host: ${ended.reason}; see to that, and start this worker again`,
          )
        if (ended.end === 'lost') say('warning', `the connection with ${name} was lost: ${ended.reason}`)
        else {
          this.done.add(session)
          if (once) return ended.end
        }
      }
      await sleep(LOOK, leave)
    }
    return 'left'
  }

  /** A run that it may help. */
  private async look(): Promise<Announcement | undefined> {
    const { broker, program, allowed, name } = this.options
    const announced = await broker.announced().catch(() => new Map<string, string>())
    for (const [named, text] of [...announced].sort()) {
      if (name !== undefined && named !== name) continue
      if (this.done.has(text)) continue
      let found: Announcement
      try {
        found = readAnnouncement(text)
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error
        this.refuse(text, named, 'it was announced by another version of s3move')
        continue
      }
      if (this.done.has(found.session)) continue
      const why =
        found.program !== program || found.format !== FLEET_FORMAT
          ? `it is done by ${found.program}, and this is ${program}`
          : whyNot(found, allowed)
      if (why === undefined) return found
      this.refuse(text, named, why)
    }
    return undefined
  }

  private refuse(announced: string, name: string, why: string): void {
    this.done.add(announced)
    this.options.say('warning', `${name} is not helped: ${why}`)
  }

  private async lend(found: Announcement): Promise<MembershipEnd | undefined> {
    const { broker, clock, host, open, say, leave, abandon } = this.options
    const { name, session, task } = found
    let opened: OpenHands
    try {
      opened = await open(found)
    } catch (error) {
      if (isAborted(leave)) return { end: 'left' }
      if (!(error instanceof UserError)) throw error
      this.done.add(session)
      const hint = error.hint === undefined ? '' : ` (${error.hint})`
      say('warning', `${name} is not helped: ${error.message}${hint}`)
      return undefined
    }
    const { hands, large } = opened
    const member = `${host}-${++this.members}`
    const instead = this.before?.session === session ? this.before.member : undefined
    this.before = { session, member }
    try {
      say('info', `${name}: lending ${hands.length} ${hands.length === 1 ? 'thread' : 'threads'}`)
      const options = { broker, clock, name, session, member, host, task, hands, large, leave, abandon, instead }
      return await new Membership(options).run()
    } finally {
      opened.close()
    }
  }
}
