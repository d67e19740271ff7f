import { FACTS, OPERATIONS, type Storage } from './storage.js'

/** Sends an operation in another way than by itself. */
export type Wrap = <Answer>(operation: string, send: () => Promise<Answer>) => Promise<Answer>

/** No operation has more parameters. */
type Send = (a: unknown, b: unknown, c: unknown, d: unknown) => Promise<unknown>

type Members = Readonly<Record<string, unknown>>

/**
 * The same store as a plain object, with each of its operations sent by `wrap`. Whoever wants some of them otherwise replaces these in it, and leaves
 * none of the others out.
 */
export function around(store: Storage, wrap?: Wrap): Storage {
  const result: Record<string, unknown> = { notKeysAbove: store.notKeysAbove?.bind(store) }
  const members = store as unknown as Members
  for (const name of FACTS) result[name] = members[name]
  for (const [name, operations] of Object.entries(OPERATIONS)) {
    const member = members[name]
    if (member === undefined) continue
    if (typeof operations === 'string') result[name] = sent((member as Send).bind(store), operations, wrap)
    else result[name] = partAround(member as Members, operations, wrap)
  }
  return result as unknown as Storage
}

// What is no operation of a part stays.
function partAround(part: Members, operations: Readonly<Record<string, string>>, wrap: Wrap | undefined): Members {
  const result = { ...part }
  for (const [name, operation] of Object.entries(operations)) {
    const member = part[name]
    if (member !== undefined) result[name] = sent((member as Send).bind(part), operation, wrap)
  }
  return result
}

// A list of however many parameters would be one more array for each request.
function sent(send: Send, operation: string, wrap: Wrap | undefined): Send {
  return wrap === undefined ? send : (a, b, c, d) => wrap(operation, () => send(a, b, c, d))
}
