import type { ListState } from '../../checkpoint/checkpoint.js'
import type { KeyList } from '../../job/files-from.js'
import type { KeptRanges, RangeClaim } from '../work-source.js'
import type { EntryNeeds } from './entry.js'
import { ListPieces, type ListPiece } from './list-pieces.js'
import { joined, settledTo, type Entries } from './list-progress.js'

/** A piece of which something is not settled. */
interface OpenPiece extends ListPiece {
  /** How many of its entries are, from its beginning. */
  settled: number
}

/** What to be told of. */
export interface ListRangesOptions {
  readonly begun: ListState
  /** Told when the list cannot be read on. */
  readonly fail: (error: unknown) => void
}

/**
 * What remains of a list, for lanes in any thread: each claim is of the next entries, up to a thousand, which are settled in their order, and the
 * claims in any. The state keeps what is settled ahead of what is not, so that a resume does nothing twice.
 */
export class ListRanges implements KeptRanges {
  private readonly pieces: ListPieces
  private readonly begun: ListState
  private readonly fail: (error: unknown) => void
  /** In the order of the list. */
  private readonly open: OpenPiece[] = []
  private readonly returned: OpenPiece[] = []
  /** What is settled behind the first open piece, apart from the beginnings of others. */
  private ahead: readonly Entries[]
  /** Where what was not read begins. */
  private reached: Parameters<typeof settledTo>[1]
  private turn: Promise<unknown> = Promise.resolve()
  private closed = false

  constructor(list: KeyList, wanted: EntryNeeds, { begun, fail }: ListRangesOptions) {
    this.begun = begun
    this.fail = fail
    this.ahead = begun.ahead ?? []
    this.reached = { number: begun.entries, place: begun.next }
    this.pieces = new ListPieces(list, wanted, begun)
  }

  get done(): boolean {
    return this.open.length === 0 && this.pieces.ended
  }

  claim(): Promise<RangeClaim | undefined> {
    // The list is read by one at a time.
    const claimed = this.turn.then(() => this.take())
    this.turn = claimed
    return claimed
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.pieces.close()
  }

  /** How far the list is settled; undefined once it is wholly. */
  remaining(): ListState | undefined {
    if (this.done) return undefined
    const [first] = this.open
    const reached = first === undefined ? this.reached : { number: first.from + first.settled, place: placeOf(first) }
    return settledTo(this.begun, reached, joined([...this.ahead, ...this.open.slice(1).map(settledOf)]))
  }

  private async take(): Promise<RangeClaim | undefined> {
    try {
      const piece = this.returned.shift() ?? (await this.read())
      // What is not claimed any more stays open.
      return piece === undefined || this.closed ? undefined : this.claimOf(piece)
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  private async read(): Promise<OpenPiece | undefined> {
    const piece = await this.pieces.next()
    if (piece === undefined) return undefined
    const open = { ...piece, settled: 0 }
    this.open.push(open)
    const last = piece.places.at(-1)
    this.reached = {
      number: piece.from + piece.entries.length,
      place: last && { file: last.file, row: last.row + 1 },
    }
    return open
  }

  private claimOf(piece: OpenPiece): RangeClaim {
    let held = true
    return {
      ...{ after: undefined, until: undefined },
      named: piece.entries.slice(piece.settled),
      // A piece is all of its claim.
      accept: () => ({ ended: true, until: undefined, trim: false }),
      trimmed: () => undefined,
      settle: (_key, count) => this.settle(piece, count),
      release: () => {
        if (held && piece.settled < piece.entries.length) this.returned.push(piece)
        held = false
      },
    }
  }

  private settle(piece: OpenPiece, count: number): void {
    piece.settled += count
    if (piece.settled < piece.entries.length) return
    this.open.splice(this.open.indexOf(piece), 1)
    const reached = this.open[0]?.from ?? this.reached.number
    this.ahead = joined([...this.ahead, settledOf(piece)]).filter(({ to }) => to > reached)
  }
}

function settledOf({ from, settled }: OpenPiece): Entries {
  return { from, to: from + settled }
}

function placeOf({ places, settled }: OpenPiece): ListPiece['places'][number] | undefined {
  return places[settled]
}
