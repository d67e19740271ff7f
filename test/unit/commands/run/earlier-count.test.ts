import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FORMAT, type Checkpoint } from '../../../../src/checkpoint/checkpoint.js'
import { createFolder, saveCheckpoint } from '../../../../src/checkpoint/checkpoint-file.js'
import { countedEarlier, expectingInWords } from '../../../../src/commands/run/earlier-count.js'
import { DEFAULT_PACE } from '../../../../src/commands/options/pace-options.js'
import { wantedRanges } from '../../../../src/commands/run/wanted-ranges.js'
import type { Job } from '../../../../src/job/kinds.js'
import type { Selection } from '../../../../src/job/selection.js'
import { workFolder } from '../../../support/cli-program.js'

const A = { bucket: 'photos', prefix: 'a/' }
const B = { bucket: 'kept', prefix: 'b/' }
const COPY: Job = { kind: 'copy', source: A, destination: B, attributes: {} }
const DU: Job = { kind: 'du', source: A, depth: 0, report: { format: 'text', dates: 'year' } }
const SYNC: Job = { kind: 'sync', source: A, destination: B, by: 'content', attributes: {}, delete: {} }
const VERIFY: Job = { kind: 'verify', source: A, destination: B, deep: false, bytes: false, fix: false, verbose: false }
const DELETE: Job = { kind: 'delete', source: A }

/** Saves finished runs, one a minute, and answers what `job` takes for expected. */
async function expected(job: Job, ...runs: readonly (Partial<Checkpoint> & Pick<Checkpoint, 'job'>)[]) {
  const cwd = await workFolder()
  for (const [minute, run] of runs.entries()) {
    const now = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString()
    const listed = run.listed ?? 5000
    const done = run.job.kind === 'delete' ? { copied: 0, deleted: listed } : { copied: listed }
    const folder = join(cwd, '.s3move', `run-${minute}`)
    await createFolder(folder)
    await saveCheckpoint(folder, {
      ...{ format: FORMAT, program: 's3move', connection: {}, pace: DEFAULT_PACE, state: 'finished' },
      ...{ startedAt: now, savedAt: now, activeMs: 1, sessions: 1, ranges: [], listed, history: [] },
      ...{ totals: { bytes: 1024, skipped: {}, failed: {}, ...done }, ledger: { bytes: 0, entries: 0 } },
      ...run,
    })
  }
  return (await countedEarlier(job, {}, cwd))?.objects
}

test('what the latest run counted at a place is expected there, whatever it did with the objects', async () => {
  expect(await expected(COPY)).toBeUndefined()
  expect(await expected(COPY, { job: COPY, listed: 7000 }, { job: COPY })).toBe(5000)
  expect(await expected(DU, { job: COPY })).toBe(5000)
  expect(await expected({ ...COPY, destination: { bucket: 'else', prefix: '' } }, { job: COPY })).toBe(5000)
  expect(await expected(DELETE, { job: COPY })).toBe(5000)
  expect(await expected(COPY, { job: COPY, listed: 0 })).toBeUndefined()
})

test('it is said with the command that counted, and how long ago', () => {
  const savedAt = new Date(Date.now() - 3 * 3_600_000).toISOString()
  expect(expectingInWords({ objects: 1234, bytes: undefined, kind: 'du', savedAt })).toBe(
    'expecting about 1,234 objects, as du counted 3 h 00 min ago (--expect N says otherwise)',
  )
})

test('what was counted at another place, at another endpoint or in a part is not', async () => {
  expect(await expected({ ...COPY, source: { ...A, prefix: 'a/b/' } }, { job: COPY })).toBeUndefined()
  expect(await expected({ ...COPY, source: { ...A, prefix: '' } }, { job: COPY })).toBeUndefined()
  const connection = { source: { endpointUrl: 'http://elsewhere' } }
  expect(await expected(COPY, { job: COPY, connection })).toBeUndefined()
  const ranges = [{ after: 'a/x' }]
  expect(await expected(COPY, { job: COPY, state: 'unfinished', ranges })).toBeUndefined()
  expect(await expected(COPY, { job: { ...COPY, list: { file: '/list' } } })).toBeUndefined()
})

test('a filter on other things than the beginning of keys changes nothing of what is listed', async () => {
  const jpegs: Selection = {
    globs: [
      ['exclude', '*'],
      ['include', '*.jpg'],
    ],
  }
  const folder: Selection = {
    globs: [
      ['exclude', '*'],
      ['include', 'f/*'],
    ],
  }
  expect(wantedRanges({ ...COPY, select: jpegs })).toEqual([{}])
  expect(await expected(COPY, { job: { ...COPY, select: jpegs } })).toBe(5000)
  expect(await expected({ ...COPY, select: jpegs }, { job: COPY })).toBe(5000)
  expect(await expected({ ...COPY, select: folder }, { job: COPY })).toBeUndefined()
  expect(await expected(COPY, { job: { ...COPY, select: folder } })).toBeUndefined()
  expect(await expected({ ...COPY, select: folder }, { job: { ...COPY, select: folder } })).toBe(5000)
})

test('where both sides are listed the count is that of a run which listed both, less what it deleted', async () => {
  expect(await expected(SYNC, { job: COPY })).toBeUndefined()
  expect(await expected(VERIFY, { job: SYNC })).toBe(5000)
  const totals = { copied: 3000, bytes: 0, deleted: 2000, freed: 0, skipped: {}, failed: {} }
  expect(await expected(SYNC, { job: SYNC, totals })).toBe(3000)
  expect(await expected(COPY, { job: VERIFY })).toBeUndefined()
})

test('nothing is expected where a later run has emptied the place, or has written into it', async () => {
  const move: Job = { kind: 'move', source: A, destination: B, attributes: {} }
  expect(await expected(COPY, { job: COPY }, { job: move })).toBeUndefined()
  expect(await expected(COPY, { job: COPY }, { job: DELETE })).toBeUndefined()
  expect(await expected(COPY, { job: COPY }, { job: { ...DELETE, source: { ...A, prefix: 'a/b/' } } })).toBeUndefined()
  expect(await expected(COPY, { job: COPY }, { job: { ...DELETE, source: { ...A, prefix: 'c/' } } })).toBe(5000)
  expect(await expected(COPY, { job: DELETE }, { job: COPY })).toBe(5000)
  const back: Job = { kind: 'copy', source: B, destination: A, attributes: {} }
  expect(await expected(COPY, { job: COPY }, { job: back })).toBeUndefined()
})

test('runs that cannot be read are no hindrance', async () => {
  const cwd = await workFolder()
  await writeFile(join(cwd, '.s3move'), 'a file')
  expect(await countedEarlier(COPY, {}, cwd)).toBeUndefined()
  const other = await workFolder()
  await mkdir(join(other, '.s3move/broken'), { recursive: true })
  await writeFile(join(other, '.s3move/broken/checkpoint.json'), '{')
  expect(await countedEarlier(COPY, {}, other)).toBeUndefined()
})
