import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HeaderSets, LEAST_ROWS, type HeaderSet } from '../../../../src/batch/header-sets.js'
import type { LedgerPosition } from '../../../../src/checkpoint/checkpoint.js'
import { HEADER_SETS, type ObjectOfSet } from '../../../../src/checkpoint/header-set-ledger.js'
import { LateLedger } from '../../../../src/checkpoint/object-ledger.js'
import { setsOf } from '../../../../src/commands/run/batch-sets.js'
import { Interrupted } from '../../../../src/commands/options/io.js'

const going = new AbortController().signal

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3move-sets-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** A ledger of two sets in turn, and the sets that it was made of. */
async function written(): Promise<{ position: LedgerPosition; sets: HeaderSets }> {
  const sets = new HeaderSets()
  const objects = Array.from({ length: 3 * LEAST_ROWS }, (_, n): ObjectOfSet => {
    const set: HeaderSet = { storageClass: 'STANDARD', fields: [['content-type', n % 3 === 0 ? 'a/b' : 'ü "\n']] }
    const object = { key: `${n}`, size: n, etag: 'e', lastModified: new Date(n * 1e6).toISOString() }
    const { number, begins } = sets.add(set, object.lastModified)
    return { ...object, storageClass: 'GLACIER_IR', set: number, ...(begins ? { begins: set } : {}) }
  })
  const ledger = new LateLedger(HEADER_SETS, folder, { bytes: 0, entries: 0 })
  await ledger.append(objects)
  await ledger.end(false)
  return { position: ledger.position, sets }
}

test('sets are made again from what a checkpoint counts on, and what a power cut left behind that is cut off', async () => {
  const { position, sets } = await written()
  await appendFile(HEADER_SETS.path(folder), '{"set":1,"key":"half a li')
  const ledger = new LateLedger(HEADER_SETS, folder, position)
  const again = await setsOf(ledger, going)
  await ledger.end(false)
  expect([again.worthAJob(), again.objects]).toEqual([sets.worthAJob(), 3 * LEAST_ROWS])
  expect((await readFile(HEADER_SETS.path(folder))).length).toBe(position.bytes)
})

test('a ledger on which no checkpoint counts is of no set, and is written from its beginning', async () => {
  await written()
  const ledger = new LateLedger(HEADER_SETS, folder, { bytes: 0, entries: 0 })
  expect((await setsOf(ledger, going)).objects).toBe(0)
  await ledger.append([
    { set: 1, key: 'k', size: 1, etag: 'e', lastModified: '2026-01-01T00:00:00.000Z', storageClass: '' },
  ])
  await ledger.end(false)
  expect((await readFile(HEADER_SETS.path(folder), 'utf8')).split('\n').length).toBe(2)
})

test('a stop is not waited with until all of a ledger is read', async () => {
  const { position } = await written()
  const ledger = new LateLedger(HEADER_SETS, folder, position)
  await expect(setsOf(ledger, AbortSignal.abort())).rejects.toThrow(Interrupted)
  await ledger.end(false)
})
