import type { Storage } from '../../storage/storage.js'

/** The store with each of its requests sent once: for looks within a try that is itself repeated. */
export function onceOf(store: Storage): Storage {
  return store.tries?.once ?? store
}

/**
 * Does `work`, the requests of which are sent once, as one operation of the store: when one of them fails it is done again from its beginning. So what a
 * look has shown is never long past when the request that rests on it acts, however long a store was away in between.
 */
export function asOne<T>(store: Storage, work: (once: Storage) => Promise<T>): Promise<T> {
  const { tries } = store
  return tries === undefined ? work(store) : tries.again(() => work(tries.once))
}

/** As `asOne`, for what was looked at just now: `look` comes before each try but the first. What it answers, if anything, is the answer. */
export function lookingAgain<T>(
  store: Storage,
  look: (once: Storage) => Promise<T | undefined>,
  act: (once: Storage) => Promise<T>,
): Promise<T> {
  let tried = false
  return asOne(store, async (once) => {
    const known = tried ? await look(once) : undefined
    tried = true
    return known ?? (await act(once))
  })
}
