import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { BatchState } from '../../../../src/checkpoint/batch-state.js'
import { parseCheckpoint, serializeCheckpoint } from '../../../../src/checkpoint/checkpoint.js'
import { runBatchJobs, type BatchRun } from '../../../../src/commands/run/batch-jobs.js'
import { StorageError } from '../../../../src/errors.js'
import type { BatchControl, BatchRequest, BatchView } from '../../../../src/storage/batch-control.js'

const JOB = { rows: 3, bytes: 30, storageClass: 'STANDARD', manifest: 'jobs/1/manifest-1.csv', etag: 'e' }
const BATCH: BatchState = {
  ...{ id: '1', account: '123456789012', role: 'arn:aws:iam::123456789012:role/batch', rowsAJob: 3 },
  ...{ manifests: { bucket: 'own', prefix: 'jobs/' }, planned: true, confirmed: false, jobs: [JOB] },
}
const MANIFEST = 'src,a\nsrc,b%20c\nsrc,d\n'

function reportOf(rows: string): Record<string, string> {
  const Results = [
    { TaskExecutionStatus: 'failed', Key: 'result', MD5Checksum: createHash('md5').update(rows).digest('hex') },
  ]
  const ReportSchema = 'Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage'
  return { result: rows, 'jobs/1/reports/job-j1/manifest.json': JSON.stringify({ ReportSchema, Results }) }
}

type Look = Partial<BatchView> & Pick<BatchView, 'status'>

interface Scripted {
  /** What each look shows; the last one stays. */
  readonly looks: readonly Look[]
  readonly batch?: Partial<BatchState>
  readonly objects?: Readonly<Record<string, string>>
  readonly confirmed?: boolean
  readonly control?: Partial<BatchControl>
}

async function scripted({ looks, batch, objects = {}, confirmed = true, control }: Scripted) {
  const folder = await mkdtemp(join(tmpdir(), 's3move-batch-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const left = [...looks]
  const asked: BatchRequest[] = []
  const started: string[] = []
  const said: string[] = []
  const stop = new AbortController()
  const place = (bucket: string) => ({ bucket, prefix: '' })
  const now = '2026-01-01T00:00:00.000Z'
  const run: BatchRun = {
    folder,
    checkpoint: {
      ...{ format: 2, program: 's3move test', job: { kind: 'copy', source: place('src'), destination: place('dst') } },
      ...{ connection: {}, pace: { concurrency: 1, lanes: 1 }, state: 'unfinished', startedAt: now, savedAt: now },
      ...{ activeMs: 0, sessions: 1, ranges: [], listed: 3, history: [], ledger: { bytes: 0, entries: 0 } },
      totals: { copied: 0, bytes: 0, skipped: {}, failed: {} },
      batch: { ...BATCH, ...batch },
    },
    control: {
      create: (request) => Promise.resolve((asked.push(request), 'j1')),
      describe(id) {
        const look = left.length > 1 ? left.shift()! : left[0]!
        return Promise.resolve({ id, tasks: 3, succeeded: 0, failed: 0, reasons: [], ...look })
      },
      find: () => Promise.resolve(new Map()),
      start: (id) => Promise.resolve(void started.push(id)),
      cancel: () => Promise.resolve(),
      close: () => undefined,
      ...control,
    },
    save(checkpoint) {
      // What could not be read back would be lost.
      parseCheckpoint(serializeCheckpoint(checkpoint), 'checkpoint.json')
      return Promise.resolve()
    },
    confirm: () => Promise.resolve(confirmed),
    async *read(key) {
      const text = { [JOB.manifest]: MANIFEST, ...objects }[key]
      if (text === undefined) throw new Error(`nothing is at ${key}`)
      yield await Promise.resolve(Buffer.from(text))
    },
    say: (message) => said.push(message),
    looked: () => undefined,
    stop: stop.signal,
  }
  const failures = async (): Promise<string[][]> => {
    const text = await readFile(join(folder, 'failures.ndjson'), 'utf8').catch(() => '')
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, string>)
    return lines.map(({ key, code, message }) => [key!, code!, message!])
  }
  return { run, asked, started, said, stop, failures }
}

const SUSPENDED: Look = { status: 'Suspended' }

describe('a run by jobs of S3 Batch Operations', () => {
  test('makes the job, waits until it is prepared, has it confirmed, starts it and counts what it did', async () => {
    const looks: Look[] = [{ status: 'New', tasks: 0 }, { status: 'Preparing', tasks: 0 }, SUSPENDED, SUSPENDED]
    looks.push({ status: 'Active', succeeded: 2 }, { status: 'Complete', succeeded: 3 })
    const { run, asked, started, failures } = await scripted({ looks })
    expect(await runBatchJobs(run, false)).toBe(true)
    expect(asked).toEqual([
      {
        description: 's3move 1 1/1',
        token: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        role: BATCH.role,
        manifest: { bucket: 'own', prefix: JOB.manifest, etag: 'e' },
        report: { bucket: 'own', prefix: 'jobs/1/reports' },
        copy: { destination: { bucket: 'dst', prefix: '' }, storageClass: 'STANDARD' },
      },
    ])
    expect(started).toEqual(['j1'])
    expect(run.checkpoint).toMatchObject({ state: 'finished', totals: { copied: 3, bytes: 30, failed: {} } })
    expect(await failures()).toEqual([])
  })

  test('failed rows of the report are in the ledger, each under its code', async () => {
    const objects = reportOf('src,b%20c,,failed,AccessDenied,403,no\nsrc,d,,failed,NoSuchKey,404,gone\n')
    const { run, failures } = await scripted({
      looks: [SUSPENDED, SUSPENDED, { status: 'Complete', succeeded: 1, failed: 2 }],
      objects,
    })
    expect(await runBatchJobs(run, false)).toBe(true)
    expect(run.checkpoint).toMatchObject({ totals: { copied: 1, failed: { AccessDenied: 1, NoSuchKey: 1 } } })
    expect(await failures()).toEqual([
      ['b c', 'AccessDenied', 'no'],
      ['d', 'NoSuchKey', 'gone'],
    ])
  })

  test('of a job that fails before it does anything every object is in the ledger, with the reason', async () => {
    const looks: Look[] = [{ status: 'Preparing' }, { status: 'Failed', reasons: ['InvalidManifest: another ETag'] }]
    const { run, started, failures } = await scripted({ looks })
    expect(await runBatchJobs(run, false)).toBe(true)
    expect(started).toEqual([])
    const message = 'the job j1 ended as Failed before it was known to have copied it: InvalidManifest: another ETag'
    expect(await failures()).toEqual(['a', 'b c', 'd'].map((key) => [key, 'BatchJobFailed', message]))
    expect(run.checkpoint).toMatchObject({ state: 'finished', totals: { copied: 0, failed: { BatchJobFailed: 3 } } })
  })

  test('of one that is cancelled half-way no object counts twice, and what failed keeps its reason', async () => {
    const looks: Look[] = [SUSPENDED, SUSPENDED, { status: 'Cancelling' }]
    looks.push({ status: 'Cancelled', succeeded: 1, failed: 1 })
    const { run, failures } = await scripted({ looks, objects: reportOf('src,d,,failed,AccessDenied,403,no\n') })
    expect(await runBatchJobs(run, false)).toBe(true)
    expect((await failures()).map(([key, code]) => [key, code])).toEqual([
      ['a', 'BatchJobCancelled'],
      ['b c', 'BatchJobCancelled'],
      ['d', 'AccessDenied'],
    ])
    expect(run.checkpoint.totals).toMatchObject({ copied: 0, failed: { BatchJobCancelled: 2, AccessDenied: 1 } })
  })

  test('a job that counts other tasks than its manifest has rows is not believed', async () => {
    const { run } = await scripted({ looks: [SUSPENDED, { status: 'Complete', tasks: 2, succeeded: 2 }] })
    expect(await runBatchJobs(run, false)).toBe(true)
    expect(run.checkpoint.totals).toMatchObject({ copied: 0, failed: { BatchJobFailed: 3 } })
  })

  test('a report with fewer failures than its job tells of stops the run, and counts for nothing', async () => {
    const { run } = await scripted({
      looks: [SUSPENDED, { status: 'Complete', succeeded: 1, failed: 2 }],
      objects: reportOf('src,d,,failed,NoSuchKey,404,gone\n'),
    })
    await expect(runBatchJobs(run, false)).rejects.toThrow(
      'the report of the job j1 has 1 failures where the job tells of 2',
    )
    expect(run.checkpoint).toMatchObject({
      state: 'unfinished',
      totals: { copied: 0, failed: {} },
      ledger: { bytes: 0 },
    })
  })

  test('nothing is started that nobody has confirmed', async () => {
    const { run, started } = await scripted({ looks: [SUSPENDED], confirmed: false })
    expect(await runBatchJobs(run, false)).toBe(false)
    expect(started).toEqual([])
    expect(run.checkpoint.batch).toMatchObject({ confirmed: false, jobs: [{ id: 'j1' }] })
  })

  test('a session after a kill looks for its job by its description before it makes one', async () => {
    const { run, asked } = await scripted({
      looks: [SUSPENDED, { status: 'Complete', succeeded: 3 }],
      control: { find: (names) => Promise.resolve(new Map([...names].map((name) => [name, 'j1']))) },
    })
    expect(await runBatchJobs(run, true)).toBe(true)
    expect(asked).toEqual([])
    expect(run.checkpoint.batch.jobs[0]).toMatchObject({ id: 'j1', counted: true })
  })

  test('the token is the same for the same job, and another for another', async () => {
    const tokenOf = async (batch: Partial<BatchState>) => {
      const { run, asked } = await scripted({ looks: [SUSPENDED, { status: 'Complete', succeeded: 3 }], batch })
      await runBatchJobs(run, false)
      return asked[0]!.token
    }
    expect(await tokenOf({})).toBe(await tokenOf({}))
    expect(await tokenOf({ id: '2' })).not.toBe(await tokenOf({}))
    expect(await tokenOf({ jobs: [{ ...JOB, etag: 'f' }] })).not.toBe(await tokenOf({}))
  })

  test('that somebody else has started a job in between is no error, and any other refusal is', async () => {
    const refusal = (code: string) =>
      new StorageError('no', { severity: 'fail-object', code, operation: 'UpdateJobStatus', bucket: 'dst' })
    const starting = (code: string) => ({ start: () => Promise.reject(refusal(code)) })
    const looks: Look[] = [SUSPENDED, SUSPENDED, { status: 'Ready' }, { status: 'Complete', succeeded: 3 }]
    const { run } = await scripted({ looks, control: starting('JobStatusException') })
    expect(await runBatchJobs(run, false)).toBe(true)
    const other = await scripted({ looks, control: starting('AccessDenied') })
    await expect(runBatchJobs(other.run, false)).rejects.toMatchObject({ code: 'AccessDenied' })
  })

  test('a stop leaves the jobs as they are and keeps what is known of them', async () => {
    const { run, stop } = await scripted({ looks: [{ status: 'Active', succeeded: 1 }], batch: { confirmed: true } })
    const ended = runBatchJobs(run, false)
    setTimeout(() => stop.abort(), 20)
    expect(await ended).toBe(false)
    expect(run.checkpoint.batch.jobs).toMatchObject([{ id: 'j1', status: 'Active', succeeded: 1 }])
    expect(run.checkpoint.state).toBe('unfinished')
  })
})
