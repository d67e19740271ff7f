import { readdirSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FORMAT, serializeCheckpoint, type Checkpoint } from '../../../src/checkpoint/checkpoint.js'
import { saveCheckpoint } from '../../../src/checkpoint/checkpoint-file.js'
import { RunFolder } from '../../../src/checkpoint/run-folder.js'
import { noTotals } from '../../../src/job/totals.js'

const sample: Checkpoint = {
  format: FORMAT,
  program: 's3move 0.1.0',
  job: { kind: 'du', source: { bucket: 'b', prefix: '' }, depth: 0, report: { format: 'text', dates: 'year' } },
  ...{ connection: {}, pace: { concurrency: 1, lanes: 1 }, state: 'unfinished', activeMs: 0, sessions: 2 },
  ...{ startedAt: '2026-01-02T03:04:05.678Z', savedAt: '2026-01-02T03:04:05.678Z' },
  ...{ ranges: [{}], listed: 0, totals: noTotals(), ledger: { bytes: 0, entries: 0 }, history: [] },
}

let parent: string
let folder: string
let file: string
let run: RunFolder
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 's3move-run-'))
  folder = join(parent, 'run')
  file = join(folder, 'checkpoint.json')
  await mkdir(folder)
  run = await RunFolder.open(folder)
  await run.save(sample)
})
afterEach(async () => {
  await run.close()
  await rm(parent, { recursive: true })
})

/** What a look and a save say, which must be the same, and the next ones again: nothing heals by itself. */
async function refused(message: string, hint: string): Promise<void> {
  const problem = {
    name: 'CheckpointError',
    message: expect.stringContaining(message) as string,
    hint: expect.stringContaining(hint) as string,
  }
  for (let times = 0; times < 2; times++) {
    await expect(run.look()).rejects.toMatchObject(problem)
    await expect(run.save({ ...sample, listed: 7 })).rejects.toMatchObject(problem)
  }
}

describe('the folder of a run, held by a session', () => {
  it('is saved to again and again, over what was there before the first time', async () => {
    await saveCheckpoint(folder, { ...sample, sessions: 9 })
    const next = await RunFolder.open(folder)
    for (let listed = 1; listed < 4; listed++) {
      await next.save({ ...sample, sessions: 10, listed })
      await next.look()
    }
    await next.close()
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ sessions: 10, listed: 3 })
  })

  it('is not written to once another session has saved, whether it has the next number or, begun at the same moment, the same', async () => {
    for (const other of [{ sessions: 3 }, { listed: 5 }]) {
      await saveCheckpoint(folder, { ...sample, ...other })
      const theirs = await readFile(file, 'utf8')
      await refused('another process has taken the run in', 'Let the other process go on')
      expect(await readFile(file, 'utf8')).toBe(theirs)
    }
  })

  it('is not written to when another session saves while what it saves is on its way to the disk', async () => {
    const theirs = serializeCheckpoint({ ...sample, sessions: 3 })
    const saving = run.save({ ...sample, listed: 5 })
    saving.catch(() => undefined)
    while (!readdirSync(folder).some((name) => name.endsWith('.tmp'))) await nextTurn()
    writeFileSync(file, theirs)
    await expect(saving).rejects.toMatchObject({
      message: expect.stringContaining('another process has taken the run in') as string,
    })
    expect([await readFile(file, 'utf8'), await readdir(folder)]).toEqual([theirs, ['checkpoint.json']])
  })

  it('is not written to once its checkpoint was changed', async () => {
    await writeFile(file, serializeCheckpoint(sample).replace('"listed": 0', '"listed": 1'))
    await refused('was changed or damaged while the run went on', 'Restore the file')
    expect(await readFile(file, 'utf8')).toContain('"listed": 1')
  })

  it('gets a checkpoint that was removed back as it was saved last, and the session ends', async () => {
    await run.save({ ...sample, listed: 3 })
    await rm(file)
    await expect(run.save({ ...sample, listed: 4 })).rejects.toMatchObject({
      message: `the checkpoint ${file} was removed while the run went on; it was written again`,
      hint: 'Find out what removes files there, then resume the run.',
    })
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ listed: 3 })
  })

  it('may hold the same text in another file: a copy was put back', async () => {
    await rename(file, `${file}.old`)
    await writeFile(file, await readFile(`${file}.old`))
    await run.save({ ...sample, listed: 1 })
  })

  it('is noticed to be moved or removed, and nothing is made in its place', async () => {
    await rename(folder, join(parent, 'elsewhere'))
    await refused('was moved or removed while the run went on', 'Bring the folder of this run back')
    expect(await readdir(parent)).toEqual(['elsewhere'])
    await rename(join(parent, 'elsewhere'), folder)
    await run.save({ ...sample, listed: 1 })
    await rm(folder, { recursive: true })
    await refused('was moved or removed', 'Bring the folder')
  })

  it('is noticed to be another one of its name, even with a copy of the checkpoint in it', async () => {
    const text = await readFile(file)
    await rm(folder, { recursive: true })
    await mkdir(folder)
    await writeFile(file, text)
    await refused('was replaced by another one', 'Bring the folder')
    expect(await readFile(file)).toEqual(text)
  })
})
