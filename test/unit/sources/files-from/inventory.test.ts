import fc from 'fast-check'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UserError } from '../../../../src/errors.js'
import { addPassedOver, passedOverInAll, type PassedOver } from '../../../../src/job/passed-over.js'
import { ListWork } from '../../../../src/sources/files-from/files-from-source.js'
import { unreadState } from '../../../../src/sources/files-from/list-identity.js'
import { readKeyList } from '../../../../src/sources/files-from/read-list.js'
import { bare } from '../../../../src/sources/named-object.js'
import { inventoryOf, md5, type InventoryRow } from '../../../support/inventory.js'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 's3move-inventory-'))))
afterAll(() => rm(folder, { recursive: true }))

const ROW = fc.record({
  key: fc.oneof(
    fc.string({ minLength: 1, unit: 'grapheme' }).map((key) => `in/${key}`),
    fc.constantFrom('in/x', 'in', 'inside', 'i', 'out/\n', 'in/../x'),
  ),
  latest: fc.boolean(),
  marker: fc.boolean(),
})

async function written(rows: readonly Pick<InventoryRow, 'key'>[], format: 'CSV' | 'Parquet', perFile: number) {
  const whole = rows.map((row) => ({ size: 1, etag: md5(row.key), version: 'v1', ...row }))
  const files = inventoryOf(whole, { within: '', format, perFile, perGroup: 3 })
  for (const [key, bytes] of files) {
    await mkdir(join(folder, dirname(key)), { recursive: true })
    await writeFile(join(folder, key), bytes)
  }
  return { file: join(folder, '2026-01-31T01-00Z/manifest.json'), format: 'inventory' } as const
}

const WANTED = { bucket: 'src', prefix: 'in/', versions: false }

test('rows of an inventory are of an object below the prefix, or counted as passed over, wherever a run is resumed', async () => {
  const rows = fc.array(ROW, { minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(
      rows,
      fc.constantFrom('CSV', 'Parquet'),
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.nat(20), { maxLength: 3 }),
      async (all, format, perFile, cuts) => {
        const list = await written(all, format, perFile)
        const expected: Record<string, number> = {}
        const keys: string[] = []
        for (const { key, latest, marker } of all) {
          const why = !key.startsWith('in/') ? 'outside' : marker ? 'deleteMarkers' : latest ? undefined : 'oldVersions'
          if (why === undefined) keys.push(key.slice('in/'.length))
          else expected[why] = (expected[why] ?? 0) + 1
        }
        let state = await unreadState(list)
        let passed: PassedOver = {}
        const found: string[] = []
        for (const cut of [...cuts, Infinity]) {
          const complete = (objects: readonly { key: string }[]) => Promise.resolve(objects.map(bare))
          const work = new ListWork(list, WANTED, state, { add: () => undefined }, complete)
          const lease = await work.claim()
          let settled = 0
          for (let some = await lease!.next(); some !== undefined; some = await lease!.next()) {
            for (const object of some) {
              if (settled++ >= cut) break
              found.push(object.key)
              lease!.settle(object, { kind: 'copied' })
            }
          }
          passed = addPassedOver(passed, work.passedOver)
          const left = work.remaining()
          lease!.release()
          if (left === undefined) break
          state = left
        }
        expect(found).toEqual(keys)
        expect(passed).toEqual(expected)
        expect(passedOverInAll(passed) + keys.length).toBe(all.length)
      },
    ),
    { numRuns: 150 },
  )
})

test('a key that is not below the prefix is still an error in a list that somebody made', async () => {
  const file = join(folder, 'keys.txt')
  await writeFile(file, 'in/a\nout/b\n')
  const entries = readKeyList({ file, format: 'keys' }, WANTED)
  await expect(entries.next()).rejects.toThrow(UserError)
})

test('what is beside the folder of a prefix is outside as well, where the prefix means a folder', async () => {
  const list = await written([{ key: 'in' }, { key: 'in/a' }, { key: 'inside' }, { key: 'i' }], 'Parquet', 10)
  const told: string[] = []
  const keys: string[] = []
  const wanted = { ...WANTED, prefix: 'in', asFolder: true, passedOver: (why: string) => told.push(why) }
  for await (const { key } of readKeyList(list, wanted)) keys.push(key)
  expect([keys, told]).toEqual([
    ['in', 'in/a'],
    ['outside', 'outside'],
  ])
})
