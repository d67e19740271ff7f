import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError, UserError } from '../errors.js'
import { placeUrl, type Place } from '../job/place.js'
import { printable } from '../keys.js'
import { BucketPieces } from './bucket-pieces.js'
import {
  checkpointIn,
  checkpointText,
  NO_RECORD,
  parseRecord,
  RECORD,
  recordText,
  type BucketRecord,
} from './bucket-record.js'
import { bucketError, CheckpointError } from './checkpoint-error.js'
import { CHECKPOINT, namesBelow } from './checkpoint-file.js'
import type { Checkpoint } from './checkpoint.js'
import { findMatchField, mayHaveWritten, NONE, type MatchField } from './conditions.js'
import { countedFiles } from './counted-files.js'
import { removed } from './fence.js'
import { LEDGER, RETRYING } from './ledger-file.js'
import { livenessOf, thisProcess, type Holder } from './lock-holder.js'
import type { Mount } from './mounts.js'
import type { RunObjects } from './run-objects.js'

/*
 * A run in a bucket
 *
 * One object, the record, says all: who holds the run, the checkpoint, and which objects are the pieces of each ledger. It is replaced as a whole, and only on the
 * condition that it is still what this process saw or wrote last (If-Match, or If-None-Match where there was none). So whoever takes the run over and whoever saves
 * it do so one after the other, in an order that the store decides, and who comes second is refused: the lock, the save and the fence are one thing.
 *
 * Pieces are written first, under names that are used once. So what the record counts on is there before the record is, and nobody changes it.
 *
 * A condition that is refused, and an answer that does not come, say nothing of who was first: the request may have been carried out, and sent again. So the record
 * is read then. It names who wrote it, and the number of the writing: it is this one, or an earlier one of this session, or somebody else has come.
 *
 * Who holds the run writes the record anew at least every BEAT. Somebody on another machine, who cannot see whether that process lives, takes the run over once
 * the record has stayed the same for PATIENCE by its own monotonic clock. Clocks of two machines are never compared. Should the holder live all the same, its next save
 * is refused, and it stops.
 */

/** Milliseconds from one save to the next: each is a PutObject. What was done since is done again after a kill. */
export const SAVE_INTERVAL = 2_000

/** Milliseconds after which the record is written anew where nothing was saved, and for which one of a holder that may live must have stayed the same. */
const BEAT = 5_000
const PATIENCE = 30_000
/** Milliseconds between two looks meanwhile. */
const LOOK = 2_000

/** Milliseconds in which a holder that lives is heard of, if its store answers; and between two looks. */
const HEARD = 10_000
const LISTEN = 500

/** What a run in a bucket needs. */
export interface BucketRunOptions {
  readonly objects: RunObjects
  /** The folder of this machine that stands for it: empty, and of nobody else. */
  readonly folder: string
  /** Tells a person why nothing happens. */
  readonly tell: (message: string) => void
  /** Waits so many milliseconds; rejects when nobody wants to wait any more. */
  readonly wait: (ms: number) => Promise<void>
  /** The monotonic clock, in milliseconds. */
  readonly now?: () => number
}

type Unwritten = Omit<BucketRecord, 'session' | 'sequence'>

/** A run that is kept in a bucket, of which a folder of this machine has what was saved last. */
export class BucketRun implements Mount {
  readonly interval = SAVE_INTERVAL
  readonly #objects: RunObjects
  readonly #folder: string
  readonly #now: () => number
  readonly #session = randomUUID()
  #match: MatchField | undefined
  #record: BucketRecord | undefined
  #etag: string | undefined
  #writings = 0
  #pieces: BucketPieces
  /** Writings of the record, one after the other. Never rejects. */
  #turn: Promise<unknown> = Promise.resolve()
  #writtenAt = 0
  /** Nothing was heard of who holds it. */
  #silent = false

  private constructor(private readonly options: BucketRunOptions) {
    this.#objects = options.objects
    this.#folder = options.folder
    this.#now = options.now ?? (() => performance.now())
    this.#pieces = new BucketPieces(options.objects)
  }

  /** Looks what is there, and writes the checkpoint to the folder if there is one. A `UserError` where something else is there, and what fails is a `UserError` too. */
  static async open(options: BucketRunOptions): Promise<BucketRun> {
    const run = new BucketRun(options)
    await run.#telling(async () => {
      await run.#look()
      if (run.#record === undefined) await run.#refuseOthers()
    })
    await run.#restoreCheckpoint()
    return run
  }

  get place(): Place {
    return this.#objects.place
  }

  /** As people write it. */
  private get url(): string {
    return placeUrl(this.place)
  }

  holder(): Holder | undefined {
    const holder = this.#record?.holder
    return holder === undefined || this.#silent || livenessOf(holder) === 'dead' ? undefined : holder
  }

  /** Finds out whether a holder lives that cannot be seen from here: whether anything is heard of it. Without that it would be told of as at work for ever. */
  async listen(): Promise<void> {
    const holder = this.#record?.holder
    if (holder === undefined || livenessOf(holder) !== 'elsewhere') return
    const before = this.#etag
    const since = this.#now()
    await this.#telling(async () => {
      while (this.#etag === before && this.#now() - since < HEARD) {
        await this.options.wait(LISTEN)
        await this.#look()
      }
    })
    this.#silent = this.#etag === before
    await this.#restoreCheckpoint()
  }

  /** Brings the failure ledgers to the folder as well, to be read. A `UserError` where they cannot be. */
  async restoreFailures(): Promise<void> {
    await this.#telling(() => this.#pieces.restore(this.#folder, (name) => name === LEDGER || name === RETRYING))
  }

  async lock(): Promise<{ release(): Promise<void> }> {
    await this.#telling(async () => {
      this.#match ??= await findMatchField(this.#objects)
      await this.#take()
    })
    // Whoever sees the record unchanged takes the run; what a beat fails of, a save will tell.
    const beat = setInterval(() => {
      if (this.#now() - this.#writtenAt >= BEAT) this.#write((record) => record).catch(() => undefined)
    }, BEAT / 2).unref()
    const release = async (): Promise<void> => {
      clearInterval(beat)
      // It ends by itself as well, when nobody renews it.
      await this.#write(({ holder: _, ...rest }) => rest).catch(() => undefined)
    }
    try {
      await this.#telling(() => this.#restore())
    } catch (error) {
      await release()
      throw error
    }
    return { release }
  }

  async save(checkpoint: Checkpoint, text: string): Promise<void> {
    try {
      const files = await this.#pieces.bring(this.#folder, await countedFiles(this.#folder, checkpoint))
      const saved: unknown = JSON.parse(text)
      await this.#write((record) => ({ ...record, files, checkpoint: saved }))
    } catch (error) {
      throw bucketError('save', this.url, error)
    }
    // They cost their bytes, and nothing else: the next session removes them.
    await this.#pieces.dropSuperseded().catch(() => undefined)
  }

  async #take(): Promise<void> {
    for (;;) {
      await this.#look()
      if (this.#record === undefined) await this.#refuseOthers()
      await this.#refuseIfHeld()
      try {
        await this.#write((record) => ({ ...record, holder: thisProcess(this.#session) }))
        return
      } catch (error) {
        // Somebody else was first: who that is, and whether it lives, is looked at as before.
        if (!(error instanceof TakenOver)) throw error
      }
    }
  }

  async #refuseIfHeld(): Promise<void> {
    const holder = this.#record?.holder
    if (holder === undefined) return
    const liveness = livenessOf(holder)
    if (liveness === 'dead') return
    if (liveness === 'elsewhere' && (await this.#isGone(holder))) return
    throw new UserError(
      `${this.url} is in use by ${whoIs(holder)}`,
      'Wait until it ends, or stop it; two processes on one checkpoint would undo each other.',
    )
  }

  /** Whether the record of a holder that cannot be seen from here stays the same for long enough. */
  async #isGone(holder: Holder): Promise<boolean> {
    const before = this.#etag
    const since = this.#now()
    this.options.tell(
      `${this.url} was held by ${whoIs(holder)}, which cannot be seen from here: it is taken over if nothing is heard of it for ${PATIENCE / 1000} s`,
    )
    while (this.#now() - since < PATIENCE) {
      await this.options.wait(LOOK)
      await this.#look()
      if (this.#etag !== before) return this.#record?.holder === undefined
    }
    return true
  }

  async #look(): Promise<void> {
    const found = await this.#objects.read(RECORD)
    this.#etag = found?.etag
    this.#record = found === undefined ? undefined : parseRecord(found.bytes, this.url)
    this.#pieces = new BucketPieces(this.#objects, this.#record?.files)
  }

  /** Writes the record, changed. A CheckpointError where somebody else has written it meanwhile. */
  #write(changed: (record: Unwritten) => Unwritten): Promise<void> {
    const turn = this.#turn.then(async () => {
      // Never used again: an earlier writing that came late is not taken for this one.
      const sequence = ++this.#writings
      const next: BucketRecord = { ...changed(this.#record ?? NO_RECORD), session: this.#session, sequence }
      const bytes = Buffer.from(recordText(next))
      this.#etag = await this.#objects.again(() => this.#writeOnce(next, bytes))
      this.#record = next
      this.#writtenAt = this.#now()
    })
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #writeOnce(next: BucketRecord, bytes: Buffer): Promise<string> {
    const before = this.#etag
    if (this.#match === undefined) throw new Error('the run is not held')
    try {
      return await this.#objects.write(RECORD, bytes, [before === undefined ? NONE : this.#match(before)])
    } catch (error) {
      if (!(error instanceof StorageError) || !mayHaveWritten(error)) throw error
      const found = await this.#objects.read(RECORD)
      if (found === undefined) {
        if (before !== undefined) throw await this.#putBack(bytes)
        throw error.with({ severity: 'retry' })
      }
      const { session, sequence, holder } = parseRecord(found.bytes, this.url)
      if (session === next.session && sequence === next.sequence) return found.etag
      if (session !== next.session && found.etag !== before) throw new TakenOver(this.url, holder)
      // An earlier writing of this session that came after all, or nothing has changed.
      this.#etag = found.etag
      throw error.with({ severity: 'retry' })
    }
  }

  async #putBack(bytes: Buffer): Promise<CheckpointError> {
    const back = await this.#objects.write(RECORD, bytes, [NONE]).then(
      () => true,
      () => false,
    )
    return removed(`${this.url}${RECORD}`, back)
  }

  /** Throws where the prefix holds objects of somebody else, and no run. */
  async #refuseOthers(): Promise<void> {
    for await (const key of this.#objects.names('')) {
      if (key === RECORD || OURS.test(key)) continue
      throw new UserError(
        `${this.url} holds no run, and other objects: ${printable(key)}`,
        'give the prefix of a run, or one below which nothing is',
      )
    }
  }

  async #restoreCheckpoint(): Promise<void> {
    const path = join(this.#folder, CHECKPOINT)
    const record = this.#record
    const text = record === undefined ? undefined : checkpointText(record)
    // What is damaged is told with the name that people know.
    if (record !== undefined) checkpointIn(record, this.url)
    if (text === undefined) await rm(path, { force: true })
    else await writeFile(path, text, { mode: 0o600 })
  }

  // A list may lie there already, on its way into the folder of the run.
  async #restore(): Promise<void> {
    const names = new Set(this.#record?.files.map(({ name }) => name))
    for (const name of await namesBelow(this.#folder))
      if (names.has(name)) await rm(join(this.#folder, name), { force: true })
    await this.#pieces.restore(this.#folder)
    await this.#pieces.sweep()
    await this.#restoreCheckpoint()
  }

  /** Tells what fails before the run goes on as the mistake of a person. */
  async #telling(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const { operation, message, code, status, hint } = error
      throw new UserError(
        `${this.url}: ${operation} failed: ${printable(message)} (${printable(code)}${status === undefined ? '' : `, HTTP ${status}`})`,
        hint ?? 'docs/checkpoint-in-a-bucket.md has the permissions that it takes',
      )
    }
  }
}

/** Somebody else has written the record: the run is theirs. */
class TakenOver extends CheckpointError {
  constructor(url: string, holder: Holder | undefined) {
    super(
      `another process has taken the run in ${url} over${holder === undefined ? '' : `: ${whoIs(holder)}`}`,
      'Nothing was written over. Let the other process go on; two on one checkpoint would undo each other.',
    )
  }
}

function whoIs({ pid, host, startedAt }: Holder): string {
  return `process ${pid} on ${printable(host)} (since ${printable(startedAt)})`
}

/** Keys of what is no run by itself: what a start that was killed has left. */
const OURS = /^(?:condition-[0-9a-f-]{36}$|pieces\/)/
