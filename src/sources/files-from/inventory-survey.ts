import type { KeyList } from '../../job/files-from.js'
import type { EntryField, EntryNeeds } from './entry.js'
import { readInventory } from './inventory.js'

/** What is known of an inventory whose rows were not read. */
export interface InventorySurvey {
  readonly format: 'CSV' | 'Parquet'
  readonly files: number
  /** Of all files, in bytes. */
  readonly bytes: number
  /** Rows, delete markers and old versions among them; absent where only reading tells. */
  readonly rows?: number
  /** What its columns are about, in every file. */
  readonly fields: ReadonlySet<EntryField>
  /** When it was begun, in milliseconds since 1970. */
  readonly created?: number
}

/** Files that are looked at at once. */
const AT_ONCE = 8

/** Proves the files of an inventory, and finds out what is in them without reading their rows. A `UserError` for the first that is not as it should be. */
export async function surveyInventory(list: KeyList, wanted: EntryNeeds): Promise<InventorySurvey> {
  const { format, columns, files, created } = await readInventory(list, wanted)
  const fields = new Set(columns.traits.filter((trait) => trait !== undefined))
  const known = {
    ...{ format, files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) },
    ...(created === undefined ? {} : { created }),
  }
  const waiting = [...files]
  const found: { readonly rows: number; readonly fields: ReadonlySet<EntryField> }[] = []
  const look = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const file = await next.open()
      try {
        if (format === 'CSV') continue
        const { openParquet } = await import('./parquet-rows.js')
        found.push(await openParquet(file, file.name))
      } finally {
        await file.close()
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, look))
  if (format === 'CSV') return { ...known, fields }
  const [first, ...others] = found
  const shared = [...(first?.fields ?? [])].filter((field) => others.every((other) => other.fields.has(field)))
  return { ...known, rows: found.reduce((sum, { rows }) => sum + rows, 0), fields: new Set(shared) }
}
