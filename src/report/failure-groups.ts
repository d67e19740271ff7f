import type { Failure } from '../job/outcome.js'
import { printable } from '../keys.js'
import { count, objects, row } from './format.js'
import { PLAIN, type Paint } from './paint.js'

/** The failures of one code. */
export interface FailureGroup {
  readonly code: string
  readonly objects: number
  /** By folder, the most frequent first; '' are keys without one. */
  readonly folders: readonly (readonly [folder: string, objects: number])[]
  /** Objects in folders that are not among these. */
  readonly elsewhere: number
  /** The first that was added. */
  readonly example: Failure
}

/** So many folders are told apart for each code, so that memory does not grow with the ledger. */
const FOLDERS = 10_000
/** So many of them are told. */
const SHOWN = 5

interface Counted {
  objects: number
  readonly folders: Map<string, number>
  readonly example: Failure
}

/** Counts failures by code and by the first folder of the key below the source's prefix, in bounded memory. */
export class FailureGroups {
  total = 0
  private readonly codes = new Map<string, Counted>()

  constructor(private readonly prefix: string) {}

  add(failure: Failure): void {
    this.total++
    const { code } = failure
    let counted = this.codes.get(code)
    if (counted === undefined) this.codes.set(code, (counted = { objects: 0, folders: new Map(), example: failure }))
    counted.objects++
    const folder = this.folderOf(failure.key)
    const before = counted.folders.get(folder)
    if (before !== undefined || counted.folders.size < FOLDERS) counted.folders.set(folder, (before ?? 0) + 1)
  }

  /** The most frequent code first. */
  byCode(): FailureGroup[] {
    return [...this.codes]
      .map(([code, { objects, folders, example }]) => {
        const shown = [...folders].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, SHOWN)
        const elsewhere = objects - shown.reduce((sum, [, n]) => sum + n, 0)
        return { code, objects, folders: shown, elsewhere, example }
      })
      .sort((a, b) => b.objects - a.objects || (a.code < b.code ? -1 : 1))
  }

  private folderOf(key: string): string {
    // What was moved by a list may lie beside the prefix.
    const from = key.startsWith(this.prefix) ? this.prefix.length : 0
    const slash = key.indexOf('/', from)
    return slash < 0 ? '' : key.slice(0, slash + 1)
  }
}

/** A group in lines for a person. Texts that are undefined are not known. */
export function groupLines(
  { code, objects: failed, folders, elsewhere, example }: FailureGroup,
  { meaning, todo }: { readonly meaning: string | undefined; readonly todo: string | undefined },
  paint: Paint = PLAIN,
): string[] {
  const places = [
    ...folders.map(([folder, n]) => `${count(n)} in ${folder === '' ? 'no folder' : printable(folder)}`),
    ...(elsewhere > 0 ? [`${count(elsewhere)} elsewhere`] : []),
  ]
  const status = example.status === undefined ? '' : `, HTTP ${example.status}`
  return [
    paint('bad', `${printable(code)}: ${objects(failed)}`),
    row('where', places.join(', ')),
    row('means', meaning ?? 'a code that only the store’s own documentation explains'),
    row('to do', todo ?? 'read what the store says'),
    row('said', `${printable(example.message)} (${printable(example.operation)}${status})`),
    row('such as', printable(example.key)),
  ]
}
