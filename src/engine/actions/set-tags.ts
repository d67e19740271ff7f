import type { Outcome } from '../../job/outcome.js'
import { TAG_LIMITS, type SetTagsJob } from '../../job/set-tags.js'
import type { Change } from '../../rules/decide.js'
import { able, type ObjectSummary, type Storage } from '../../storage/storage.js'
import type { Action } from '../lanes/lane.js'
import { asOne } from './as-one.js'
import type { KindActions, Look } from './context.js'
import { actingOnVersions, lookingAtVersions } from './each-version.js'
import { unlessListed } from './gone.js'
import { failed, outcomeOf } from './outcome.js'
import { tagsIn, taggingWith, type TagMap } from './tags.js'

type Wish = Pick<SetTagsJob, 'set' | 'remove' | 'replace'>

const TAGGED: Outcome = { kind: 'copied' }
const UNCHANGED: Outcome = { kind: 'skipped', reason: 'unchanged' }

/** The tags that an object is to have, by those that it has. */
export function wantedTags({ set, remove, replace = false }: Wish, before: TagMap): TagMap {
  const wanted = new Map(replace ? [] : before)
  for (const name of remove) wanted.delete(name)
  for (const [name, value] of set) wanted.set(name, value)
  return wanted
}

/** What of tags changes, by name. */
export function tagChanges(before: TagMap, after: TagMap): Change[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [from, to] = [before.get(name), after.get(name)]
    return from === to ? [] : [{ name, from, to }]
  })
}

/** What is to become of an object: an outcome, or the tags that it is to have. */
export type TagPlan =
  | { readonly outcome: Outcome }
  | { readonly outcome: undefined; readonly wanted: TagMap; readonly changes: readonly Change[] }

/** Reads the tags of an object, or of a version of it, and decides. Rejects as `Reading.tagging` does. */
export async function plannedTags(
  job: Wish & Pick<SetTagsJob, 'source'>,
  { reading }: Pick<Storage, 'reading'>,
  object: ObjectSummary,
): Promise<TagPlan> {
  const before = tagsIn((await reading.tagging(object.key, object.version)).header)
  const wanted = wantedTags(job, before)
  const changes = tagChanges(before, wanted)
  if (changes.length === 0) return { outcome: UNCHANGED }
  if (wanted.size > TAG_LIMITS.tags) {
    const message = `it has ${before.size} tags and would have ${wanted.size} with these, and S3 keeps ${TAG_LIMITS.tags}`
    const cause = { code: 'TooManyTags', message, operation: 'GetObjectTagging' } as const
    return { outcome: failed(job.source.prefix, object, cause) }
  }
  return { outcome: undefined, wanted, changes }
}

/** The action of `set-tags` on one object, or on one version of it: a look at its tags, and a change where one is needed. */
function tagOne(job: SetTagsJob, store: Storage): Action {
  const { prefix } = job.source
  const change = async (object: ObjectSummary): Promise<Outcome> => {
    // The answer to a change may have been lost, and then it is seen to be made.
    let sent = false
    // S3 has no condition for tags: a change goes out right after the look that it rests on, however often it is tried.
    return await asOne(store, async (once) => {
      const plan = await plannedTags(job, once, object)
      if (plan.outcome !== undefined) return sent && plan.outcome === UNCHANGED ? TAGGED : plan.outcome
      const { key, version } = object
      const rewriting = able(once.rewriting, 'change tags')
      sent = true
      if (plan.wanted.size === 0) await rewriting.untag(key, version)
      else await rewriting.retag(key, taggingWith(plan.wanted), version)
      return TAGGED
    })
  }
  const once: Action = async (object) => {
    try {
      return await change(object)
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
  }
  return async (object) => await unlessListed(store, prefix, object, await once(object), once)
}

function lookAtTags(job: SetTagsJob, store: Storage): Look {
  const { prefix } = job.source
  const look: Look = async (object) => {
    try {
      const plan = await plannedTags(job, store, object)
      if (plan.outcome !== undefined) return plan.outcome
      const { changes, wanted } = plan
      return { ...TAGGED, changes, requests: { [wanted.size === 0 ? 'DeleteObjectTagging' : 'PutObjectTagging']: 1 } }
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
  }
  return job.versions === true ? lookingAtVersions(look) : look
}

export const SET_TAGS_ACTIONS: KindActions<SetTagsJob> = {
  look: (job, { source }) => lookAtTags(job, source),
  act: (job, { destination }) => {
    const act = tagOne(job, destination)
    return job.versions === true ? actingOnVersions(act, job.source.prefix, destination) : act
  },
  // Which it is, the look tells.
  requests: () => ({}),
  checkRequests: () => ({}),
}
