import { createHash, randomUUID } from 'node:crypto'
import { StorageError, UserError } from '../errors.js'
import { placeUrl } from '../job/place.js'
import type { ProbedWrites } from '../job/probed.js'
import type { AnswerTime } from '../storage/timed-requests.js'
import type { MeasuredPlace, OpenUpload, SentContent, WriteTime } from '../storage/timed-writes.js'
import { able, type HeaderFields, type Removal } from '../storage/storage.js'
import { timeOf } from '../times.js'

/** The folder in which probes write, each in one of its own: `ID/marker`, `ID/put-1`. What is called otherwise is no probe's. */
export const PROBE_FOLDER = '.s3move-probe/'
const NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/(?:marker|[a-z]+-\d+)$/
const MARKER = 'marker'

/** Milliseconds after which a probe that is at work writes its marker anew; and after which one is none that has not. */
const RENEWED = 20_000
const DEAD = 5 * 60_000
/** DeleteObjects takes no more. */
const BATCH = 1_000
const ABORTS_AT_ONCE = 8

/** What is there of probes. */
export interface ProbeRemains {
  readonly objects: number
  readonly uploads: number
}

/** What was found when a probe began to write. */
export interface FoundRemains {
  /** What earlier probes had left, and is gone. */
  readonly removed: ProbeRemains
  /** The same, and could not be removed; why the first of it could not. */
  readonly kept: ProbeRemains
  readonly problem?: string
  /** Of probes that may be at work. */
  readonly live: ProbeRemains
  /** What lies in the folder and was not written by a probe. */
  readonly others: number
}

interface Remains {
  readonly objects: Removal[]
  readonly uploads: OpenUpload[]
  /** Milliseconds since 1970; NaN where the store does not tell of all. */
  newest: number
}

/**
 * Where a probe writes: names that nobody else has, of which it knows each, and each version. What it wrote it deletes by those; then it looks for what
 * came of requests that were not answered. The place is that of `PROBE_FOLDER`.
 */
export class ProbeFolder {
  readonly id = randomUUID()
  /** The versions of what was written; none where the store did not tell of any. */
  readonly #written = new Map<string, string[]>()
  /** The keys of uploads that are open. */
  readonly #uploads = new Map<string, string>()
  #names = 0
  #renewing: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #bytes = 0
  #hasVersions = false

  #versioned: boolean

  /** `versioned`: its bucket has versions, or may have some. Once `giveUp` aborts, nothing further is deleted. */
  constructor(
    readonly place: MeasuredPlace,
    versioned: boolean,
    private readonly giveUp: AbortSignal,
  ) {
    this.#versioned = versioned
  }

  /** Bytes that were sent. */
  get bytesWritten(): number {
    return this.#bytes
  }

  /**
   * Writes the marker, and removes what probes have left that are none any more. Rejects with a `StorageError` where nothing may be written, or what is
   * left could not be looked for; with a `UserError` where what is written is locked.
   */
  async open(): Promise<FoundRemains> {
    await able(this.place.store.tries, 'try again').again(() => this.#mark())
    try {
      await this.#checkUnlocked()
      this.#timer = setInterval(() => {
        // The next may succeed, and what the probe measures is written beside it.
        this.#renewing = this.#mark().catch(passOver)
      }, RENEWED)
      return await this.#clean()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async #clean(): Promise<FoundRemains> {
    const { found, others } = await this.#remains('')
    const now = found.get(this.id)?.newest ?? NaN
    found.delete(this.id)
    // By the store's own clock. What has no time that is known may have been written just now.
    const isDead = ({ newest }: Remains): boolean => now - newest > DEAD
    const dead = [...found.values()].filter(isDead)
    const live = [...found.values()].filter((one) => !isDead(one))
    const errors = await this.#removeAll(
      dead.flatMap(({ objects }) => objects),
      dead.flatMap(({ uploads }) => uploads),
    )
    const all = sumOf(dead)
    const kept = { objects: errors.objects.length, uploads: errors.uploads.length }
    const [error] = [...errors.objects, ...errors.uploads]
    return {
      ...{ removed: { objects: all.objects - kept.objects, uploads: all.uploads - kept.uploads }, kept },
      ...(error === undefined ? {} : { problem: textOf(error) }),
      ...{ live: sumOf(live), others },
    }
  }

  /** A name that nothing has. `kind` is of small letters. */
  name(kind: string): string {
    return `${this.id}/${kind}-${++this.#names}`
  }

  async put(key: string, content: SentContent, fields?: HeaderFields): Promise<WriteTime> {
    return await this.#writing(key, this.place.writes.put(key, content, fields))
  }

  async copy(from: string, key: string, fields?: HeaderFields): Promise<WriteTime> {
    return await this.#writing(key, this.place.writes.copy(from, key, fields))
  }

  async begin(key: string): Promise<AnswerTime & { readonly upload: string }> {
    const answer = await this.place.writes.begin(key)
    this.#uploads.set(answer.upload, key)
    return answer
  }

  async part(upload: string, content: SentContent): Promise<WriteTime> {
    const answer = await this.place.writes.part(this.#keyOf(upload), upload, content)
    this.#bytes += answer.bytes
    return answer
  }

  async complete(upload: string, etag: string, fields?: HeaderFields): Promise<WriteTime> {
    const key = this.#keyOf(upload)
    const answer = await this.#writing(key, this.place.writes.complete(key, upload, etag, fields))
    this.#uploads.delete(upload)
    return answer
  }

  async abort(upload: string): Promise<AnswerTime> {
    const answer = await this.place.writes.abort(this.#keyOf(upload), upload)
    this.#uploads.delete(upload)
    return answer
  }

  /** Removes what `key` has last become. */
  async remove(key: string, fields?: HeaderFields): Promise<AnswerTime> {
    const versions = this.#written.get(key)
    const version = versions?.at(-1)
    const answer = await this.place.writes.remove(key, version, fields)
    versions?.pop()
    if (versions === undefined || versions.length === 0) this.#written.delete(key)
    return answer
  }

  /** Removes all that the probe wrote, the marker last. Answers what could not be removed. */
  async close(): Promise<ProbedWrites['left']> {
    clearInterval(this.#timer)
    await this.#renewing
    const marker = this.#marker
    const uploads = [...this.#uploads].map(([upload, key]) => ({ key, upload, began: '' }))
    let errors = await this.#removeAll(this.#known(marker, false), uploads)
    let markers = this.#known(marker, true)
    let problem: string | undefined
    try {
      const mine = (await this.#remains(`${this.id}/`)).found.get(this.id) ?? { objects: [], uploads: [] }
      errors = await this.#removeAll(
        mine.objects.filter(({ key }) => key !== marker),
        mine.uploads,
      )
      markers = mine.objects.filter(({ key }) => key === marker)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      problem = `what came of requests without an answer cannot be looked for: ${textOf(error)}`
    }
    const last = await this.#removeAll(markers, [])
    const objects = [...errors.objects, ...last.objects]
    const [first] = [...objects, ...errors.uploads]
    if (first !== undefined) problem = textOf(first)
    return problem === undefined ? undefined : { objects: objects.length, uploads: errors.uploads.length, problem }
  }

  get #marker(): string {
    return `${this.id}/${MARKER}`
  }

  async #mark(): Promise<void> {
    await this.put(this.#marker, CONTENT_OF_MARKER)
  }

  // The settings of a bucket are not shown to everybody; what is locked shows it.
  async #checkUnlocked(): Promise<void> {
    const { store } = this.place
    const { carried } = await store.reading.head(this.#marker)
    const [mode, until] = ['mode', 'retain-until-date'].map(
      (field) => carried.find(([name]) => name === `x-amz-object-lock-${field}`)?.[1],
    )
    if (mode === undefined) return
    throw new UserError(
      `what is written below ${placeUrl(store.place)} is locked by itself (${mode} until ${until ?? 'some day'}): the one object ${this.#marker} was, and nothing more`,
      'measure writes in a bucket without a default retention',
    )
  }

  async #writing(key: string, sent: Promise<WriteTime>): Promise<WriteTime> {
    const versions = this.#written.get(key) ?? []
    this.#written.set(key, versions)
    const answer = await sent
    if (answer.version !== undefined) {
      versions.push(answer.version)
      this.#hasVersions = true
    }
    this.#bytes += answer.bytes
    return answer
  }

  #keyOf(upload: string): string {
    return this.#uploads.get(upload) ?? ''
  }

  // What is known to be there, the marker or all else. Of what has versions, what was not answered is left to be found: a deletion would leave a marker.
  #known(marker: string, isMarker: boolean): Removal[] {
    return [...this.#written]
      .filter(([key]) => (key === marker) === isMarker)
      .flatMap(([key, versions]): Removal[] =>
        versions.length > 0 ? versions.map((version) => ({ key, version })) : this.#hasVersions ? [] : [{ key }],
      )
  }

  // What lies below `within`, by the probe that wrote it.
  async #remains(within: string): Promise<{ readonly found: Map<string, Remains>; readonly others: number }> {
    const found = new Map<string, Remains>()
    let others = 0
    const of = (key: string, time: string): Remains | undefined => {
      const id = NAME.exec(key)?.[1]
      if (id === undefined) {
        others++
        return undefined
      }
      const one = found.get(id) ?? { objects: [], uploads: [], newest: 0 }
      found.set(id, one)
      one.newest = Math.max(one.newest, timeOf(time))
      return one
    }
    for await (const { key, version, lastModified } of this.#objects(within))
      of(key, lastModified)?.objects.push(version === undefined ? { key } : { key, version })
    for (const upload of await this.place.openUploads())
      if (upload.key.startsWith(within)) of(upload.key, upload.began)?.uploads.push(upload)
    return { found, others }
  }

  async *#objects(within: string): AsyncGenerator<{ key: string; version?: string; lastModified: string }> {
    const { store } = this.place
    if (this.#versioned) {
      const versions = able(store.versions, 'list versions')
      let from: Parameters<typeof versions.list>[0]
      try {
        do {
          const page = await versions.list(from, within)
          yield* page.versions
          from = page.next
        } while (from !== undefined)
        return
      } catch (error) {
        if (from !== undefined || !(error instanceof StorageError) || !UNKNOWN.has(error.status)) throw error
        // A store that does not know the question has none.
        this.#versioned = false
      }
    }
    let from: Parameters<typeof store.list>[0] = {}
    for (let more = true; more;) {
      const page = await store.list({ ...from, within })
      yield* page.objects
      const after = page.objects.at(-1)?.key
      from = after === undefined ? { token: page.token } : { after }
      more = page.truncated
    }
  }

  async #removeAll(
    objects: readonly Removal[],
    uploads: readonly OpenUpload[],
  ): Promise<{ readonly objects: StorageError[]; readonly uploads: StorageError[] }> {
    const { store } = this.place
    const failed: { objects: StorageError[]; uploads: StorageError[] } = { objects: [], uploads: [] }
    const left = uploads.values()
    const line = async (): Promise<void> => {
      for (const { key, upload } of left) {
        const error = this.giveUp.aborted
          ? GIVEN_UP
          : await refusalOf(able(store.uploading, 'abort').abort(key, upload))
        if (error !== undefined) failed.uploads.push(error)
      }
    }
    await Promise.all(Array.from({ length: ABORTS_AT_ONCE }, line))
    for (let at = 0; at < objects.length; at += BATCH) {
      const some = objects.slice(at, at + BATCH)
      const answers = this.giveUp.aborted
        ? some.map(() => GIVEN_UP)
        : await able(store.removing, 'delete')
            .remove(some)
            .catch((error: unknown) => some.map(() => asStorageError(error)))
      failed.objects.push(...answers.filter((error) => error !== undefined))
    }
    return failed
  }
}

/** What is answered to a question that a store does not know. */
const UNKNOWN: ReadonlySet<number | undefined> = new Set([400, 405, 501])

const TEXT = Buffer.from(
  's3move probe measures here. Once this is some minutes old, it may be deleted with its folder.\n',
)
const CONTENT_OF_MARKER = { bytes: TEXT, md5: createHash('md5').update(TEXT).digest() }

const GIVEN_UP = new StorageError('interrupted before it was deleted', {
  ...{ severity: 'stop-run', code: 'Interrupted', operation: 'DeleteObjects', bucket: '' },
})

function sumOf(remains: readonly Remains[]): ProbeRemains {
  return {
    objects: remains.reduce((sum, { objects }) => sum + objects.length, 0),
    uploads: remains.reduce((sum, { uploads }) => sum + uploads.length, 0),
  }
}

async function refusalOf(asked: Promise<unknown>): Promise<StorageError | undefined> {
  try {
    await asked
    return undefined
  } catch (error) {
    return asStorageError(error)
  }
}

function passOver(error: unknown): void {
  asStorageError(error)
}

function asStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  throw error
}

function textOf({ operation, code, status, message }: StorageError): string {
  return `${operation}: ${code}${status === undefined ? '' : ` (HTTP ${status})`}: ${message}`
}
