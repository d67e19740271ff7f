/** An entry of a stream. */
export interface StreamEntry {
  /** Its place: later ones come behind it. */
  readonly id: string
  readonly text: string
}

/**
 * What carries entries between the run and its hosts. It may lose, repeat and forget any of them at any time: whoever reads finds out by their
 * numbers. What it is asked may fail, and is asked again.
 */
export interface Broker {
  /** Appends an entry to a stream, which is made if need be, and kept for a while. */
  append(stream: string, text: string): Promise<void>
  /** The entries behind `after`, the empty text for all; waits for one for a while. Answers none where none came. */
  read(stream: string, after: string): Promise<readonly StreamEntry[]>
  /** What is before `id` was read, and may be forgotten. */
  forget(stream: string, id: string): Promise<void>
  /** Announces a run by its name for some seconds, unless another is announced by it; answers what is announced then. */
  announce(name: string, text: string): Promise<string>
  /** What is announced, by name. */
  announced(): Promise<ReadonlyMap<string, string>>
  /** Ends an announcement, if it is this one. */
  withdraw(name: string, text: string): Promise<void>
  /** Tells how a run is doing, by its name; that is forgotten after some seconds. */
  publish(name: string, text: string): Promise<void>
  /** What was told of a run last; undefined where that is forgotten. */
  published(name: string): Promise<string | undefined>
  close(): void
}

/** Time as one process measures it; it is never compared with that of another. */
export interface Clock {
  /** In milliseconds. */
  now(): number
  /** Acts later, once; answers how to take that back. */
  after(milliseconds: number, act: () => void): () => void
}

/** That of this process. */
export const CLOCK: Clock = {
  now: () => performance.now(),
  after: (milliseconds, act) => {
    const timer = setTimeout(act, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** The stream of all that hosts say in a session. */
export function inStream(name: string, session: string): string {
  return `s3move:{${name}}:${session}:in`
}

/** The stream of what one member is told. */
export function toStream(name: string, session: string, member: string): string {
  return `s3move:{${name}}:${session}:to:${member}`
}
