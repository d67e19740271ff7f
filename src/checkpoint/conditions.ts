import { randomUUID } from 'node:crypto'
import { StorageError, UserError } from '../errors.js'
import { placeUrl } from '../job/place.js'
import { printable } from '../keys.js'
import type { RequestField, RunObjects } from './run-objects.js'

/** How a store takes the condition that an object still has an ETag. */
export type MatchField = (etag: string) => RequestField

/** The condition that there is no object of the name. */
export const NONE: RequestField = ['if-none-match', '*']

/** Some stores take what HTTP asks for, some only the ETag as it is. */
const FORMS: readonly MatchField[] = [(etag) => ['if-match', `"${etag}"`], (etag) => ['if-match', etag]]

const NOBODYS = '0'.repeat(32)

/** How a condition that does not hold is refused; 409 where somebody writes at the same time. */
const UNMET: ReadonlySet<number | undefined> = new Set([412, 409])
/** How what a store does not know is refused. */
const NOT_KNOWN: ReadonlySet<number | undefined> = new Set([400, 405, 501])

/**
 * Finds out, with an object of its own that it removes, whether a store keeps to the conditions by which one process at a time holds a run. A `UserError` where
 * it does not: one that ignores a condition says nothing of it. A `StorageError` where something else fails.
 */
export async function findMatchField(objects: RunObjects): Promise<MatchField> {
  // A name that nobody else has.
  const trial = new TrialObject(objects, `condition-${randomUUID()}`)
  let form: MatchField
  try {
    form = await fittingForm(trial)
  } catch (error) {
    // Also after a write without an answer.
    await trial.remove().catch(() => undefined)
    throw error
  }
  await trial.remove()
  return form
}

async function fittingForm(trial: TrialObject): Promise<MatchField> {
  const etag = await trial.write(NONE)
  if (etag === undefined) throw trial.unfit('If-None-Match', 'refuses it where it holds')
  if ((await trial.write(NONE)) !== undefined) throw trial.unfit('If-None-Match', 'ignores it')
  for (const form of FORMS) {
    if ((await trial.write(form(NOBODYS))) !== undefined) throw trial.unfit('If-Match', 'ignores it')
    if ((await trial.write(form(etag))) !== undefined) return form
  }
  throw trial.unfit('If-Match', 'refuses it where it holds')
}

/** An object of which it is asked on which conditions it is written. */
class TrialObject {
  #writings = 0

  constructor(
    private readonly objects: RunObjects,
    private readonly key: string,
  ) {}

  /** The ETag of what was written; undefined where the condition was not met. */
  async write(condition: RequestField): Promise<string | undefined> {
    // No other writing has this content: one whose answer was lost can be looked up.
    const bytes = Buffer.from(`${++this.#writings}\n`)
    return await this.objects.again(async () => {
      try {
        return await this.objects.write(this.key, bytes, [condition])
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        if (NOT_KNOWN.has(error.status) && !mayHaveWritten(error)) {
          const name = condition[0] === 'if-match' ? 'If-Match' : 'If-None-Match'
          throw this.unfit(name, `refuses it: ${printable(error.code)}, HTTP ${error.status ?? ''}`)
        }
        if (!mayHaveWritten(error)) throw error
        const found = await this.objects.read(this.key)
        if (found?.bytes.equals(bytes) === true) return found.etag
        if (UNMET.has(error.status)) return undefined
        throw error
      }
    })
  }

  async remove(): Promise<void> {
    await this.objects.remove([this.key])
  }

  unfit(condition: string, what: string): UserError {
    return new UserError(
      `${placeUrl(this.objects.place)} cannot keep a run: two processes are kept apart by ${condition} with PutObject, and this store ${what}`,
      'name a bucket of another store, or a folder, with --checkpoint',
    )
  }
}

/** Whether a request on a condition may have been carried out, though it failed: its condition may be unmet because it was sent before, and of what has no answer nobody knows. */
export function mayHaveWritten({ status, severity }: StorageError): boolean {
  return status === undefined || status === 404 || UNMET.has(status) || severity === 'retry' || severity === 'throttle'
}
