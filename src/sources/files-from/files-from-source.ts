import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { ListState } from '../../checkpoint/checkpoint.js'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import { systemCode } from '../../file-system.js'
import { UserError } from '../../errors.js'
import { nameOfList, type KeyList } from '../../job/files-from.js'
import { isScanJob, kindOf, writeKindOf, type Job } from '../../job/kinds.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import type { PassedOver } from '../../job/passed-over.js'
import { printable } from '../../keys.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { changedList } from './list-bytes.js'
import type { DataFiles } from '../../storage/data-files.js'
import type { EntryField, EntryNeeds } from './entry.js'
import { listBatches, type ListBatch, type ListPosition } from './read-list.js'
import { readingOf, type FoundFormat } from './list-format.js'
import type { Complete, Named } from '../named-object.js'
import { OrderedSource, PAGE } from '../ordered-source.js'
import type { Tally } from '../tally.js'
import type { WorkItem } from '../work-source.js'

/** How much of the file its checksum covers, in bytes. */
const HEAD = 64 * 1024

/**
 * What the list of a job must be of; `files` are those of an inventory that is in a store. Versions can be copied and deleted; a move would leave the
 * others, and headers make a new one.
 */
export function entryNeedsOf(job: Job, files?: DataFiles): EntryNeeds {
  const { bucket, prefix } = job.source
  const versions = !isScanJob(job) && writeKindOf(job).listsVersions === true
  return {
    ...{ bucket, prefix, versions, files },
    ...('prefixAs' in job ? { asFolder: true } : {}),
    ...(kindOf(job).inventoried?.includes('etag') === false ? { unused: ETAG } : {}),
  }
}

const ETAG: ReadonlySet<EntryField> = new Set(['etag'])

/**
 * Reads a list to its end before anything is done about it, and finds out how it is to be read. Throws a UserError for the first line that is not
 * understood or not wanted, when it can be read in two ways, and when the file cannot be read.
 */
export async function surveyList(
  list: KeyList,
  wanted: EntryNeeds,
): Promise<FoundFormat & { readonly state: ListState }> {
  const state = await unreadState(list)
  const found = await readingOf(list, wanted)
  return { ...found, state: { ...state, of: found.named } }
}

/** The state of a list of which nothing is done, nor counted. */
export async function unreadState({ file }: KeyList): Promise<ListState> {
  return { entries: 0, ...(await identityOf(file)), whole: await hashOfAll(file) }
}

/** Throws a UserError when a list cannot be read or is not what it was. */
export async function checkList({ file, origin }: KeyList, before: ListState): Promise<void> {
  const now = await identityOf(file)
  // A folder that is copied elsewhere with the copy of its list in it gives that another date.
  const modified = origin === undefined ? before.modified : now.modified
  const same = now.size === before.size && now.modified === modified && now.sha256 === before.sha256
  if (!same || (before.whole !== undefined && before.whole !== (await hashOfAll(file)))) {
    throw changedList(printable(file))
  }
}

/**
 * Work read from a list of objects, in its order; a resume reads over what is settled. What is named twice is done twice.
 */
export class ListWork extends OrderedSource<Named> {
  private readonly listed: AsyncGenerator<ListBatch, void, undefined>
  private toPass: number
  private settled: number
  /** Where what is not settled begins, if the list has places. */
  private place: ListPosition | undefined
  private ended = false
  // What was read and not handed out.
  private batch: ListBatch = { entries: [] }
  private at = 0
  /** Where each stands that was handed out, if the list has places. */
  private readonly places: Place[] = []
  /** Of this session: before what is not settled, and of all that was read. */
  private passedBefore: PassedOver = {}
  private passedInAll: PassedOver = {}

  constructor(
    private readonly list: KeyList,
    private readonly wanted: EntryNeeds,
    private readonly begun: ListState,
    private readonly tally: Pick<Tally, 'add'>,
    private readonly complete: Complete,
  ) {
    super()
    const { next, entries } = begun
    this.settled = entries
    this.place = next
    this.listed = listBatches(list, wanted, next)
    this.toPass = next === undefined ? entries : 0
  }

  /** How far the list is settled; undefined once it is wholly. */
  remaining(): ListState | undefined {
    if (this.ended && this.handedOut.length === 0) return undefined
    const { settled: entries, place: next } = this
    return { ...this.begun, entries, ...(next === undefined ? {} : { next }) }
  }

  /** What was passed over in this session, in a list that has places: before where the rest begins, or of all of it. */
  get passedOver(): PassedOver {
    return this.remaining() === undefined ? this.passedInAll : this.passedBefore
  }

  protected override released(): void {
    this.close()
    void this.listed.return().catch(() => undefined)
  }

  protected async next(): Promise<readonly WorkItem[] | undefined> {
    if (this.ended) return undefined
    const objects: Named[] = []
    while (objects.length < PAGE) {
      const entry = this.batch.entries[this.at]
      if (entry === undefined) {
        const { value } = await this.read()
        // Whoever closes it ends the reading too, which is not the end of the list.
        if (this.closed) return undefined
        if (value === undefined) {
          await this.checkEnd(objects.length)
          this.handedOut.push(...objects)
          this.ended = true
          return await this.complete(objects)
        }
        this.batch = value
        this.at = 0
        this.passedInAll = value.passed?.inAll ?? {}
        continue
      }
      const { file, rows, passed } = this.batch
      const row = rows?.[this.at]
      const before = passed?.before[this.at] ?? {}
      this.at++
      if (this.toPass > 0) this.toPass--
      else {
        objects.push({ ...entry, key: entry.key.slice(this.wanted.prefix.length) })
        if (file !== undefined && row !== undefined) this.places.push({ file, row, before })
      }
    }
    this.handedOut.push(...objects)
    return await this.complete(objects)
  }

  // What is being read when it is closed may fail of that.
  private async read(): Promise<IteratorResult<ListBatch, void>> {
    try {
      return await this.listed.next()
    } catch (error) {
      if (this.closed) return { done: true, value: undefined }
      throw error
    }
  }

  // Its reader has found the file unchanged since it was opened; this finds it unchanged since the run began.
  private async checkEnd(last: number): Promise<void> {
    await checkList(this.list, this.begun)
    const all = this.settled + this.handedOut.length + last
    if (all !== (this.begun.of ?? all)) throw changedList(nameOfList(this.list))
  }

  protected passed(_: Named, object: ObjectSummary, outcome: Outcome | Deferral): void {
    this.tally.add(object, outcome)
    this.settled++
    const place = this.places.shift()
    if (place === undefined) return
    this.place = { file: place.file, row: place.row + 1 }
    this.passedBefore = place.before
  }
}

interface Place extends ListPosition {
  readonly before: PassedOver
}

async function hashOfAll(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk)
  } catch (error) {
    throw unreadable(path, error)
  }
  return hash.digest('hex')
}

async function identityOf(path: string): Promise<Pick<ListState, 'size' | 'modified' | 'sha256'>> {
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
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): unknown {
  if (systemCode(error) === undefined) return error
  return new UserError(`cannot read ${printable(path)}: ${reasonOf(error)}`, 'Check the path that was given.')
}
