import { badLine, trimmedEnd, type Line } from './text-lines.js'

/** A row of a CSV file. */
export interface Row {
  /** The line in which it begins, from 1. */
  readonly line: number
  /** Undefined where a database has NULL. */
  readonly fields: readonly (string | undefined)[]
}

/** Longer rows are refused: a quote that is not closed would take in all of the file. In characters. */
const LONGEST_ROW = 1024 * 1024

/**
 * The rows of CSV as RFC 4180 has it, whatever one character separates the fields; lines may end in LF alone, and empty ones are no rows. What is not
 * CSV is a BadLine.
 */
export async function* rowsOf(
  lines: AsyncIterable<readonly Line[]>,
  name: string,
  delimiter = ',',
): AsyncGenerator<readonly Row[], void, undefined> {
  // Lines of a row that has a quote open, which may be any number of them.
  let open: string[] = []
  let length = 0
  let first = 0
  const row = (text: string): Row => ({ line: first, fields: fieldsOf(trimmedEnd(text), name, first, delimiter) })
  for await (const some of lines) {
    const rows: Row[] = []
    for (const { number, text } of some) {
      const turns = hasOddQuotes(text)
      if (open.length === 0) {
        first = number
        if (!turns) {
          if (trimmedEnd(text) !== '') rows.push(row(text))
          continue
        }
      }
      open.push(text)
      length += text.length
      if (length > LONGEST_ROW) throw longRow(name, first)
      if (turns && open.length > 1) {
        rows.push(row(open.join('\n')))
        open = []
        length = 0
      }
    }
    yield rows
  }
  if (open.length > 0) throw badLine(name, first, 'has a quote that is never closed', QUOTES)
}

/** Throws a BadLine for a row that takes in more and more of the file. */
export function checkLength(length: number, name: string, line: number): void {
  if (length > LONGEST_ROW) throw longRow(name, line)
}

function longRow(name: string, line: number): Error {
  return badLine(name, line, 'begins a row that is longer than any of a list: is a quote open?')
}

/** What to do about quotes that are not as they should be. */
export const QUOTES =
  'Is the file CSV, and whole? A quote inside a field is written twice, and the field in quotes; --csv-escape and --delimiter say if it is otherwise.'

function hasOddQuotes(text: string): boolean {
  let odd = false
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) odd = !odd
  return odd
}

/** The fields of one row. Throws a BadLine for what is not CSV. */
export function fieldsOf(text: string, name: string, line: number, delimiter: string): readonly string[] {
  if (!text.includes('"')) return text.split(delimiter)
  const fields: string[] = []
  for (let at = 0; ;) {
    const quoted = text.startsWith('"', at)
    const end = quoted ? closingQuote(text, at + 1) + 1 : endOf(text, at, delimiter)
    const field = text.slice(at, end)
    if (quoted) fields.push(field.slice(1, -1).replaceAll('""', '"'))
    else if (field.includes('"')) throw badLine(name, line, 'has a quote inside a field that is not quoted', QUOTES)
    else fields.push(field)
    if (end === text.length) return fields
    if (text[end] !== delimiter) {
      throw badLine(name, line, 'has something between a closing quote and the next field', QUOTES)
    }
    at = end + 1
  }
}

function endOf(text: string, from: number, delimiter: string): number {
  const end = text.indexOf(delimiter, from)
  return end < 0 ? text.length : end
}

// There is one, as the quotes of a row are even in number, unless a quote is where none may be; then the field ends with the text.
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at
  }
  return text.length
}
