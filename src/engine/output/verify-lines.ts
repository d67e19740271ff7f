import { jsonText } from '../../checkpoint/json.js'
import type { Difference, Problem } from '../../job/verdicts.js'
import type { DifferenceFormat } from '../../job/verify.js'
import { printable } from '../../keys.js'

/**
 * The line of a difference, ending in a newline.
 * - `json`: one JSON object, which reads back as the very same key
 * - `text`: for people, fit for a terminal: `different  2019/a.jpg  size 2425 → 3`
 */
export function differenceLine(format: DifferenceFormat, difference: Difference): string {
  return format === 'json' ? `${json(difference)}\n` : `${text(difference)}\n`
}

function json({ key, to, verdict, differs, problem, source, destination, fixed }: Difference): string {
  return jsonText({
    ...{ key, to, verdict, differs },
    ...problem,
    ...{ source, destination },
    ...(fixed === undefined ? {} : fixed === true ? { fixed } : { fixed: false, error: fixed }),
  })
}

/** As long as the longest verdict. */
const COLUMN = 'same-size'.length

function text(difference: Difference): string {
  const { key, to, verdict, fixed } = difference
  const parts = [verdict.padEnd(COLUMN), to === undefined ? printable(key) : `${printable(key)} → ${printable(to)}`]
  const why = reasons(difference)
  if (why !== '') parts.push(why)
  if (fixed !== undefined) parts.push(fixed === true ? 'fixed' : `not fixed: ${inWords(fixed)}`)
  return parts.join('  ')
}

function reasons({ differs = [], problem, source, destination }: Difference): string {
  if (problem !== undefined) return inWords(problem)
  return differs
    .map((name) =>
      name === 'size' && source !== undefined && destination !== undefined
        ? `size ${source.size} → ${destination.size}`
        : printable(name),
    )
    .join(', ')
}

function inWords({ code, message }: Problem): string {
  return printable(`${code}: ${message}`)
}
