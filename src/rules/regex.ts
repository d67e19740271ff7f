import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'

/**
 * Compiles a regular expression in RE2's syntax. It takes time in proportion to the length of a key, whatever the pattern. `.` stands for a newline too, since
 * a key is one text and not lines. `what` names the pattern in the `UserError` for one that cannot be compiled.
 */
export function compileRegex(pattern: string, what: string, ignoreCase = false): RE2JS {
  const { RE2JS } = engine()
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0))
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error)
    throw new UserError(
      `${printable(what)}: the regular expression is not understood: ${printable(reason)}`,
      'write it in RE2’s syntax, which has neither look-around nor back-references: https://github.com/google/re2/wiki/Syntax',
    )
  }
}

// Loading it takes longer than all else that reads a command line, so that is left until a pattern is there.
const load = createRequire(import.meta.url)
function engine(): { readonly RE2JS: typeof RE2JS } {
  return load('re2js') as { readonly RE2JS: typeof RE2JS }
}

/** What every text in which `pattern` is found begins with: '' unless the pattern is anchored and then literal, as `^logs/2024`. `pattern` compiles. */
export function anchoredLiteral(pattern: string): string {
  if (!pattern.startsWith('^') || hasOpenAlternative(pattern)) return ''
  let literal = ''
  for (const [, escaped, plain = escaped ?? '', quantifier] of pattern.slice(1).matchAll(ATOM)) {
    if (quantifier === undefined) literal += plain
    // One that may be absent says nothing.
    else return quantifier === '+' ? literal + plain : literal
  }
  return literal
}

// Characters from where the last one ended, each of them itself, with what repeats it. Behind a backslash only punctuation is itself.
const ATOM = /(?:\\([!-/:-@[-`{-~])|([^\\^$.|?*+()[{\p{Cs}]))([*?+{])?/guy

// Whether there is a `|` outside of all parentheses, or one of which that is not certain.
function hasOpenAlternative(pattern: string): boolean {
  let depth = 0
  for (const [token] of pattern.matchAll(TOKEN)) {
    if (token === '(') depth++
    else if (token === ')') depth--
    else if ((token === '|' && depth === 0) || token === '\\Q') return true
  }
  return false
}

// An escape, a class, or one character. A bracket that comes first in a class is part of it, as are `[:alpha:]` and its kin.
const TOKEN = /\\[^]|\[\^?\]?(?:\[:\^?\w+:\]|\\[^]|[^\]])*\]|[^]/gu
