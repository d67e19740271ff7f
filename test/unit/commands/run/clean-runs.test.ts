import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FORMAT, type Checkpoint } from '../../../../src/checkpoint/checkpoint.js'
import { createFolder, saveCheckpoint } from '../../../../src/checkpoint/checkpoint-file.js'
import { lockRun } from '../../../../src/checkpoint/lock.js'
import { cleanRuns } from '../../../../src/commands/run/clean-runs.js'
import type { CommandIo } from '../../../../src/commands/options/io.js'
import { written } from '../../../support/written.js'

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 's3move-clean-'))
})
afterEach(async () => {
  await rm(cwd, { recursive: true })
})

async function save(name: string, state: Checkpoint['state'], savedAt = '2026-01-01T00:00:00.000Z'): Promise<string> {
  const folder = join(cwd, '.s3move', name)
  const ranges = state === 'finished' ? [] : [{}]
  await createFolder(folder)
  await saveCheckpoint(folder, {
    ...{ format: FORMAT, program: 's3move', connection: {}, pace: { concurrency: 1, lanes: 1 }, state, ranges },
    job: {
      kind: 'copy',
      source: { bucket: 'a', prefix: '' },
      destination: { bucket: 'b', prefix: '' },
      attributes: {},
    },
    ...{ startedAt: savedAt, savedAt, activeMs: 1, sessions: 1, listed: 5, history: [] },
    ...{ totals: { copied: 5, bytes: 5, skipped: {}, failed: {} }, ledger: { bytes: 0, entries: 0 } },
  })
  return folder
}

async function cleaned(given: { before?: string; dry?: boolean; yes?: boolean; typed?: string }) {
  const stream = () => Object.assign(new PassThrough(), { isTTY: given.typed !== undefined })
  const [stdin, stdout, stderr] = [stream(), stream(), stream()]
  const stop = new AbortController().signal
  const io: CommandIo = { stdin, stdout, stderr, cwd, args: [], stop, abandon: stop }
  if (given.typed !== undefined) stdin.write(`${given.typed}\n`)
  const { before, dry = false, yes = false } = given
  const code = await cleanRuns({ before, dry, yes }, io)
  return { code, said: written(stdout) + written(stderr) }
}

const left = async (): Promise<string[]> => (await readdir(join(cwd, '.s3move'))).sort()

test('finished runs are removed; what is unfinished, at work, damaged or holds something else stays', async () => {
  const done = await save('done', 'finished')
  for (const name of ['failures.ndjson', 'failures.2026-01-01T00-00-00.000Z.ndjson', 'moved.ndjson'])
    await writeFile(join(done, name), '')
  await (await lockRun(done)).release()
  await save('unfinished', 'unfinished')
  const lock = await lockRun(await save('live', 'finished'))
  await writeFile(join(await save('notes', 'finished'), 'notes.txt'), '')
  await mkdir(join(await save('folder', 'finished'), 'lock.old'))
  await mkdir(join(cwd, '.s3move/damaged'))
  await writeFile(join(cwd, '.s3move/damaged/checkpoint.json'), '{')
  await mkdir(join(cwd, '.s3move/strange'))
  await symlink(await save('../elsewhere', 'finished'), join(cwd, '.s3move/link'))
  const { code, said } = await cleaned({ yes: true })
  await lock.release()
  expect(code).toBe(0)
  expect(said).toMatch(
    /^to remove \.s3move\/done {2}copy s3:\/\/a\/ to s3:\/\/b\/, finished .* ago \(5 copied\)\nremoved 1 run\n/,
  )
  expect(said).toContain('kept .s3move/notes: it holds notes.txt, which is not of a run')
  expect(said).toContain('kept .s3move/link: it holds a link')
  expect(await left()).toEqual(['damaged', 'folder', 'link', 'live', 'notes', 'strange', 'unfinished'])
  expect(await readdir(join(cwd, 'elsewhere'))).toEqual(['checkpoint.json'])
})

test('--older-than and --dry-run leave the rest, and without a terminal --yes is needed', async () => {
  await save('old', 'finished', '2026-01-01T00:00:00.000Z')
  await save('new', 'finished', '2026-02-01T00:00:00.000Z')
  const before = '2026-01-15T00:00:00.000Z'
  await expect(cleaned({ before })).rejects.toThrow('1 run would be removed, and there is no terminal')
  expect((await cleaned({ before, dry: true })).said).toMatch(/^would remove \.s3move\/old {2}/)
  await expect(cleaned({ before, typed: 'no' })).rejects.toThrow('nothing was removed')
  expect(await left()).toEqual(['new', 'old'])
  expect((await cleaned({ before, typed: 'yes' })).said).toContain('removed 1 run\n')
  expect(await left()).toEqual(['new'])
  expect((await cleaned({ before, yes: true })).said).toContain('nothing to remove')
})
