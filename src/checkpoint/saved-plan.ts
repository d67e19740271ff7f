import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../errors.js'
import { connectionShape, type Connection } from '../job/connection.js'
import { isScanJob, jobShape, type Job, type WriteJob } from '../job/kinds.js'
import { checkCount, list, Mismatch, oneOf, shape, text, time } from '../job/schema.js'
import { totalsShape, type Totals } from '../job/totals.js'
import { compareKeys, printable } from '../keys.js'
import { CheckpointError, reasonOf } from './checkpoint-error.js'
import { createFolder } from './checkpoint-file.js'
import { replaceFile } from './durable.js'
import { jsonText, parseJson } from './json.js'

const FILE = 'plan.json'
const FORMAT = 's3move-plan/1'

/** A plan as it is kept for the run that is to do it. No secrets. */
export interface SavedPlan {
  readonly format: typeof FORMAT
  /** What wrote it, such as `s3move 0.1.0`. */
  readonly program: string
  readonly job: WriteJob
  readonly connection: Connection
  /** ISO 8601. */
  readonly madeAt: string
  /** Objects that were listed. */
  readonly listed: number
  /** What would be done. */
  readonly totals: Totals
  /** Keys that cut what is listed into ranges of about as many objects; no order is to be counted on. */
  readonly marks: readonly string[]
  /** The keys that end the shards but the last, in order; absent where none were asked for. */
  readonly boundaries?: readonly string[]
}

const document = shape<Omit<SavedPlan, 'job'> & { readonly job: Job }>(
  {
    ...{ format: oneOf(FORMAT), program: text, job: jobShape, connection: connectionShape, madeAt: time },
    ...{ listed: checkCount, totals: totalsShape, marks: list(text) },
  },
  { boundaries: list(text) },
)

/** Keeps a plan in a folder, which is made if need be, in the place of one that is there. A CheckpointError when it cannot. */
export async function savePlan(folder: string, plan: Omit<SavedPlan, 'format'>): Promise<void> {
  await createFolder(folder)
  const path = join(folder, FILE)
  try {
    await replaceFile(path, `${jsonText({ format: FORMAT, ...plan }, 2)}\n`)
  } catch (error) {
    throw new CheckpointError(`cannot write ${printable(path)}: ${reasonOf(error)}`, 'name another folder with --save')
  }
}

/** Reads a plan by its folder, or by the file in it. A `UserError` for what is none. */
export async function readPlan(place: string): Promise<SavedPlan> {
  const hint = 's3move plan COMMAND … --save DIR makes one'
  try {
    const path = (await stat(place)).isDirectory() ? join(place, FILE) : place
    const plan = document(parseJson(await readFile(path)), 'plan')
    const { job } = plan
    if (isScanJob(job)) throw new Mismatch('job is one that only reads')
    // In another order some keys would be in two shards, or in none.
    checkOrder(plan.boundaries ?? [])
    return { ...plan, job }
  } catch (error) {
    const why = error instanceof Mismatch || error instanceof SyntaxError ? error.message : reasonOf(error)
    throw new UserError(`${printable(place)} holds no plan that can be read: ${printable(why)}`, hint)
  }
}

function checkOrder(keys: readonly string[]): void {
  for (const [at, key] of keys.entries())
    if (at > 0 && compareKeys(keys[at - 1] ?? '', key) > 0)
      throw new Mismatch(`boundaries[${at}] is before the one before it`)
}
