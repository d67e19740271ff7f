import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FORMAT, type Checkpoint } from '../../../../src/checkpoint/checkpoint.js'
import { createFolder, saveCheckpoint } from '../../../../src/checkpoint/checkpoint-file.js'
import { lockRun } from '../../../../src/checkpoint/lock.js'
import { status } from '../../../../src/commands/run/show-status.js'
import { UserError } from '../../../../src/errors.js'
import { COLOURED, type Paint } from '../../../../src/report/paint.js'
import { faultOfLine } from '../../../support/json-schema.js'

let cwd: string

beforeEach(async () => {
  vi.useFakeTimers({ now: new Date('2026-03-04T12:00:00.000Z'), toFake: ['Date'] })
  cwd = await mkdtemp(join(tmpdir(), 's3move-status-'))
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(cwd, { recursive: true })
})

function checkpoint(changes: Partial<Checkpoint> = {}): Checkpoint {
  return {
    format: FORMAT,
    program: 's3move 0.1.0',
    job: { kind: 'copy', source: { bucket: 'a', prefix: 'in/' }, destination: { bucket: 'b', prefix: '' } },
    connection: {},
    pace: { concurrency: 256, lanes: 16 },
    state: 'unfinished',
    startedAt: '2026-03-04T09:00:00.000Z',
    savedAt: '2026-03-04T11:59:58.000Z',
    activeMs: 600_000,
    sessions: 2,
    ranges: [{ after: 'in/m', until: 'in/p' }, { after: 'in/x' }],
    listed: 65_000,
    totals: {
      copied: 59_995,
      bytes: 1.5 * 1024 ** 3,
      skipped: { gone: 2 },
      failed: { AccessDenied: 2, 'Odd\n\x1b[2J': 1 },
    },
    ledger: { bytes: 900, entries: 3 },
    history: [
      { activeMs: 1_000, settled: 0, bytes: 0, throttled: 0 },
      { activeMs: 580_000, settled: 40_000, bytes: 0, throttled: 0 },
      { activeMs: 595_000, settled: 57_000, bytes: 0, throttled: 0 },
    ],
    ...changes,
  }
}

const WAITING: Checkpoint['waiting'] = {
  ...{ bytes: 900, entries: 5_000, done: { bytes: 0, entries: 0 } },
  errors: { '500 InternalError': 5_000 },
}

const FINISHED: Partial<Checkpoint> = {
  state: 'finished',
  ranges: [],
  listed: 60_000,
  totals: { copied: 60_000, bytes: 1024, skipped: {}, failed: {} },
  ledger: { bytes: 0, entries: 0 },
}

async function save(folder: string, changes: Partial<Checkpoint> = {}): Promise<void> {
  await createFolder(join(cwd, folder))
  await saveCheckpoint(join(cwd, folder), checkpoint(changes))
}

async function told(argv: { dir?: string; json?: boolean; watch?: boolean }, paint?: Paint): Promise<string> {
  let text = ''
  const stdout = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      text += chunk
      done()
    },
  })
  expect(await status(argv, { stdout, cwd, ...(paint === undefined ? {} : { paint: { stdout: paint } }) })).toBe(0)
  return text
}

const PAGE = `copy s3://a/in/ to s3://b/
  folder    .s3move/run
  state     unfinished
  stopped   no process works on it, and none has said why: it was killed, or the machine went down
  started   2026-03-04T09:00:00.000Z (3 h 00 min ago); 10 min 00 s at work in 2 sessions
  saved     2026-03-04T11:59:58.000Z (2.0 s ago)
  done      60,000 objects of 65,000 listed so far
  copied    59,995 objects, 1.5 GiB
  skipped   2 objects: 2 deleted after being listed
  failed    3 objects: 2 AccessDenied, 1 Odd\\n\\x1b[2J
  remains   2 ranges of keys; how many objects is not known before the listing has ended
  rate      100/s on average, 1,000/s over the 20.0 s before it was saved
  failures  see s3move failures .s3move/run, or .s3move/run/failures.ndjson
  next      s3move resume .s3move/run
`

describe('s3move status DIR', () => {
  test('tells what is done, what remains, rates, failures by code, and what to run next', async () => {
    await save('.s3move/run')
    expect(await told({ dir: '.s3move/run' })).toBe(PAGE)
  })

  test('takes the folder, with or without a slash, and the checkpoint in it, from anywhere', async () => {
    await save('.s3move/run')
    expect(await told({ dir: '.s3move/run/' })).toBe(PAGE)
    expect(await told({ dir: '.s3move/run/checkpoint.json' })).toBe(PAGE)
    expect(await told({ dir: join(cwd, '.s3move/run') })).toBe(PAGE)
  })

  test('names a folder outside the working directory by its full path, fit for a shell', async () => {
    await save('my runs/it')
    const outside = join(cwd, 'my runs/it')
    cwd = join(cwd, 'below')
    await mkdir(cwd)
    const text = await told({ dir: '../my runs/it' })
    cwd = join(cwd, '..')
    expect(text).toContain(`  next      s3move resume '${outside}'\n`)
  })

  test('of a finished run knows the total, and that nothing is left to do', async () => {
    await save('run', FINISHED)
    expect(await told({ dir: 'run' })).toBe(`copy s3://a/in/ to s3://b/
  folder    run
  state     finished
  started   2026-03-04T09:00:00.000Z (3 h 00 min ago); 10 min 00 s at work in 2 sessions
  saved     2026-03-04T11:59:58.000Z (2.0 s ago)
  done      60,000 of 60,000 objects
  copied    60,000 objects, 1.0 KiB
  rate      100/s on average, 1,000/s over the 20.0 s before it was saved
  next      nothing is left to do
`)
  })

  test('of a finished run with failures says how to try them again', async () => {
    await save('run', { ...FINISHED, totals: checkpoint().totals, ledger: checkpoint().ledger })
    expect(await told({ dir: 'run' })).toContain('  next      s3move resume --only-failed run\n')
  })

  test('tells how far the failed objects have been tried again', async () => {
    await save('run', { ledger: { bytes: 300, entries: 1 }, retry: { bytes: 10, entries: 1, of: 3 } })
    expect(await told({ dir: 'run' })).toContain('  retrying  1 of 3 objects tried again\n')
  })

  test('tells the recent rate by the time at work, whatever the clock was set to and however long it rested', async () => {
    const savedAt = '2020-01-01T00:00:00.000Z'
    await save('run', { savedAt, startedAt: '2031-01-01T00:00:00.000Z' })
    expect(await told({ dir: 'run' })).toContain('1,000/s over the 20.0 s before it was saved')
  })

  test('gives no recent rate of a run that has not been at work since its first sample', async () => {
    await save('run', { activeMs: 1000 })
    expect(await told({ dir: 'run' })).toContain('  rate      60,000/s on average\n')
  })

  test('of a run that has not begun to work gives no rate', async () => {
    const totals = { copied: 0, bytes: 0, skipped: {}, failed: {} }
    await save('run', {
      activeMs: 0,
      totals,
      listed: 0,
      ledger: { bytes: 0, entries: 0 },
      sessions: 1,
      history: [],
      ranges: [{}],
    })
    const text = await told({ dir: 'run' })
    expect(text).not.toContain('  rate ')
    expect(text).toContain('0.0 s at work in 1 session\n')
    expect(text).toContain('  remains   1 range of keys;')
  })

  test('tells the share that is done and the time left once estimates of the total are steady', async () => {
    const history = (...expected: readonly number[]): Checkpoint['history'] =>
      expected.map((objects, index) => ({
        ...{ activeMs: 570_000 + index * 15_000, settled: 45_000 + index * 7_500, bytes: 0, throttled: 0 },
        expected: objects,
      }))
    await save('.s3move/run', { history: history(480_000, 500_000, 490_000) })
    // The largest estimate, at the lower of both rates: 440,000 at 100/s.
    expect(await told({})).toContain(
      '\n  progress  about 12% of about 490,000 objects, about 74 min left once it goes on\n',
    )
    const { share, leftMs, expected } = JSON.parse(await told({ json: true })) as Record<string, unknown>
    expect({ share, leftMs, expected }).toEqual({
      share: 0.12,
      leftMs: 4_400_000,
      expected: { objects: 490_000, told: false },
    })
    const lock = await lockRun(join(cwd, '.s3move/run'))
    await save('.s3move/old', { ...FINISHED, savedAt: '2026-03-01T12:00:00.000Z' })
    expect(await told({})).toBe(`state     done             share  left    failed  saved        folder
at work   60.0k of 65.0k+  ~12%   74 min  3       2.0 s ago    .s3move/run
finished  60.0k of 60.0k                  -       3 d 0 h ago  .s3move/old
`)
    await lock.release()
    await save('.s3move/run', { history: history(480_000, 900_000, 490_000) })
    expect(await told({ dir: '.s3move/run' })).not.toContain('progress')
  })

  test('tells them at once of a total that was told, until there is more, and exactly once all is listed', async () => {
    const told300k = { pace: { concurrency: 256, lanes: 16, expect: 300_000 } }
    await save('.s3move/run', told300k)
    expect(await told({})).toContain(
      '  progress  about 20% of about 300,000 objects, about 40 min left once it goes on\n',
    )
    await save('.s3move/run', { ...told300k, listed: 300_001 })
    expect(await told({})).not.toContain('progress')
    await save('.s3move/run', { ...told300k, ranges: [], listed: 65_000, waiting: WAITING })
    // When those that wait succeed nobody knows.
    expect(await told({})).toContain('\n  progress  92%\n')
    // By now the session knows the total.
    const known = [570_000, 590_000].map((activeMs) => ({
      activeMs,
      settled: 0,
      bytes: 0,
      throttled: 0,
      expected: 80_000,
    }))
    await save('.s3move/run', { ...told300k, history: known })
    expect(await told({})).toContain(
      '  progress  about 75% of about 80,000 objects, about 4 min left once it goes on\n',
    )
    await save('.s3move/run', { ...told300k, paused: 'AccessDenied' })
    expect(await told({})).toContain('  progress  about 20% of about 300,000 objects\n')
  })

  test('shows hostile prefixes escaped', async () => {
    const source = { bucket: 'a', prefix: 'x\n\x1b[2J' }
    await save('run', { job: { kind: 'copy', source, destination: { bucket: 'b', prefix: '\u202e' } } })
    expect(await told({ dir: 'run' })).toMatch(/^copy s3:\/\/a\/x\\n\\x1b\[2J to s3:\/\/b\/\\u\{202e\}\n/)
  })

  test('names the process that is working on the run, and says to wait for it', async () => {
    await save('.s3move/run')
    const lock = await lockRun(join(cwd, '.s3move/run'))
    try {
      const text = await told({})
      expect(text).toContain(`process ${process.pid} on `)
      expect(text).toMatch(/next +wait until it ends\n/)
      expect(JSON.parse(await told({ json: true }))).toMatchObject({ heldBy: { pid: process.pid }, next: null })
    } finally {
      await lock.release()
    }
    expect(await told({})).toContain('s3move resume')
  })

  test('says why the last session of a run ended, and how often it was asked to slow down', async () => {
    const stopped = { reason: 'all of the first 1,000 objects failed alike (x\u001b[2J)', hint: 'look at the ledger' }
    const history = [
      { activeMs: 580_000, settled: 0, bytes: 0, throttled: 5 },
      { activeMs: 595_000, settled: 57_000, bytes: 0, throttled: 1234 },
    ]
    await save('run', { stopped, history, throttled: 1300 })
    const text = await told({ dir: 'run' })
    expect(text).toContain(
      '  stopped   all of the first 1,000 objects failed alike (x\\x1b[2J)\n  hint      look at the ledger\n',
    )
    expect(text).toContain('  throttled asked to slow down 1,300 times, 1,295 of them in the 20.0 s')
    expect(JSON.parse(await told({ dir: 'run', json: true }))).toMatchObject({ stopped, throttled: 1300 })
  })

  test('with --watch writes a line for each change until the run ends', async () => {
    await save('run')
    const lock = await lockRun(join(cwd, 'run'))
    const watched = told({ dir: 'run', watch: true })
    await new Promise((resolve) => setTimeout(resolve, 300))
    await save('run', FINISHED)
    await lock.release()
    expect(await watched).toBe(
      'run: at work, 60,000 objects of 65,000 listed so far, 3 failed\nrun: finished, 60,000 of 60,000 objects\n',
    )
  })

  test('with --watch and --json writes a record for each change, and none for the time alone', async () => {
    await save('run')
    const lock = await lockRun(join(cwd, 'run'))
    const watched = told({ dir: 'run', watch: true, json: true })
    // It is looked at twice before.
    await new Promise((resolve) => setTimeout(resolve, 1300))
    await save('run', FINISHED)
    await lock.release()
    const lines = (await watched).trimEnd().split('\n')
    expect(lines.map(faultOfLine)).toEqual([undefined, undefined])
    expect(lines.map((line) => (JSON.parse(line) as { state: string }).state)).toEqual(['unfinished', 'finished'])
  })

  test('refuses a folder without a checkpoint', async () => {
    await expect(told({ dir: 'nowhere' })).rejects.toThrow(UserError)
  })
})

describe('s3move status --json', () => {
  test('is one object on one line, with names that do not change', async () => {
    await save('.s3move/run')
    const text = await told({ json: true })
    expect(text).toMatch(/^[^\n]+\n$/)
    expect(faultOfLine(text)).toBeUndefined()
    expect(JSON.parse(text)).toEqual({
      schema: 's3move/1',
      type: 'status',
      time: expect.any(String) as string,
      folder: '.s3move/run',
      source: 's3://a/in/',
      destination: 's3://b/',
      heldBy: null,
      hosts: null,
      rounds: null,
      job: checkpoint().job,
      state: 'unfinished',
      startedAt: '2026-03-04T09:00:00.000Z',
      savedAt: '2026-03-04T11:59:58.000Z',
      sessions: 2,
      activeMs: 600_000,
      done: 60_000,
      verdicts: null,
      waiting: { objects: 0, errors: {} },
      paused: null,
      totals: {
        copied: 59_995,
        bytes: 1.5 * 1024 ** 3,
        deleted: 0,
        deletedBytes: 0,
        skipped: { gone: 2 },
        failed: { AccessDenied: 2, 'Odd\n\x1b[2J': 1 },
        failedObjects: 3,
      },
      listed: 65_000,
      total: null,
      rangesRemaining: 2,
      retry: null,
      jobs: null,
      large: 0,
      averagePerSecond: 100,
      recentPerSecond: 1000,
      recentMs: 20_000,
      expected: null,
      share: null,
      leftMs: null,
      stopped: null,
      passedOver: null,
      spentUsd: null,
      maxCostUsd: null,
      requests: {},
      throttled: 0,
      recentThrottled: 0,
      failures: '.s3move/run/failures.ndjson',
      next: 's3move resume .s3move/run',
    })
  })

  test('has null for what is not known or not left to do, and the total once it is known', async () => {
    await save('run', { ...FINISHED, activeMs: 0, history: [] })
    const answer = JSON.parse(await told({ dir: 'run', json: true })) as Record<string, unknown>
    expect(answer).toMatchObject({
      total: 60_000,
      averagePerSecond: null,
      recentPerSecond: null,
      recentMs: null,
      next: null,
    })
  })
})

describe('s3move status without a folder', () => {
  test('tells of the only run', async () => {
    await save('.s3move/run')
    expect(await told({})).toBe(PAGE)
  })

  test('has a table of several runs, those at work first, then the unfinished, and those that cannot be read', async () => {
    await save('.s3move/old', { ...FINISHED, savedAt: '2026-03-01T12:00:00.000Z' })
    await save('.s3move/new')
    await save('.s3move/stopped', { savedAt: '2026-03-03T12:00:00.000Z', stopped: { reason: 'the disk is full' } })
    const long = `.s3move/${'x'.repeat(60)}`
    await save(long, { savedAt: '2026-03-02T12:00:00.000Z' })
    const lock = await lockRun(join(cwd, long))
    await mkdir(join(cwd, '.s3move/broken'))
    await writeFile(join(cwd, '.s3move/broken/checkpoint.json'), '')
    const text = await told({})
    await lock.release()
    expect(text).toBe(`state       done             failed  saved        folder
at work     60.0k of 65.0k+  3       2 d 0 h ago
  ${long}
killed      60.0k of 65.0k+  3       2.0 s ago    .s3move/new
stopped     60.0k of 65.0k+  3       1 d 0 h ago  .s3move/stopped
finished    60.0k of 60.0k   -       3 d 0 h ago  .s3move/old
unreadable                                        .s3move/broken
  checkpoint ${join(cwd, '.s3move/broken/checkpoint.json')} is empty
`)
  })

  test('paints states alone, in their columns, and no JSON', async () => {
    await save('.s3move/one')
    await save('.s3move/two', { state: 'finished', ranges: [], listed: 60_000 })
    const table = await told({}, COLOURED)
    expect(table).toMatch(/^\x1b\[33mkilled\x1b\[39m /m)
    expect(table).toMatch(/^\x1b\[2mfinished\x1b\[22m /m)
    expect(stripVTControlCharacters(table)).toBe(await told({}))
    const page = await told({ dir: '.s3move/one' }, COLOURED)
    expect(page).toContain('\x1b[31m  failed    3 objects: 2 AccessDenied, 1 Odd\\n\\x1b[2J\x1b[39m\n')
    expect(stripVTControlCharacters(page)).toBe(await told({ dir: '.s3move/one' }))
    expect(await told({ json: true }, COLOURED)).not.toContain('\x1b')
  })

  test('has a line of JSON for each of several runs', async () => {
    await save('.s3move/one')
    await mkdir(join(cwd, '.s3move/two'))
    await writeFile(join(cwd, '.s3move/two/checkpoint.json'), '{')
    const answers = (await told({ json: true }))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(answers).toHaveLength(2)
    expect(answers[0]).toMatchObject({ folder: '.s3move/one', done: 60_000 })
    expect(Object.keys(answers[1]!)).toEqual(['schema', 'type', 'time', 'folder', 'problem'])
  })

  test('refuses with a hint when there is no run', async () => {
    const refused = told({})
    await expect(refused).rejects.toThrow(UserError)
    await expect(refused).rejects.toMatchObject({
      message: `there is no run below ${join(cwd, '.s3move')}`,
      hint: expect.stringContaining('s3move status DIR') as string,
    })
  })

  test('refuses when the checkpoint of the only run cannot be read', async () => {
    await mkdir(join(cwd, '.s3move/broken'), { recursive: true })
    await writeFile(join(cwd, '.s3move/broken/checkpoint.json'), '{"format":')
    await expect(told({})).rejects.toThrow(/cut short or damaged/)
  })
})
