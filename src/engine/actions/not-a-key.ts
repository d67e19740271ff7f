import { deferredDeletesOf, inventoryOf, selectionOf, type WriteJob } from '../../job/kinds.js'
import type { Outcome, SkipReason } from '../../job/outcome.js'
import { leavesOut } from '../../rules/selection.js'
import type { Storage } from '../../storage/storage.js'
import type { WorkItem } from '../../sources/work-source.js'
import { exists } from './outcome.js'

/** The outcome of what is in the folder that is read, and is no object. */
export const NOT_A_KEY: Outcome = { kind: 'skipped', reason: 'NotAKey' }

/** Whether what is no object is no part of the job either, since what it stands for is not selected. */
export function leavingOut(job: WriteJob): (stray: WorkItem) => boolean {
  const select = selectionOf(job)
  if (select === undefined) return () => false
  const isLeftOut = leavesOut(select, job.source.prefix)
  return (stray) => isLeftOut(stray, stray.notAKey?.standsFor ?? 'object')
}

/** What is told of what is no object. */
export function noticeOf(job: WriteJob, { notAKey }: WorkItem): string {
  const deletes = deferredDeletesOf(job)?.when === 'at-the-end'
  const kept = deletes ? `; nothing that belongs below ${notAKey?.within ?? ''} is deleted at the destination` : ''
  return `skipped: ${notAKey?.why ?? ''} (NotAKey)${kept}`
}

/**
 * Why an object that, as both sides are listed, only the destination has must stay there, if so: something in its folder at the source, or in one above,
 * is no object and may stand for it; or an inventory of before stands for the listing, and the source has it by now. Undefined where no listing has to be
 * doubted so.
 */
export function stayingFor(
  job: WriteJob,
  source: Storage,
): ((key: string) => Promise<SkipReason | undefined>) | undefined {
  if (inventoryOf(job) !== undefined) return async (key) => ((await exists(source, key)) ? 'appeared' : undefined)
  const above = source.notKeysAbove?.bind(source)
  if (above === undefined) return undefined
  const isLeftOut = leavingOut(job)
  // What lies behind a link is not seen, whether the link itself is selected or not.
  const hides = ({ key: name, notAKey }: WorkItem, key: string): boolean =>
    notAKey?.standsFor === 'either' && key.startsWith(`${name}/`)
  return async (key) =>
    (await above(key)).some((stray) => !isLeftOut(stray) || hides(stray, key)) ? 'extra' : undefined
}
