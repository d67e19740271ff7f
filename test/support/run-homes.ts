import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { BucketRun, type BucketRunOptions } from '../../src/checkpoint/bucket-run.js'
import { FORMAT, type WriteCheckpoint } from '../../src/checkpoint/checkpoint.js'
import { mount } from '../../src/checkpoint/mounts.js'
import type { RequestField, RunObjects } from '../../src/checkpoint/run-objects.js'
import { runObjects } from '../../src/commands/run/run-objects.js'
import { StorageError } from '../../src/errors.js'
import { settingsAt } from '../../src/job/pace.js'
import { noTotals } from '../../src/job/totals.js'
import { openEnds } from '../../src/storage/open.js'

/** A checkpoint of a run that copies, which has failures of one code and has listed so much. */
export function savedAs(listed: number, ledger: WriteCheckpoint['ledger'] = { bytes: 0, entries: 0 }): WriteCheckpoint {
  const failed = ledger.entries === 0 ? {} : { AccessDenied: ledger.entries }
  return {
    format: FORMAT,
    program: 's3move 0.1.0',
    job: {
      kind: 'copy',
      source: { bucket: 'a', prefix: '' },
      destination: { bucket: 'b', prefix: '' },
      attributes: {},
    },
    ...{ connection: {}, pace: { concurrency: 1, lanes: 1 }, state: 'unfinished', activeMs: 0, sessions: 1 },
    ...{ startedAt: '2026-01-02T03:04:05.678Z', savedAt: '2026-01-02T03:04:05.678Z' },
    ...{ ranges: [{}], listed, totals: { ...noTotals(), failed }, ledger, history: [] },
  }
}

/** An empty folder, removed when the test ends. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's3move-home-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The objects below `s3://bucket/prefix` of a server. */
export async function objectsAt(endpointUrl: string, bucket: string, prefix: string): Promise<RunObjects> {
  const ends = await openEnds({
    source: { bucket, prefix },
    connection: { endpointUrl },
    settings: settingsAt({ concurrency: 1, lanes: 1 }, { threads: 0, nameLocks: new SharedArrayBuffer(0) }),
    ...{ giveUp: new AbortController().signal, readOnly: true, named: true },
    ...{ note: () => undefined, warn: () => undefined },
  })
  const place = ends.source.beside!(prefix, { retryFor: 3_000, giveUp: new AbortController().signal })
  onTestFinished(() => {
    place.close()
    ends.close()
  })
  return runObjects(place, { bucket, prefix })
}

/** A run in a bucket as one process knows it, with a folder of its own. */
export async function mounted(
  objects: RunObjects,
  options: Partial<BucketRunOptions> = {},
): Promise<{ readonly folder: string; readonly bucket: BucketRun; readonly unmount: () => void }> {
  const folder = await emptyFolder()
  const wait = (): Promise<void> => Promise.reject(new Error('nobody waits'))
  const bucket = await BucketRun.open({ objects, folder, tell: () => undefined, wait, ...options })
  const unmount = mount(folder, bucket)
  onTestFinished(unmount)
  return { folder, bucket, unmount }
}

/** What becomes of a request: no answer comes before or after it is carried out, or it is carried out later, by `deliver`; or it is refused for being too many. */
export type Fate = 'ok' | 'lost before' | 'lost after' | 'late' | 'busy'

/** Objects in memory, of which requests have fates. */
export class FatefulObjects implements RunObjects {
  readonly place = { bucket: 'kept', prefix: 'run/' }
  readonly objects: Map<string, { readonly bytes: Buffer; readonly etag: string }>
  readonly #late: (() => unknown)[]

  /** `fates` are those of the next requests, shared by whoever sends some; `seen` is what a reader sees of an object. */
  constructor(
    private readonly fates: Fate[] = [],
    private readonly seen: (bytes: Buffer) => Buffer = (bytes) => bytes,
    sharing?: FatefulObjects,
  ) {
    this.objects = sharing?.objects ?? new Map<string, { readonly bytes: Buffer; readonly etag: string }>()
    this.#late = sharing?.late ?? []
  }

  get late(): (() => unknown)[] {
    return this.#late
  }

  /** Carries out what is late. */
  deliver(): void {
    for (const request of this.#late.splice(0)) {
      try {
        request()
      } catch {
        // Nobody hears the answer.
      }
    }
  }

  async read(key: string) {
    return await this.again(() =>
      this.#meet('GetObject', () => {
        const found = this.objects.get(key)
        return found === undefined ? undefined : { bytes: this.seen(found.bytes), etag: found.etag }
      }),
    )
  }

  async write(key: string, bytes: Buffer, fields: readonly RequestField[]) {
    return await this.#meet('PutObject', () => {
      const there = this.objects.get(key)
      for (const [name, value] of fields) {
        const holds = name === 'if-match' ? value === `"${there?.etag ?? ''}"` : there === undefined
        if (!holds) throw problem('PutObject', 'fail-object', 'PreconditionFailed', 412)
      }
      const etag = createHash('md5').update(bytes).digest('hex')
      this.objects.set(key, { bytes, etag })
      return etag
    })
  }

  async remove(keys: readonly string[]) {
    await this.again(() =>
      this.#meet('DeleteObjects', () => {
        for (const key of keys) this.objects.delete(key)
      }),
    )
  }

  async *names(within: string) {
    for (const key of [...this.objects.keys()].sort()) if (key.startsWith(within)) yield Promise.resolve(key)
  }

  async again<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        const passes = error instanceof StorageError && ['retry', 'throttle'].includes(error.severity)
        if (!passes || attempt === 6) throw error
      }
    }
  }

  #meet<T>(operation: string, carryOut: () => T): Promise<T> {
    const fate = this.fates.shift() ?? 'ok'
    const lost = problem(operation, 'retry', 'ECONNRESET')
    try {
      if (fate === 'busy') throw problem(operation, 'throttle', 'SlowDown', 503)
      if (fate === 'late') this.#late.push(carryOut)
      if (fate === 'lost after') carryOut()
      if (fate !== 'ok') throw lost
      return Promise.resolve(carryOut())
    } catch (error) {
      return Promise.reject(fate === 'lost after' ? lost : (error as Error))
    }
  }
}

function problem(operation: string, severity: StorageError['severity'], code: string, status?: number): StorageError {
  return new StorageError('it went wrong', { severity, code, operation, bucket: 'kept', key: 'k', status })
}
