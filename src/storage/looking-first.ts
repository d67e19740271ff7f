import { StorageError } from '../errors.js'
import type { Removal, Removing } from './storage.js'

/** How long what a look has shown is held for true before the request that rests on it is sent, in milliseconds. */
const HOLDS = 1_000

/**
 * The same removals, where what has a `look` is looked at right before the request that names it. One slow look keeps no other waiting until what
 * that has seen is long past: what was seen goes in a request of its own then.
 */
export function lookingFirst(removing: Removing): Removing {
  return {
    async remove(objects) {
      if (objects.every(({ look }) => look === undefined)) return await removing.remove(objects)
      const errors: (StorageError | undefined)[] = objects.map(() => undefined)
      const requests: Promise<void>[] = []
      let problem: { readonly error: unknown } | undefined
      const send = async (indices: readonly number[]): Promise<void> => {
        try {
          const answers = await removing.remove(indices.flatMap((at) => objects[at] ?? []))
          for (const [index, at] of indices.entries()) errors[at] = answers[index]
        } catch (error) {
          problem ??= { error }
        }
      }
      let seen: number[] = []
      let soon: NodeJS.Timeout | undefined
      const flush = (): void => {
        clearTimeout(soon)
        soon = undefined
        if (seen.length > 0 && problem === undefined) requests.push(send(seen))
        seen = []
      }
      const look = async (object: Removal, at: number): Promise<void> => {
        try {
          if (object.look !== undefined && !(await object.look())) return
          seen.push(at)
          soon ??= setTimeout(flush, HOLDS)
        } catch (error) {
          if (error instanceof StorageError && error.severity !== 'stop-run') errors[at] = error
          else problem ??= { error }
        }
      }
      await Promise.all(objects.map(look))
      flush()
      await Promise.all(requests)
      if (problem !== undefined) throw problem.error
      return errors
    },
  }
}
