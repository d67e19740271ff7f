import { CheckpointError } from '../../checkpoint/checkpoint-error.js'
import { StorageError, UserError } from '../../errors.js'
import { placeUrl } from '../../job/place.js'
import { printable } from '../../keys.js'
import { meaningOf, regionElsewhere } from '../../storage/error-codes.js'
import type { Alike } from './mass-failure.js'

/** Why a run cannot go on, for a person. */
export interface Stop {
  readonly reason: string
  readonly hint?: string
}

/** More objects failed than `--max-errors` allows. */
export class TooManyFailures extends Error {
  override readonly name = 'TooManyFailures'

  constructor(readonly limit: number) {
    super(`more than ${limit} objects failed (--max-errors ${limit})`)
  }
}

/** The run would cost more than `--max-cost` allows. */
export class CostReached extends Error {
  override readonly name = 'CostReached'

  /** US$. */
  constructor(most: number, spent: number) {
    super(`it has cost about US$ ${spent.toFixed(2)}, and would soon have cost more than ${most} (--max-cost ${most})`)
  }
}

/** Nothing but failures, all of one kind: going on would cost requests for nothing. */
export class AllAlike extends Error {
  override readonly name = 'AllAlike'

  constructor(count: number, code: string) {
    super(`all of the first ${count} objects failed alike (${printable(code)})`)
  }
}

/** From some moment on nearly every object failed in one way, and it did not pass. */
export class NearlyAllAlike extends Error {
  override readonly name = 'NearlyAllAlike'

  /** `after` so many milliseconds in which nothing succeeded. */
  constructor(
    readonly alike: Alike,
    after: number,
  ) {
    const { failed, of, code } = alike
    const waited = `${Math.round(after / 1000)} s`
    super(
      `${failed} of ${of} objects in a row failed alike (${printable(code)}), and so did those tried in the ${waited} since`,
    )
  }
}

/** Says what ended a run. What s3move does not know is thrown on: that is a defect of its own. */
export function stopReason(error: unknown): Stop {
  if (error instanceof StorageError) {
    const { bucket, key } = error
    const hint = hintOf(error)
    const status = error.status === undefined ? '' : `, HTTP ${error.status}`
    return {
      reason: `${error.operation} on ${placeUrl({ bucket, prefix: key })} failed: ${printable(error.message)} (${printable(error.code)}${status})`,
      ...(hint === undefined ? {} : { hint }),
    }
  }
  if (error instanceof TooManyFailures) {
    return { reason: error.message, hint: 'look at the failure ledger; once the cause is mended, resume' }
  }
  if (error instanceof CostReached) {
    return { reason: error.message, hint: 'to go on with it, allow more: s3move resume DIR --max-cost USD' }
  }
  if (error instanceof AllAlike) {
    const hint =
      'look at the failure ledger; once the cause is mended, resume (with --max-errors N it goes on whatever fails)'
    return { reason: error.message, hint }
  }
  if (error instanceof NearlyAllAlike) {
    const cause = meaningOf(error.alike.code)?.hint
    const then =
      'those in the failure ledger are done by ‘s3move resume --only-failed’ (with --max-errors N a run goes on whatever fails)'
    return { reason: error.message, hint: `${cause ?? 'once the cause is mended, resume'}; ${then}` }
  }
  if (error instanceof CheckpointError || error instanceof UserError) {
    return { reason: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
  }
  throw error
}

// A bucket does not move: one that is elsewhere in the middle of a run is another one of the same name, and what was done in the old one is gone.
function hintOf(error: StorageError): string | undefined {
  const region = regionElsewhere(error)
  if (region === undefined) return error.hint
  return `a bucket of this name is in region ${printable(region)} by now, so it was made anew or the endpoint is another: if it holds what was done so far, resume (it goes there); if not, begin again with --fresh`
}
