import type { CopyJob } from '../../job/copy.js'
import { NAMES_COLLIDE } from '../../job/outcome.js'
import { collisions, renameProblem, renamer } from '../../rules/rename.js'
import { failed } from './outcome.js'
import type { DecideContext } from './context.js'
import { deferral, refusal } from './copy-object.js'
import type { Decide } from '../lanes/lane.js'

/** As `refusal`, for a job that renames: also what has no good name, or one that another object of its page has as well. */
function refusing(job: Pick<CopyJob, 'source' | 'destination' | 'map'>, distinctBuckets?: boolean): Decide {
  if (job.map === undefined) return (object) => refusal(job, object, { distinctBuckets })
  const nameOf = renamer(job.map)
  const { source, destination } = job
  let latest: {
    readonly page: readonly unknown[]
    readonly names: readonly string[]
    readonly bad: ReadonlySet<number>
  }
  latest = { page: [], names: [], bad: new Set() }
  return (object, page) => {
    if (latest.page !== page) {
      const names = page.map(({ key }) => nameOf(key))
      latest = { page, names, bad: collisions(names) }
    }
    const index = page.indexOf(object)
    const name = latest.names[index] ?? nameOf(object.key)
    const problem = object.key === '' && name === '' ? undefined : renameProblem(name, destination.prefix)
    if (problem !== undefined) return failed(source.prefix, object, problem)
    if (latest.bad.has(index)) {
      const message =
        '--map gives another object the same name, and one would replace the other; copy them with another --map'
      return failed(source.prefix, object, { code: NAMES_COLLIDE, message })
    }
    return refusal(job, object, { distinctBuckets, name })
  }
}

/** The same, putting off what is too large for one request where that is to be done apart. */
export function refusingOrDeferring(
  job: Pick<CopyJob, 'source' | 'destination' | 'map'>,
  { settings: { distinctBuckets, streamed } }: DecideContext,
  large: 'defer' | 'act',
): Decide {
  const refuse = refusing(job, distinctBuckets)
  return large === 'act' ? refuse : (object, page) => refuse(object, page) ?? deferral(job, object, streamed)
}
