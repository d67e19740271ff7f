import { checkCount, list, Mismatch, positive, shape, text, type Check } from '../job/schema.js'

/** Something that is said: of a hand, by its number from 1 on, or with 0 of the membership itself. */
export type Said = readonly [hand: number, message: unknown]

/** What goes together: an entry of a stream, as JSON. */
export interface WireEntry {
  /** Whose membership it is about. */
  readonly m: string
  /** From 1 on, without a gap. */
  readonly n: number
  /** How far the other side's entries were heard. */
  readonly h: number
  readonly d: readonly Said[]
}

/** The most that is taken in of one entry, in characters. */
const MOST_TEXT = 4 * 1024 * 1024
/** An entry takes up no more messages once it has so many characters. */
const LONG = 256 * 1024

const said: Check<Said> = (value, at) => {
  const [hand, message] = list((item) => item)(value, at)
  return [checkCount(hand, `${at}[0]`), message]
}

const entryShape = shape<WireEntry>({ m: text, n: positive, h: checkCount, d: list(said) }, {})

/** Reads an entry; throws a `Mismatch` where it is none. */
export function readEntry(entry: string): WireEntry {
  if (entry.length > MOST_TEXT) throw new Mismatch(`an entry has ${entry.length} characters`)
  let value: unknown
  try {
    value = JSON.parse(entry)
  } catch {
    throw new Mismatch('an entry is no JSON')
  }
  return entryShape(value, '')
}

/** What one side says to the other: numbered, and put together. */
export class Outbox {
  private readonly waiting: { readonly text: string }[] = []
  private number = 0
  private readonly unheard: { readonly number: number; readonly at: number }[] = []

  constructor(private readonly member: string) {}

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  /** When the first entry was made that the other side has not told to have heard; undefined when it has heard all. */
  get unheardSince(): number | undefined {
    return this.unheard[0]?.at
  }

  say(hand: number, message: object): void {
    this.waiting.push({ text: JSON.stringify([hand, message] satisfies Said) })
  }

  /** Makes an entry, at the time `at`, of what waits, or of the first of it where that is much; `heard` is how far the other side was. */
  seal(heard: number, at: number): string {
    let length = 0
    let taken = 0
    while (taken < this.waiting.length && length < LONG) length += this.waiting[taken++]?.text.length ?? 0
    const parts = this.waiting.splice(0, taken).map(({ text }) => text)
    const number = ++this.number
    this.unheard.push({ number, at })
    return `{"m":${JSON.stringify(this.member)},"n":${number},"h":${heard},"d":[${parts.join(',')}]}`
  }

  /** The other side has heard up to this number. */
  heard(number: number): void {
    while ((this.unheard[0]?.number ?? Infinity) <= number) this.unheard.shift()
  }
}

/** What one side has heard of the other. */
export class Inbox {
  /** The number of the last entry that was taken in. */
  heard = 0

  /** Whether an entry is the next one, or was taken in before, or shows that one before it is missing. */
  receive(number: number): 'next' | 'again' | 'missing' {
    if (number <= this.heard) return 'again'
    if (number > this.heard + 1) return 'missing'
    this.heard = number
    return 'next'
  }
}
