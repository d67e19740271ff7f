import type { ListState } from '../../checkpoint/checkpoint.js'
import type { KeyList } from '../../job/files-from.js'
import { isScanJob, kindOf, writeKindOf, type Job } from '../../job/kinds.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import type { PassedOver } from '../../job/passed-over.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { DataFiles } from '../../storage/data-files.js'
import type { EntryField, EntryNeeds } from './entry.js'
import { unreadState } from './list-identity.js'
import { ListPieces, type ListPlace } from './list-pieces.js'
import { settledTo } from './list-progress.js'
import type { ListPosition } from './data-rows.js'
import { readingOf, type FoundFormat } from './list-format.js'
import type { Complete } from '../named-object.js'
import { OrderedSource } from '../ordered-source.js'
import type { Tally } from '../tally.js'
import type { WorkItem } from '../work-source.js'

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
    unused: new Set([
      ...(kindOf(job).inventoried?.includes('etag') === false ? (['etag'] as const) : []),
      ...(!isScanJob(job) && writeKindOf(job).readsEncryption === true ? [] : OF_ENCRYPTION),
    ]),
  }
}

const OF_ENCRYPTION: readonly EntryField[] = ['encryption', 'kmsKeyArn', 'bucketKey']

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

/** An entry that was handed out. */
interface HandedOut {
  /** Of it in the whole list, from 0. */
  readonly number: number
  /** Where it stands, if the list has places. */
  readonly place: ListPlace | undefined
}

/**
 * Work read from a list of objects, in its order; a resume reads over what is settled. What is named twice is done twice.
 */
export class ListWork extends OrderedSource<HandedOut> {
  private readonly pieces: ListPieces
  private settled: number
  /** Where what is not settled begins, if the list has places. */
  private place: ListPosition | undefined
  /** Of this session, before what is not settled. */
  private passedBefore: PassedOver = {}

  constructor(
    list: KeyList,
    wanted: EntryNeeds,
    private readonly begun: ListState,
    private readonly tally: Pick<Tally, 'add'>,
    private readonly complete: Complete,
  ) {
    super()
    this.settled = begun.entries
    this.place = begun.next
    this.pieces = new ListPieces(list, wanted, begun)
  }

  /** How far the list is settled; undefined once it is wholly. */
  remaining(): ListState | undefined {
    if (this.pieces.ended && this.handedOut.length === 0) return undefined
    return settledTo(this.begun, { number: this.settled, place: this.place }, this.begun.ahead)
  }

  /** What was passed over in this session, in a list that has places: before where the rest begins, or of all of it. */
  get passedOver(): PassedOver {
    return this.remaining() === undefined ? this.pieces.passedOver : this.passedBefore
  }

  protected override released(): void {
    this.close()
    this.pieces.close()
  }

  protected async next(): Promise<readonly WorkItem[] | undefined> {
    const piece = this.closed ? undefined : await this.pieces.next()
    if (piece === undefined || this.isClosed()) return undefined
    const { from, entries, places } = piece
    for (const at of entries.keys()) this.handedOut.push({ number: from + at, place: places[at] })
    return await this.complete(entries)
  }

  protected passed({ number, place }: HandedOut, object: ObjectSummary, outcome: Outcome | Deferral): void {
    this.tally.add(object, outcome)
    this.settled = number + 1
    if (place === undefined) return
    this.place = { file: place.file, row: place.row + 1 }
    this.passedBefore = place.before
  }

  // It may be closed while something is awaited.
  private isClosed(): boolean {
    return this.closed
  }
}
