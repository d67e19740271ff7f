import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check } from '../job/schema.js'
import type { LedgerPosition } from './checkpoint.js'
import { checkpointError } from './checkpoint-error.js'
import { Ledger } from './ledger.js'
import { ledgerLines, parseEntry } from './ledger-lines.js'

/** An object read from its ledger. */
export interface ObjectEntry<T> {
  readonly object: T
  /** The offsets in bytes at which its line begins and the next one does. */
  readonly at: number
  readonly end: number
}

/** A ledger of objects whose keys are settled in the ranges, and which wait for their turn apart from these. */
export interface ObjectLedger<T> {
  /** Where it is in a run's folder. */
  path(folder: string): string
  /** Proves that a value is an entry of it. */
  readonly check: Check<T>
  /** Opens it in a run's folder at the position of the checkpoint, as `Ledger.open` does. */
  open(folder: string, position: LedgerPosition): Promise<Ledger<T>>
  /** At most `most` entries, from the line that begins at `from` up to byte `end`. Throws as `readFailures` does. */
  read(folder: string, from: number, end: number, most: number): Promise<ObjectEntry<T>[]>
  /** Removes it once all of its objects are settled. May be repeated. Throws a CheckpointError when it cannot be. */
  remove(folder: string): Promise<void>
}

/** The ledger in the file `name` of a run's folder: one JSON object a line. */
export function objectLedger<T>(name: string, check: Check<T>, lineOf: (object: T) => string): ObjectLedger<T> {
  const path = (folder: string): string => join(folder, name)
  return {
    path,
    check,
    open: (folder, position) => Ledger.open(path(folder), lineOf, position),
    async read(folder, from, end, most) {
      const file = path(folder)
      const found: ObjectEntry<T>[] = []
      let at = from
      for await (const bytes of ledgerLines(file, from, end)) {
        const next = at + bytes.length + 1
        found.push({ object: parseEntry(check, bytes, file, found.length + 1, from), at, end: next })
        at = next
        if (found.length === most) break
      }
      return found
    },
    async remove(folder) {
      try {
        await rm(path(folder), { force: true })
      } catch (error) {
        throw checkpointError('remove', path(folder), error)
      }
    },
  }
}

/** Such a ledger as a run writes it: opened when it is first needed, since most runs put nothing into it. */
export class LateLedger<T> {
  private opened: Promise<Ledger<T>> | undefined

  /** `position` is that of the checkpoint. */
  constructor(
    private readonly ledger: ObjectLedger<T>,
    private readonly folder: string,
    public position: LedgerPosition,
  ) {}

  /** Opens it, if it is not. What fails may be tried again. */
  async open(): Promise<Ledger<T>> {
    this.opened ??= this.ledger.open(this.folder, this.position)
    try {
      return await this.opened
    } catch (error) {
      this.opened = undefined
      throw error
    }
  }

  /** Appends, as `Ledger.append` does; an open one is looked at also where there is nothing to append, so that one that was removed or replaced is noticed. */
  async append(objects: readonly T[]): Promise<void> {
    if (objects.length === 0 && this.opened === undefined) return
    const ledger = await this.open()
    await ledger.append(objects)
    this.position = ledger.position
  }

  /** At most `most` of its entries from byte `from` on. */
  read(from: number, most: number): Promise<ObjectEntry<T>[]> {
    return this.ledger.read(this.folder, from, this.position.bytes, most)
  }

  /** Closes it and, when all of its objects are `done`, removes it. */
  async end(done: boolean): Promise<void> {
    const ledger = await this.opened?.catch(() => undefined)
    await ledger?.close()
    if (done && this.position.bytes > 0) await this.ledger.remove(this.folder)
  }
}
