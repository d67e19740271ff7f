import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FORMAT, isWrite, type Checkpoint, type WriteCheckpoint } from '../../../src/checkpoint/checkpoint.js'
import { openFailures } from '../../../src/checkpoint/failure-ledger.js'
import { readCheckpoint, saveCheckpoint } from '../../../src/checkpoint/checkpoint-file.js'
import { LARGE } from '../../../src/checkpoint/large-ledger.js'
import { LEDGER, RETRYING } from '../../../src/checkpoint/ledger-file.js'
import { proveLedgers } from '../../../src/checkpoint/prove.js'
import { openRemovals, removalLedger } from '../../../src/checkpoint/deferred-delete-ledger.js'
import { beginRetry } from '../../../src/checkpoint/retry-steps.js'
import { WAITING } from '../../../src/checkpoint/waiting-ledger.js'
import { UserError } from '../../../src/errors.js'
import type { MoveJob } from '../../../src/job/move.js'
import type { Failure } from '../../../src/job/outcome.js'
import { noTotals } from '../../../src/job/totals.js'

const start = { bytes: 0, entries: 0 }
const job: MoveJob = {
  kind: 'move',
  source: { bucket: 'a', prefix: 'in/' },
  destination: { bucket: 'b', prefix: '' },
}
const traits = { size: 5, etag: 'e', lastModified: '2026-01-01T00:00:00.000Z' }

function failure(key: string, code = 'AccessDenied'): Failure {
  return { key, operation: 'CopyObject', code, message: 'no', attempts: 1, time: '2026-01-02T00:00:00.000Z' }
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3move-prove-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** A folder with a ledger of each kind, as a run leaves it: some failures are being tried again. */
async function makeRun(): Promise<WriteCheckpoint> {
  const before = await openFailures(folder, start)
  await before.append(['in/1', 'in/2', 'in/3'].map((key) => failure(key)))
  await before.close()
  await beginRetry(folder, before.position)
  const failures = await openFailures(folder, start)
  await failures.append([failure('in/1', 'Odd'), failure('in/4')])
  await failures.close()
  const large = await LARGE.open(folder, start)
  await large.append(['in/5', 'in/6'].map((key) => ({ key, ...traits, storageClass: 'STANDARD' })))
  await large.close()
  const removals = await openRemovals(removalLedger(folder, job)!, start)
  await removals.append(['in/7', 'in/8'].map((key) => ({ key, ...traits })))
  await removals.close()
  const waiting = await WAITING.open(folder, start)
  await waiting.append([failure('in/9'), { ...failure('in/a'), copy: 'b' }])
  await waiting.close()
  const retried = (await readFile(join(folder, RETRYING), 'utf8')).indexOf('\n') + 1
  const checkpoint: WriteCheckpoint = {
    format: FORMAT,
    program: 's3move 0.1.0',
    ...{ job, connection: {}, pace: { concurrency: 1, lanes: 1 }, state: 'unfinished', activeMs: 0, sessions: 2 },
    ...{ startedAt: '2026-01-02T03:04:05.678Z', savedAt: '2026-01-02T03:04:05.678Z', history: [] },
    ranges: [{ after: 'k', until: 'm' }, { after: 'q' }],
    listed: 20,
    totals: { ...noTotals(), copied: 3, failed: { AccessDenied: 3, Odd: 1 } },
    ledger: failures.position,
    retry: { bytes: retried, entries: 1, of: 3, ledger: before.position },
    large: { ledger: large.position, begun: { bytes: 0, entries: 0 }, open: [] },
    waiting: { ...waiting.position, done: { bytes: 0, entries: 0 }, errors: { AccessDenied: 2 } },
    removals: { ...removals.position, done: { bytes: 0, entries: 0 } },
  }
  await saveCheckpoint(folder, checkpoint)
  return checkpoint
}

/** What a resume does before anything else. */
async function readRun(): Promise<Checkpoint> {
  const { checkpoint } = await readCheckpoint(folder)
  if (!isWrite(checkpoint)) throw new Error('another job')
  await proveLedgers(folder, checkpoint)
  return checkpoint
}

describe('what a run has left in its folder', () => {
  it('is taken as it is when nothing was changed, also with lines that no checkpoint counts on', async () => {
    const checkpoint = await makeRun()
    expect(await readRun()).toEqual(checkpoint)
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.ndjson') || name === RETRYING) continue
      await writeFile(join(folder, name), `${await readFile(join(folder, name), 'utf8')}{"key":"torn by a cr`)
    }
    expect(await readRun()).toEqual(checkpoint)
  })

  it('is refused, or says the very same, with any bit flipped, cut anywhere, or with two lines exchanged', async () => {
    const checkpoint = await makeRun()
    const files = await readdir(folder)
    expect(files).toHaveLength(6)
    const damage = fc.tuple(fc.constantFrom(...files), fc.constantFrom('flip', 'cut', 'swap'), fc.nat(), fc.nat())
    await fc.assert(
      fc.asyncProperty(damage, async ([name, kind, one, other]) => {
        const path = join(folder, name)
        const whole = await readFile(path)
        await writeFile(path, damaged(whole, kind, one, other))
        try {
          expect(await readRun()).toEqual(checkpoint)
        } catch (error) {
          expect(error).toBeInstanceOf(UserError)
          expect(error).toHaveProperty('hint', expect.any(String))
        } finally {
          await writeFile(path, whole)
        }
      }),
      { numRuns: 400 },
    )
    for (const name of files) {
      const whole = await readFile(join(folder, name))
      for (const text of [whole.subarray(0, -2), damaged(whole, 'flip', 71, 0), damaged(whole, 'swap', 0, 1)]) {
        await writeFile(join(folder, name), text)
        await expect(readRun(), name).rejects.toBeInstanceOf(UserError)
      }
      await rm(join(folder, name))
      await expect(readRun(), name).rejects.toBeInstanceOf(UserError)
      await writeFile(join(folder, name), whole)
    }
  })

  it.each<[title: string, file: string, change: (text: string) => string, message: string]>([
    ['a code that was changed', LEDGER, (text) => text.replace('Odd', 'Bad'), 'has 1 failures of the code Bad'],
    ['a line less', LEDGER, (text) => text.replace('\n', ' '), 'is not JSON'],
    ['a key of another job', LEDGER, (text) => text.replace('in/4', 'on/4'), 'line 2'],
    ['a large object of another job', 'large.ndjson', (text) => text.replace('in/5', 'in.5'), 'line 1'],
    ['what waits of another job', 'waiting.ndjson', (text) => text.replace('in/9', 'in-9'), 'line 1'],
    ['what was moved of another job', 'moved.ndjson', (text) => text.replace('in/8', 'x/y8'), 'line 2'],
    ['two lines in one', 'moved.ndjson', (text) => text.replace('\n', ' '), 'is not JSON'],
    [
      'a code among those tried again',
      RETRYING,
      (text) => text.replace(/AccessDenied(?!.*AccessDenied)/s, 'AccessGrante'),
      'failures of the code',
    ],
  ])(
    'is refused even without checksums, as an older format has none, with %s',
    async (_title, file, change, message) => {
      const { ledger, retry, large, waiting, removals, ...rest } = await makeRun()
      const bare = <T extends object>(position: T): T => ({ ...position, sha256: undefined, ledger: undefined })
      const older = {
        ...rest,
        ...{ format: 1, ledger: bare(ledger), retry: bare(retry!), waiting: bare(waiting!), removals: bare(removals!) },
        large: { ...large!, ledger: bare(large!.ledger) },
      }
      await writeFile(join(folder, 'checkpoint.json'), JSON.stringify(older))
      expect((await readRun()).sessions).toBe(2)
      const before = await readFile(join(folder, file), 'utf8')
      const after = change(before)
      expect(after).not.toBe(before)
      await writeFile(join(folder, file), after)
      const problem: unknown = await readRun().catch((error: unknown) => error)
      expect(problem).toBeInstanceOf(UserError)
      expect(problem).toHaveProperty('message', expect.stringContaining(message))
    },
  )
})

function damaged(whole: Buffer, kind: string, one: number, other: number): Buffer {
  if (kind === 'cut') return whole.subarray(0, one % whole.length)
  if (kind === 'flip') {
    const flipped = Buffer.from(whole)
    const bit = one % (whole.length * 8)
    flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
    return flipped
  }
  const lines = whole.toString().split('\n')
  // The last is the empty one behind the last newline.
  const [a, b] = [one % (lines.length - 1), other % (lines.length - 1)]
  ;[lines[a], lines[b]] = [lines[b]!, lines[a]!]
  return Buffer.from(lines.join('\n'))
}
