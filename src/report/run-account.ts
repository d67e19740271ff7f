import type { Checkpoint } from '../checkpoint/checkpoint.js'
import type { Rounds } from '../checkpoint/rounds.js'
import { connectionOf } from '../job/connection.js'
import type { VerifyJob } from '../job/verify.js'
import { differing, type Verdicts } from '../job/verdicts.js'
import { printable } from '../keys.js'
import { timeOf } from '../times.js'
import type { FailureGroup } from './failure-groups.js'
import { count, usd } from './format.js'
import type { RunStatus } from './run-status.js'
import { likenessHeadline } from './verify-summary.js'

/** A comparison of the two sides of a run. */
export interface RunProof {
  readonly job: VerifyJob
  readonly verdicts: Verdicts
  /** When it ended, ISO 8601. */
  readonly savedAt: string
  /** When it began, ISO 8601. */
  readonly startedAt: string
}

/** All that is told of a run by a report. */
export interface RunAccount {
  readonly run: RunStatus
  readonly checkpoint: Checkpoint
  /** All failures of its ledger. */
  readonly failures: readonly FailureGroup[]
  /** The newest there is; undefined where none was run with a checkpoint. */
  readonly proof: RunProof | undefined
  /** Where it followed its source. */
  readonly rounds: Rounds | undefined
  /** What makes the report: program, Node.js and system. */
  readonly reporter: string
  readonly at: string
}

/** What was proven, in words that never say more than was compared. */
export function proofInWords({ run, proof }: Pick<RunAccount, 'run' | 'proof'>): string {
  if (proof === undefined)
    return 'No comparison of both sides was found. To run one: s3move verify, with --checkpoint DIR.'
  const { verdicts, job } = proof
  const by =
    job.checksums !== undefined
      ? `${job.checksums} checksums of the content`
      : job.bytes
        ? 'the content'
        : 'size and ETag'
  const early = timeOf(proof.startedAt) < timeOf(run.savedAt) ? ' It began before this run was saved last.' : ''
  const sums = `${count(verdicts.same)} the same, ${count(differing(verdicts))} not`
  return `${likenessHeadline(verdicts)} (${sums}; compared by ${by}, ended ${printable(proof.savedAt)}).${early}`
}

/** How it was run, as names and texts. */
export function environmentFacts({ checkpoint, reporter, at }: RunAccount): (readonly [string, string])[] {
  const { pace, connection, program, job } = checkpoint
  const sides = 'destination' in job ? (['source', 'destination'] as const) : (['source'] as const)
  const knobs = [
    `concurrency ${count(pace.concurrency)}`,
    `lanes ${count(pace.lanes)}`,
    ...(pace.threads === undefined ? [] : [`threads ${count(pace.threads)}`]),
    ...(pace.bandwidth === undefined ? [] : [`bandwidth ${count(pace.bandwidth)} bytes/s`]),
    ...(pace.maxCost === undefined ? [] : [`at most ${usd(pace.maxCost)}`]),
  ]
  return [
    ['program', printable(program)],
    ['pace', knobs.join(', ')],
    ...sides.map((side): readonly [string, string] => {
      const { endpointUrl, region } = connectionOf(connection, side)
      return [side, printable([endpointUrl ?? 'the endpoint of AWS', region ?? 'no Region named'].join(', '))]
    }),
    ['report', `${reporter}, ${at}`],
  ]
}
