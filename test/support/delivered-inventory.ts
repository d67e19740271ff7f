import { put, type TestSandbox } from './cli-buckets.js'
import { inventoryOf, type InventoryOptions, type InventoryRow } from './inventory.js'

/** The folder of the configuration of an inventory of the bucket `src`, in the bucket `inv`. */
export const CONFIGURATION = 'inv/src/daily/'

/** Changes a byte of each data file of a delivered inventory. */
export async function damageData(server: TestSandbox, files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [key, bytes] of files) {
    const other = Buffer.from(bytes)
    other[20]! ^= 1
    if (key.includes('/data/')) await put(server, 'inv', key, { Body: other })
  }
}

/** Writes an inventory where S3 would, and answers its files by their keys. */
export async function deliver(
  server: TestSandbox,
  rows: readonly InventoryRow[],
  options: Partial<InventoryOptions> = {},
): Promise<Map<string, Buffer>> {
  const files = inventoryOf(rows, { within: CONFIGURATION, ...options })
  for (const [key, Body] of files) await put(server, 'inv', key, { Body })
  return files
}
