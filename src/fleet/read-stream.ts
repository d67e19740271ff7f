import type { Broker, Clock } from './broker.js'

/** What was read is forgotten so often, in milliseconds. */
const FORGET = 2_000
/** A read that failed is tried again after so long. */
const AGAIN = 250

/** Who reads a stream. */
export interface StreamReader {
  readonly broker: Broker
  readonly clock: Clock
  readonly isOver: () => boolean
  readonly entry: (text: string) => void
}

/** Reads a stream to the end of whoever reads it, and has what was read forgotten. Never rejects. */
export async function readStream(stream: string, { broker, clock, isOver, entry }: StreamReader): Promise<void> {
  let after = ''
  let forgotten = clock.now()
  while (!isOver()) {
    try {
      const entries = await broker.read(stream, after)
      for (const { id, text } of entries) {
        after = id
        if (!isOver()) entry(text)
      }
      if (entries.length > 0 && clock.now() - forgotten > FORGET) {
        forgotten = clock.now()
        void broker.forget(stream, after).catch(() => undefined)
      }
    } catch {
      await new Promise<void>((resolve) => clock.after(AGAIN, resolve))
    }
  }
}
