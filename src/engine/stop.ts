import { CheckpointError } from '../checkpoint/checkpoint-error.js'
import { StorageError, UserError } from '../errors.js'
import { placeUrl } from '../job.js'
import { printable } from '../keys.js'

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

/** Nothing but failures, all of one kind: going on would cost requests for nothing. */
export class AllAlike extends Error {
  override readonly name = 'AllAlike'

  constructor(count: number, code: string) {
    super(`all of the first ${count} objects failed alike (${printable(code)})`)
  }
}

/** Says what ended a run. What s3move does not know is thrown on: that is a defect of its own. */
export function stopReason(error: unknown): Stop {
  if (error instanceof StorageError) {
    const { bucket, key } = error
    const status = error.status === undefined ? '' : `, HTTP ${error.status}`
    return {
      reason: `${error.operation} on ${placeUrl({ bucket, prefix: key })} failed: ${printable(error.message)} (${printable(error.code)}${status})`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    }
  }
  if (error instanceof TooManyFailures) {
    return { reason: error.message, hint: 'look at the failure ledger; once the cause is mended, resume' }
  }
  if (error instanceof AllAlike) {
    const hint =
      'look at the failure ledger; once the cause is mended, resume (with --max-errors N it goes on whatever fails)'
    return { reason: error.message, hint }
  }
  if (error instanceof CheckpointError || error instanceof UserError) {
    return { reason: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
  }
  throw error
}
