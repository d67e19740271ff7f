import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { reasonOf, systemCode } from '../checkpoint/checkpoint-error.js'
import { UserError } from '../errors.js'
import type { Outcome, Place } from '../job.js'
import { printable } from '../keys.js'
import { changedList } from './list-content.js'
import type { Listed } from './list-entry.js'
import { readKeyList, type KeyList } from './list-file.js'
import { named, type Named } from './named.js'
import type { Tally } from './tally.js'
import type { Lease, WorkSource } from './work.js'

/** How far a list is settled, and what identifies its file. Plain data for the checkpoint. */
export interface ListState {
  /** Entries that are settled. */
  readonly entries: number
  /** Of the file, in bytes. */
  readonly size: number
  /** When the file was last modified, in whole milliseconds since 1970. */
  readonly modified: number
  /** SHA-256 of the first 64 KiB of the file, in hexadecimal digits. */
  readonly sha256: string
}

/** Entries read for a page, as many as a page of a listing has. */
const PAGE = 1000

/** How much of the file its checksum covers, in bytes. */
const HEAD = 64 * 1024

/** A key that is outside the source prefix is settled as soon as all before it are. */
interface Entry {
  readonly outside: string | undefined
}

/**
 * Work read from a list of keys. There is one lease, in the order of the list, so that what is settled is always a beginning of it; a resume reads over
 * that. Keys outside the source prefix are skipped without being acted on. A key that is listed twice is done twice. Not all of an object may be
 * known.
 */
export class ListWork implements WorkSource<Named> {
  private readonly listed: AsyncGenerator<Listed, void, undefined>
  /** What was read and is not settled, oldest first. */
  private readonly entries: Entry[] = []
  private toPass: number
  private claimed = false
  private closed = false
  private ended = false

  private constructor(
    private readonly list: KeyList,
    private readonly place: Place,
    private state: ListState,
    private readonly tally: Pick<Tally, 'add'>,
    private readonly onOutside: (key: string) => void,
  ) {
    this.listed = readKeyList(list, place.bucket)
    this.toPass = state.entries
  }

  /**
   * Opens a list of keys of `place`, at `before` when there was a session before; `onOutside` is called for each key that is skipped for lying outside.
   * Throws a UserError when the file cannot be read or is not what it was.
   */
  static async open(
    list: KeyList,
    place: Place,
    tally: Pick<Tally, 'add'>,
    before?: ListState,
    onOutside: (key: string) => void = () => undefined,
  ): Promise<ListWork> {
    const state = { entries: before?.entries ?? 0, ...(await identityOf(list.file)) }
    if (before !== undefined && !isSame(before, state)) throw changedList(printable(list.file))
    return new ListWork(list, place, state, tally, onOutside)
  }

  /** How far the list is settled; undefined once it is wholly. */
  remaining(): ListState | undefined {
    return this.ended && this.entries.length === 0 ? undefined : this.state
  }

  claim(): Promise<Lease<Named> | undefined> {
    if (this.claimed) return Promise.resolve(undefined)
    this.claimed = true
    return Promise.resolve({
      next: () => this.next(),
      settle: (object: Named, outcome: Outcome) => this.settle(object, outcome),
      release: () => {
        this.close()
        void this.listed.return().catch(() => undefined)
      },
    })
  }

  close(): void {
    this.claimed = true
    this.closed = true
  }

  private async next(): Promise<readonly Named[] | undefined> {
    if (this.ended) return undefined
    const objects: Named[] = []
    const { prefix } = this.place
    for (let read = 0; read < PAGE;) {
      const { value: entry } = await this.listed.next()
      // Whoever closes it ends the reading too, which is not the end of the list.
      if (this.closed) return undefined
      if (entry === undefined) {
        await this.checkEnd()
        this.ended = true
        break
      }
      if (this.toPass > 0) {
        this.toPass--
        continue
      }
      read++
      const { key } = entry
      if (key.startsWith(prefix)) {
        this.entries.push({ outside: undefined })
        objects.push(named(key.slice(prefix.length), entry))
      } else {
        this.entries.push({ outside: key })
        this.passOutside()
      }
    }
    return objects
  }

  // Its reader has found the file unchanged since it was opened; this finds it unchanged since the run began.
  private async checkEnd(): Promise<void> {
    if (this.toPass === 0 && isSame(this.state, await identityOf(this.list.file))) return
    throw changedList(printable(this.list.file))
  }

  private settle(object: Named, outcome: Outcome): void {
    if (this.entries.shift() === undefined) throw new Error('an object was settled that was not handed out')
    this.tally.add(object, outcome)
    this.passed()
    this.passOutside()
  }

  private passOutside(): void {
    for (let key = this.entries[0]?.outside; key !== undefined; key = this.entries[0]?.outside) {
      this.entries.shift()
      this.tally.add({}, OUTSIDE)
      this.onOutside(key)
      this.passed()
    }
  }

  private passed(): void {
    this.state = { ...this.state, entries: this.state.entries + 1 }
  }
}

const OUTSIDE: Outcome = { kind: 'skipped', reason: 'outside-prefix' }

type Identity = Omit<ListState, 'entries'>

function isSame(a: Identity, b: Identity): boolean {
  return a.size === b.size && a.modified === b.modified && a.sha256 === b.sha256
}

async function identityOf(path: string): Promise<Identity> {
  try {
    const file = await open(path)
    try {
      const { size, mtimeMs } = await file.stat()
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0)
      const sha256 = createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex')
      return { size, modified: Math.trunc(mtimeMs), sha256 }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    throw new UserError(`cannot read ${printable(path)}: ${reasonOf(error)}`)
  }
}
