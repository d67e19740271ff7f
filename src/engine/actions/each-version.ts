import type { Outcome } from '../../job/outcome.js'
import { hasHistory, historyOf } from '../../sources/version-listing.js'
import type { Storage } from '../../storage/storage.js'
import type { Action } from '../lanes/lane.js'
import { allTogether, type Look, type Prospect } from './context.js'
import { failed, outcomeOf } from './outcome.js'

const CHANGED: Outcome = { kind: 'copied' }
const UNCHANGED: Outcome = { kind: 'skipped', reason: 'unchanged' }
const GONE: Outcome = { kind: 'skipped', reason: 'gone' }

/**
 * `act` on each version of an object, delete markers apart. One that fails ends it: whoever tries it again finds the others as they are to be. Where one
 * is left alone for a reason of its own, that is the outcome of all.
 */
export function actingOnVersions(act: Action, prefix: string, store: Storage): Action {
  return async (object) => {
    try {
      const all = hasHistory(object) ? object : await historyOf(store, object.key)
      if (all === undefined) return GONE
      let [changed, left]: [boolean, Outcome | undefined] = [false, undefined]
      for (const version of all.history) {
        const outcome = version.deleteMarker ? UNCHANGED : await act(version)
        if (outcome?.kind === 'copied') changed = true
        else if (outcome?.kind === 'failed') {
          const { failure, later } = outcome
          const message = `version ${version.version}: ${failure.message}`
          return failed(prefix, object, { ...failure, message, severity: later === true ? 'later' : 'fail-object' })
        } else if (outcome?.kind !== 'skipped') return outcome
        else if (isLeft(outcome)) left ??= outcome
      }
      return left ?? (changed ? CHANGED : UNCHANGED)
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
  }
}

/** What `actingOnVersions` would make of an object, by a look at each version. */
export function lookingAtVersions(look: Look): Look {
  return async (object) => {
    const changed: Prospect[] = []
    let left: Prospect | undefined
    for (const version of hasHistory(object) ? object.history : []) {
      const prospect: Prospect | undefined = version.deleteMarker ? UNCHANGED : await look(version)
      if (prospect?.kind === 'copied') {
        const { changes = [] } = prospect
        const named = changes.map((change) => ({ ...change, name: `${change.name} (${version.version})` }))
        changed.push({ ...prospect, changes: named })
      } else if (prospect?.kind !== 'skipped') return prospect
      else if (isLeft(prospect)) left ??= prospect
    }
    if (left !== undefined) return left
    if (changed.length === 0) return UNCHANGED
    const requests = allTogether(changed.map((one) => one.requests ?? {}))
    return { ...CHANGED, changes: changed.flatMap(({ changes = [] }) => changes), requests }
  }
}

function isLeft(outcome: Outcome): boolean {
  return outcome.kind === 'skipped' && outcome.reason !== 'unchanged' && outcome.reason !== 'gone'
}
