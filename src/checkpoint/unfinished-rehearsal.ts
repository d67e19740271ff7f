import { readFile, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { UserError } from '../errors.js'
import { isMissing, systemCode } from '../file-system.js'
import { connectionShape, type Connection } from '../job/connection.js'
import { isScanJob, jobShape, type Job, type WriteJob } from '../job/kinds.js'
import type { LargeObject } from '../job/outcome.js'
import { paceShape, type Pace } from '../job/pace.js'
import { folderIdentityShape, type FolderIdentity } from '../job/place.js'
import { plannedGroupShape, type PlannedGroup } from '../job/planned-group.js'
import {
  checkCount,
  checkDuration,
  counts,
  list,
  Mismatch,
  oneOf,
  positive,
  record,
  shape,
  text,
  time,
  type Check,
} from '../job/schema.js'
import { totalsShape, type Totals } from '../job/totals.js'
import { printable, type KeyRange } from '../keys.js'
import { checkpointError, reasonOf } from './checkpoint-error.js'
import { LIST_COPY, withCopyIn } from './checkpoint-file.js'
import { listStateShape, rangesShape, type ListState } from './checkpoint.js'
import { replaceFile } from './durable.js'
import { jsonText, parseJson } from './json.js'

const FILE = 'dry-run.json'
const FORMAT = 's3move-dry-run/1'

/** How far a rehearsal has come, and what it has counted. Plain data. */
export interface RehearsalState {
  /** What remains to be looked at, and of a list. */
  readonly ranges: readonly KeyRange[]
  readonly list?: ListState
  /** What would be done. */
  readonly totals: Totals
  readonly archived: number
  readonly versions: number
  readonly groups: readonly PlannedGroup[]
  /** Requests that a run would send to write, what the rehearsal has begun with, and what it has sent since; by operation. */
  readonly writes: Readonly<Record<string, number>>
  readonly begin: Readonly<Record<string, number>>
  readonly sent: Readonly<Record<string, number>>
  /** Of those sent, the ones to the destination, where that is another place than the source. */
  readonly destinationReads: Readonly<Record<string, number>>
  /** How long answers usually took, by operation, and all of it; in milliseconds. */
  readonly answers: Readonly<Record<string, number>>
  readonly elapsed: number
  /** Objects a second that the store held it to. */
  readonly heldTo?: number
}

/** An object of a sample. */
export interface SampledObject extends LargeObject {
  readonly version?: string
  readonly manifest?: true
}

/** A sample, and of how many objects it is one. */
export interface SampleState {
  readonly seen: number
  readonly taken: readonly SampledObject[]
}

/** A line that is an example of its kind, and the key that it stands in order by. */
export interface ExampleState {
  readonly kind: string
  readonly order: string
  readonly type: string
  readonly key: string
  readonly to?: string
  readonly bytes?: number
  readonly reason?: string
  readonly code?: string
  readonly changes?: readonly {
    readonly name: string
    readonly from?: string | undefined
    readonly to?: string | undefined
  }[]
}

/** What a plan was to be made of. Paths are absolute. */
interface PlanningState {
  readonly sample: number
  readonly shards?: number
  readonly save?: string
  readonly to?: { readonly path: string; readonly format: 'text' | 'json' | 'html' }
}

/** A rehearsal that did not come to its end. No secrets. */
export interface UnfinishedRehearsal {
  readonly format: typeof FORMAT
  /** What wrote it, such as `s3move 0.1.0`. */
  readonly program: string
  /** ISO 8601. */
  readonly savedAt: string
  readonly job: WriteJob
  readonly connection: Connection
  readonly sourceFolder?: FolderIdentity
  readonly pace: Pace
  /** Where it is the one of a plan. */
  readonly planning?: PlanningState
  readonly state: RehearsalState
  readonly examples: readonly ExampleState[]
  /** What a plan looks at, and what its marks are chosen from. */
  readonly sample: SampleState
  readonly marks: SampleState
}

const trueFlag: Check<true> = (value, at) => {
  if (value !== true) throw new Mismatch(`${at} should be true`)
  return true
}

const sampleShape = shape<SampleState>(
  {
    seen: checkCount,
    taken: list(
      shape<SampledObject>(
        { key: text, size: checkCount, etag: text, lastModified: text, storageClass: text },
        { version: text, manifest: trueFlag },
      ),
    ),
  },
  {},
)

const change = shape<NonNullable<ExampleState['changes']>[number]>({ name: text }, { from: text, to: text })

const document = shape<Omit<UnfinishedRehearsal, 'job'> & { readonly job: Job }>(
  {
    ...{ format: oneOf(FORMAT), program: text, savedAt: time, job: jobShape, connection: connectionShape },
    pace: paceShape,
    state: shape<RehearsalState>(
      {
        ...{ ranges: rangesShape, totals: totalsShape, archived: checkCount, versions: checkCount },
        ...{ groups: list(plannedGroupShape), writes: counts, begin: counts, sent: counts, destinationReads: counts },
        ...{ answers: record(checkDuration), elapsed: checkDuration },
      },
      { list: listStateShape, heldTo: checkDuration },
    ),
    examples: list(
      shape<ExampleState>(
        { kind: text, order: text, type: text, key: text },
        { to: text, bytes: checkCount, reason: text, code: text, changes: list(change) },
      ),
    ),
    ...{ sample: sampleShape, marks: sampleShape },
  },
  {
    sourceFolder: folderIdentityShape,
    planning: shape<PlanningState>(
      { sample: checkCount },
      { shards: positive, save: text, to: shape({ path: text, format: oneOf('text', 'json', 'html') }, {}) },
    ),
  },
)

/** A rehearsal that can go on, and the folder in which it is kept. */
export interface KeptRehearsal {
  readonly folder: string
  readonly found: UnfinishedRehearsal
}

/** Keeps a rehearsal in a folder that is there, in the place of one that is kept there. A CheckpointError when it cannot. */
export async function saveRehearsal(folder: string, found: Omit<UnfinishedRehearsal, 'format'>): Promise<void> {
  const path = join(folder, FILE)
  try {
    await replaceFile(path, `${jsonText({ format: FORMAT, ...found })}\n`)
  } catch (error) {
    throw checkpointError('save', path, error)
  }
}

/** Reads one by its folder, or by the file in it; undefined where none is kept. A `UserError` for what is damaged. */
export async function readRehearsal(place: string): Promise<KeptRehearsal | undefined> {
  const folder = await folderOf(place)
  if (folder === undefined) return undefined
  const path = join(folder, FILE)
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw new UserError(`cannot read ${printable(path)}: ${reasonOf(error)}`)
  }
  try {
    const found = document(parseJson(bytes), '')
    const { job } = found
    if (isScanJob(job)) throw new Mismatch('job is one that only reads')
    return { folder, found: { ...found, job: withCopyIn(folder, job) } }
  } catch (error) {
    if (!(error instanceof Mismatch || error instanceof SyntaxError || error instanceof TypeError)) throw error
    throw new UserError(
      `the dry run in ${printable(path)} is damaged, or of another version of s3move: ${printable(error.message)}`,
      'remove the folder, and begin the dry run anew',
    )
  }
}

async function folderOf(place: string): Promise<string | undefined> {
  try {
    if ((await stat(place)).isDirectory()) return place
  } catch (error) {
    if (isMissing(error)) return undefined
    throw new UserError(`cannot read ${printable(place)}: ${reasonOf(error)}`)
  }
  return basename(place) === FILE ? dirname(place) : undefined
}

/** Removes what is kept of a rehearsal, and its folder, unless anything else is in it. */
export async function removeRehearsal(folder: string): Promise<void> {
  try {
    for (const name of [FILE, LIST_COPY]) await rm(join(folder, name), { force: true })
    await rmdir(folder)
  } catch (error) {
    const code = systemCode(error)
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT') throw checkpointError('remove', folder, error)
  }
}
