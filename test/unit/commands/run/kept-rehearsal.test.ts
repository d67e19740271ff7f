import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readRehearsal } from '../../../../src/checkpoint/unfinished-rehearsal.js'
import { RehearsalKeeper, type Kept } from '../../../../src/commands/run/kept-rehearsal.js'
import { noRehearsal } from '../../../../src/engine/session/rehearsal.js'
import type { WriteJob } from '../../../../src/job/kinds.js'

const job: WriteJob = { kind: 'delete', source: { bucket: 'src', prefix: '' } }

function kept(copied: number): Kept {
  const state = noRehearsal([{ after: 'k\n' }], undefined)
  return {
    ...{ job, connection: {}, pace: { concurrency: 1, lanes: 1 }, examples: [] },
    state: { ...state, totals: { ...state.totals, copied } },
    ...{ sample: { seen: 0, taken: [] }, marks: { seen: 0, taken: [] } },
  }
}

let folder = ''
const warnings: string[] = []

function keeper(take: () => Kept | undefined, at = folder): RehearsalKeeper {
  const keepList = (one: WriteJob): Promise<WriteJob> => Promise.resolve(one)
  return new RehearsalKeeper({ folder: at, take, keepList, warn: (message) => warnings.push(message) })
}

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 's3move-kept-')), 'a-dry-run')
  warnings.length = 0
})
afterEach(() => vi.useRealTimers())

test('a rehearsal that lasts is kept from time to time, for a kill, and its folder is gone when it comes to its end', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  let copied = 0
  const one = keeper(() => kept(copied))
  one.start()
  vi.advanceTimersByTime(29_000)
  expect(await readRehearsal(folder)).toBeUndefined()
  copied = 7
  vi.advanceTimersByTime(1_000)
  await vi.waitFor(async () => expect((await readRehearsal(folder))?.found.state.totals.copied).toBe(7))
  await one.end()
  await expect(readdir(folder)).rejects.toThrow('ENOENT')
})

test('of one that has seen nothing nothing is kept', async () => {
  expect(await keeper(() => kept(0)).keep()).toBeUndefined()
  expect(await keeper(() => undefined).keep()).toBeUndefined()
  await expect(readdir(folder)).rejects.toThrow('ENOENT')
})

test('what is kept is read back as it was, and nothing else in its folder is removed', async () => {
  expect(await keeper(() => kept(3)).keep()).toBe(folder)
  expect((await readRehearsal(join(folder, 'dry-run.json')))?.found).toMatchObject(kept(3))
  await writeFile(join(folder, 'mine'), '')
  await keeper(() => kept(3)).end()
  expect(await readdir(folder)).toEqual(['mine'])
})

test('a folder that cannot be made is told once, and ends no rehearsal', async () => {
  const file = `${folder}.file`
  await writeFile(file, 'x')
  const one = keeper(() => kept(3), join(file, 'below'))
  expect(await one.keep()).toBeUndefined()
  expect(await one.keep()).toBeUndefined()
  expect(warnings).toEqual([expect.stringContaining('the dry run cannot be kept, and could not be resumed')])
  expect(await readFile(file, 'utf8')).toBe('x')
})
