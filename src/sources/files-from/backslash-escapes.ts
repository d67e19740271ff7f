import { badLine, type BadLine, type Line } from './text-lines.js'
import { checkLength, QUOTES, type Row } from './csv-rows.js'

/** How text is written in which a backslash escapes. */
export interface EscapedText {
  /** What separates fields; undefined where each row has one alone. */
  readonly delimiter: string | undefined
  /** Fields may be in quotes, as `ENCLOSED BY '"'` writes them; else a quote is a character like others. */
  readonly quotes: boolean
  /** The first row names the columns. */
  readonly header: boolean
}

/**
 * The rows of text as MySQL's INTO OUTFILE and PostgreSQL's COPY write it by default (MySQL Reference Manual, "LOAD DATA"; PostgreSQL, "COPY", text
 * format): `\\`, `\t`, a backslash before a line feed, `\N` for NULL; empty lines are no rows. What none of them writes is a BadLine, for then it is
 * something else: another escape, or quotes that some fields of a column have without need.
 */
export async function* escapedRowsOf(
  lines: AsyncIterable<readonly Line[]>,
  name: string,
  text: EscapedText,
): AsyncGenerator<readonly Row[], void, undefined> {
  const { quotes } = text
  const rows = new EscapedRows(name, text)
  let open = ''
  let first = 0
  let quoted = false
  for await (const some of lines) {
    const read: Row[] = []
    for (const line of some) {
      if (open === '') first = line.number
      checkLength(open.length + line.text.length, name, first)
      const end = endOf(line.text, quotes, quoted)
      quoted = end === 'quoted'
      if (end === 'whole') {
        const row = rows.take(open + line.text, first)
        if (row !== undefined) read.push(row)
        open = ''
      } else open += `${line.text}\n`
    }
    yield read
  }
  if (open !== '')
    throw badLine(name, first, 'is never ended: a quote is open, or a backslash is the last of it', QUOTES)
  rows.end()
}

// Whether a row ends with a line: not behind a backslash, nor inside quotes.
function endOf(text: string, quotes: boolean, before: boolean): 'whole' | 'escaped' | 'quoted' {
  let quoted = before
  if (text.includes('\\') || (quotes && text.includes('"'))) {
    for (let at = 0; at < text.length; at++) {
      const c = text[at]
      if (c === '\\' && ++at === text.length) return quoted ? 'quoted' : 'escaped'
      else if (c === '"' && quotes) quoted = !quoted
    }
  }
  return quoted ? 'quoted' : 'whole'
}

class EscapedRows {
  private rows = 0
  /** Whether lines end in CR LF; unknown before the first. */
  private crlf: boolean | undefined
  /** The columns of which a field has quotes without need, and those of which one has none, a header apart. */
  private readonly needless = new Set<number>()
  private readonly bare = new Set<number>()
  private width = 0

  constructor(
    private readonly name: string,
    private readonly text: EscapedText,
  ) {}

  take(written: string, line: number): Row | undefined {
    const bad = (what: string, hint?: string): BadLine => badLine(this.name, line, what, hint)
    const crlf = written.endsWith('\r') && !/(?<!\\)(?:\\\\)*\\\r$/.test(written)
    if (crlf !== (this.crlf ??= crlf)) throw bad('does not end as those before it: some end in CR LF, and some in LF')
    const text = crlf ? written.slice(0, -1) : written
    if (text === '') return undefined
    this.rows++
    const { delimiter, quotes } = this.text
    if (!text.includes('\\') && !text.includes('"')) {
      const fields = delimiter === undefined ? [text] : text.split(delimiter)
      if (this.counts()) for (let column = 0; column < fields.length; column++) this.bare.add(column)
      return { line, fields }
    }
    const fields: (string | undefined)[] = []
    for (let at = 0; ;) {
      const end = text.startsWith('\\N', at) ? at + 2 : -1
      if (end === text.length || (end > 0 && text[end] === delimiter)) {
        fields.push(undefined)
        at = end
      } else {
        const quoted = quotes && text.startsWith('"', at)
        let value = ''
        if (quoted) at++
        for (; at < text.length && text[at] !== (quoted ? '"' : delimiter); at++) {
          const c = text.charAt(at)
          if (c === '"' && quotes) throw bad('has a quote inside a field that is not quoted', QUOTES)
          value += c === '\\' ? this.unescaped(text.charAt(++at), bad) : c
        }
        if (quoted && ++at < text.length && text[at] !== delimiter) {
          throw bad('has something between a closing quote and the next field', QUOTES)
        }
        this.note(fields.length, value, quoted)
        fields.push(value)
      }
      if (at >= text.length) break
      at++
      if (at === text.length) fields.push('')
    }
    return { line, fields }
  }

  /** To be called when there are no more: throws a BadLine when quotes are not used as they would be. */
  end(): void {
    const { quotes, delimiter } = this.text
    const columns =
      delimiter === undefined ? [] : [...this.needless].filter((column) => this.bare.has(column) === quotes)
    // Text with tabs has no quotes around fields, unless all are in quotes: else those of a column may be a part of what it holds.
    const enough = delimiter === '\t' && !quotes ? Math.max(2, this.width) : 1
    if (columns.length >= enough) {
      throw badLine(
        this.name,
        1,
        `begins a list with quotes around ${quotes ? 'some fields of a column' : 'all fields of a column'}`,
      )
    }
  }

  private unescaped(c: string, bad: (what: string, hint: string) => BadLine): string {
    // Which marks are escaped goes by what separates and encloses fields, and that may be another one than is known here.
    const meant = LETTERS.get(c) ?? (/^[\t -/:-@[-`{-~]$/.test(c) ? c : undefined)
    if (meant !== undefined) return meant
    throw bad(
      `has \\${c}, which neither MySQL nor PostgreSQL writes`,
      'Is a backslash no escape in it? Say --csv-escape double.',
    )
  }

  private counts(): boolean {
    return this.rows > 1 || !this.text.header
  }

  private note(column: number, value: string, quoted: boolean): void {
    this.width = Math.max(this.width, column + 1)
    if (!this.counts()) return
    const { delimiter = '\n', quotes } = this.text
    const looksQuoted = quotes ? quoted : /^"[^]*"$/.test(value)
    if (!looksQuoted) this.bare.add(column)
    else if (!quotes || (!/["\\\r\n]|^ | $/.test(value) && !value.includes(delimiter))) this.needless.add(column)
  }
}

const LETTERS: ReadonlyMap<string, string> = new Map<string, string>([
  ...([
    ['\\', '\\'],
    ['\n', '\n'],
    ['\r', '\r'],
    ['b', '\b'],
    ['f', '\f'],
    ['n', '\n'],
    ['r', '\r'],
    ['t', '\t'],
  ] as const),
  ...([
    ['v', '\v'],
    ['0', '\0'],
    ['Z', '\x1a'],
  ] as const),
])
