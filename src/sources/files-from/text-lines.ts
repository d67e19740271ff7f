import { isUtf8 } from 'node:buffer'
import { UserError } from '../../errors.js'

/** A line, without its line feed; a carriage return before that is still there. */
export interface Line {
  /** From 1. */
  readonly number: number
  readonly text: string
}

/** Longer lines are refused, so that a file of something else cannot fill the memory. */
const LONGEST_LINE = 1024 * 1024

const LINE_FEED = 0x0a

/**
 * The lines of UTF-8 in `chunks`, many at a time, the last one with or without an end. A line that is not UTF-8 is a UserError and never replaced:
 * it would name another key. `name` is the file's, fit to print; `look` is told of each line.
 */
export async function* textLines(
  chunks: AsyncIterable<Buffer>,
  name: string,
  look?: (text: string) => void,
): AsyncGenerator<readonly Line[], void, undefined> {
  let number = 0
  let rest: Buffer[] = []
  let length = 0
  const line = (bytes: Buffer): Line => {
    number++
    if (!isUtf8(bytes)) throw badLine(name, number, 'is not UTF-8', 'Write the list anew, in UTF-8.')
    const text = bytes.toString()
    look?.(text)
    return { number, text }
  }
  for await (const chunk of chunks) {
    const lines: Line[] = []
    let from = 0
    for (let to = chunk.indexOf(LINE_FEED); to >= 0; to = chunk.indexOf(LINE_FEED, from)) {
      const bytes = chunk.subarray(from, to)
      from = to + 1
      if (rest.length === 0) lines.push(line(bytes))
      else {
        lines.push(line(Buffer.concat([...rest, bytes])))
        rest = []
        length = 0
      }
    }
    if (from < chunk.length) {
      rest.push(chunk.subarray(from))
      length += chunk.length - from
      if (length > LONGEST_LINE) throw badLine(name, number + 1, 'is longer than any of a list of keys')
    }
    yield lines
  }
  if (length > 0) yield [line(Buffer.concat(rest))]
}

/** The text of a line without a carriage return at its end. */
export function trimmedEnd(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

const MEND = 'Mend the list, or say with --files-format what it is.'

/** A line of a list is not as it should be, in the way in which the list is read. */
export class BadLine extends UserError {
  constructor(
    message: string,
    hint: string,
    /** From 1; 0 where it is about the list. */
    readonly line = 0,
  ) {
    super(message, hint)
  }
}

/** The error of a line of a list. */
export function badLine(name: string, number: number, what: string, hint = MEND): BadLine {
  return new BadLine(`line ${number} of ${name} ${what}`, hint, number)
}
