/** Breaks text at spaces into lines of at most `width` characters; a longer word has a line of its own. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** Paragraphs of sentences, one line of `text` each. */
export function paragraphs(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => `${wrapped(line, width).join('\n')}\n`)
    .join('')
}

/** A term, and what is said of it. */
export type HelpRow = readonly [term: string, text: string]

/** What the right column has at least, and the left one at most. */
const NARROWEST_TEXT = 28
const WIDEST_TERM = 60

/** Two columns: terms, and what is said of them, in lines of at most `width` characters. Empty without rows. */
export function rows(all: readonly HelpRow[], width: number): string {
  const most = Math.min(WIDEST_TERM, width - NARROWEST_TEXT - 4)
  const lengths = all.map(([term]) => term.length).filter((length) => length <= most)
  const column = Math.max(0, ...lengths) + 2
  return all
    .map(([term, text]) => {
      const [head = '', ...rest] = wrapped(text, Math.max(NARROWEST_TEXT, width - column - 2))
      const margin = ' '.repeat(column + 2)
      const first = term.length + 2 > column ? `  ${term}\n${margin}${head}` : `  ${term.padEnd(column)}${head}`
      return [first, ...rest.map((line) => `${margin}${line}`)].map((line) => `${line.trimEnd()}\n`).join('')
    })
    .join('')
}

/** What stands before the first `;`, `:` or `(` of a sentence. */
export function clauseOf(sentence: string): string {
  return sentence.split(/; |: | \(/)[0] ?? ''
}

/** A heading with what stands below it; empty where nothing does. */
export function section(heading: string, body: string): string {
  return body === '' ? '' : `\n${heading}\n${body}`
}
