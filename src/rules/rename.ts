import type { RE2JS } from 're2js'
import { UserError } from '../errors.js'
import { keyBytes, LONGEST_KEY, printable } from '../keys.js'
import { compileRegex } from './regex.js'

/** What to find in a key, and what to put in its place: text, and numbers of groups (0 is all that was found). */
export interface Rename {
  readonly regex: RE2JS
  readonly replacement: readonly (string | number)[]
  /** Every occurrence, not just the first. */
  readonly all: boolean
}

/**
 * Reads `s/regex/replacement/flags`, as sed has it. Any character that is no letter, digit, backslash or newline may stand for the slash; behind a backslash the
 * delimiter is itself, in brackets too. The regular expression is RE2's. In the replacement `\1` to `\9` are groups, `&` or `\0` is all that was found, and a backslash
 * makes any other character itself; `$1` and `${` are refused, so that nobody gets them by mistake. Flags: `g` for every occurrence, `i` for either case.
 * A `UserError` says what is wrong.
 */
export function parseRename(text: string): Rename {
  const refuse = (reason: string, hint = HINT): UserError => new UserError(`--map ${printable(text)}: ${reason}`, hint)
  const delimiter = /^s([^\p{L}\p{N}\p{Cs}\\\n])/u.exec(text)?.[1]
  if (delimiter === undefined) throw refuse('it does not begin with s and a delimiter, such as s/')
  const [pattern = '', replacement, flags, more] = fieldsOf(text.slice(1 + delimiter.length), delimiter)
  if (replacement === undefined || flags === undefined) {
    throw refuse(
      `the ${replacement === undefined ? 'regular expression' : 'replacement'} has no ${delimiter} at its end`,
    )
  }
  if (more !== undefined) {
    const hint = `write \\${delimiter} for one that is meant, or use another delimiter: s|regex|replacement|`
    throw refuse(`it has more than three ${delimiter}`, hint)
  }
  if (!/^[gi]*$/.test(flags)) throw refuse(`its flags are ${printable(flags)}, and there are only g and i`)
  if (pattern === '') throw refuse('the regular expression is empty')
  const regex = compileRegex(pattern, `--map ${text}`, flags.includes('i'))
  const groups = regex.groupCount()
  const parts = Array.from(replacement.matchAll(/\\[^]|\$[0-9{]|[^]/gu), ([token]): string | number => {
    if (token.startsWith('$') && token !== '$') {
      throw refuse(
        `${token} is not how a group is written here`,
        'write \\1 for the first group, and \\$ for a dollar sign',
      )
    }
    if (token === '&') return 0
    if (!token.startsWith('\\')) return token
    const escaped = token.slice(1)
    if (!/^[\p{L}\p{N}]?$/u.test(escaped)) return escaped
    if (!/^[0-9]$/.test(escaped)) throw refuse(`${printable(token)} means nothing in the replacement`)
    if (Number(escaped) > groups) throw refuse(`there is no group ${escaped}: the regular expression has ${groups}`)
    return Number(escaped)
  })
  return { regex, replacement: parts, all: flags.includes('g') }
}

const HINT =
  "write it as for sed: --map 's/regex/replacement/', with \\1 to \\9 for groups and & for all that was found"

// What stands between the delimiters. Escapes stay as they are, but for a delimiter that the regular expression would not know behind a backslash.
function fieldsOf(text: string, delimiter: string): string[] {
  const fields: string[] = []
  let field = ''
  for (const [token] of text.matchAll(/\\[^]|[^]/gu)) {
    if (token === delimiter) {
      fields.push(field)
      field = ''
    } else field += token === `\\${delimiter}` && delimiter > '\x7f' ? delimiter : token
  }
  return [...fields, field]
}

/** Renames keys, relative to the source prefix, by each of the expressions in turn. A `UserError` if one is not understood. */
export function renamer(expressions: readonly string[] = []): (key: string) => string {
  const renames = expressions.map(parseRename)
  return (key) => renames.reduce(renamed, key)
}

function renamed(key: string, { regex, replacement, all }: Rename): string {
  const matcher = regex.matcher(key)
  let result = ''
  let at = 0
  for (let first = true; matcher.find() && (first || all); first = false) {
    const [start, end] = [matcher.start(), matcher.end()]
    // As in sed: nothing is found once more where something was found just before.
    if (!first && start === end && start === at) continue
    result += key.slice(at, start)
    for (const part of replacement) result += typeof part === 'string' ? part : (matcher.group(part) ?? '')
    at = end
  }
  return result + key.slice(at)
}

/** Why an object cannot have `name` below `prefix` of its destination, or undefined. */
export function renameProblem(name: string, prefix: string): { code: string; message: string } | undefined {
  if (name === '') return { code: 'NoNameLeft', message: '--map leaves nothing of the name' }
  const target = prefix + name
  const bytes = keyBytes(target)
  if (bytes > LONGEST_KEY) {
    return { code: 'KeyTooLongError', message: `the new key would have ${bytes} bytes, and none is longer than 1,024` }
  }
  // Sent as UTF-8 it would be another key.
  if (/\p{Cs}/u.test(target)) return { code: 'InvalidURI', message: 'the new key would be no well-formed text' }
  return undefined
}

/** The places of all those among `targets` that are there more than once. */
export function collisions(targets: readonly string[]): ReadonlySet<number> {
  const seen = new Map<string, number>()
  const colliding = new Set<number>()
  targets.forEach((target, index) => {
    const earlier = seen.get(target)
    if (earlier === undefined) seen.set(target, index)
    else colliding.add(earlier).add(index)
  })
  return colliding
}
