import { readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import { isWrite, type WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { nameOfList, type KeyList } from '../../job/files-from.js'
import { writeKindOf } from '../../job/kinds.js'
import type { VerifyJob } from '../../job/verify.js'
import { printable } from '../../keys.js'
import { count, jobTitle, objects, shellWord } from '../../report/format.js'
import { checkList, unreadState } from '../../sources/files-from/list-identity.js'
import { changedList } from '../../sources/files-from/list-bytes.js'
import { timeOf } from '../../times.js'
import { surveyOf } from './list-survey.js'

/** How to compare. */
export type Comparison = Pick<
  VerifyJob,
  'kind' | 'deep' | 'acl' | 'annotations' | 'bytes' | 'fix' | 'verbose' | 'to' | 'format'
>

/** A comparison, and how its places are reached. */
export interface Proving {
  readonly job: VerifyJob
  readonly connection: Connection
  /** What a person should know of it. */
  readonly warnings: readonly string[]
}

/** The comparison of exactly what the run in a folder was to copy. A `UserError` where there is no such run, or nothing is left to compare. */
export async function provingJob(dir: string, how: Comparison): Promise<Proving> {
  const { folder, checkpoint } = await readCheckpoint(dir)
  const name = shellWord(folder)
  if (!isWrite(checkpoint)) {
    throw new UserError(`the run in ${name} copied nothing: ${jobTitle(checkpoint.job)}`, NEEDED)
  }
  const { job } = checkpoint
  const proof = writeKindOf(job).proof?.(job)
  if (proof === undefined) throw new UserError(`the run in ${name} copied nothing: ${jobTitle(job)}`, NEEDED)
  if (typeof proof === 'string') {
    throw new UserError(
      `nothing is left to compare of the run in ${name}: ${proof}`,
      `what it could not do is told by s3move status ${name}`,
    )
  }
  const { compared, warnings } = proof
  if (how.fix && (compared.map !== undefined || 'attributes' in job)) {
    throw new UserError(
      `--fix makes plain copies, and those of the run in ${name} have ${compared.map === undefined ? 'attributes' : 'names'} of their own`,
      'write the differences to a file with --to, and give that to the same copy with --files-from',
    )
  }
  const { list } = compared
  const proving: VerifyJob = { ...compared, ...how, ...(list === undefined ? {} : { list: asFile(list) }) }
  const unfinished = checkpoint.state === 'finished' ? [] : [`the run in ${name} ${UNFINISHED}`]
  return {
    job: proving,
    connection: checkpoint.connection,
    warnings: [...unfinished, ...warnings, ...(await listWarnings(proving, checkpoint, list?.origin?.sha256))],
  }
}

const NEEDED = 'name the folder of a run of copy or sync, or two places: s3move verify SOURCE DESTINATION'
const UNFINISHED = 'is not finished: what it has not copied yet is told as missing or different'

// The copy in the folder of the run is a file like others to one who has another folder; of an inventory the files are where they were.
function asFile({ origin, ...list }: KeyList): KeyList {
  return origin !== undefined && list.format === 'inventory' ? { ...list, origin } : list
}

// Of a list that is done nothing is kept but how many objects it named.
async function listWarnings(
  job: VerifyJob,
  { list: state, listed, startedAt }: WriteCheckpoint,
  copied: string | undefined,
): Promise<string[]> {
  const { list } = job
  if (list === undefined) return []
  if (state !== undefined) {
    await checkList(list, state)
    return []
  }
  if (copied !== undefined) {
    const { whole } = await unreadState(list)
    if (copied !== whole) throw changedList(nameOfList(list))
    return []
  }
  const survey = await surveyOf(job)
  if (survey === undefined) return []
  const { of = listed, modified } = survey.state
  if (of !== listed) {
    throw new UserError(
      `${printable(list.file)} names ${objects(of)}, and named ${count(listed)} when the run began`,
      'restore it, or compare two places: s3move verify SOURCE DESTINATION --files-from FILE',
    )
  }
  return modified > timeOf(startedAt)
    ? [`${printable(list.file)} was written to since the run began: what it names now is compared`]
    : []
}
