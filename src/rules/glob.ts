/**
 * Whether `text` is what `glob` describes, as in the AWS CLI: `*` stands for any characters, slashes too, `?` for one,
 * `[abc]` and `[a-z]` for one of these, `[!abc]` for one that is none of them; `ignoreCase` takes letters in either case. Takes time in proportion to the
 * product of the lengths at most.
 */
export function matchesGlob(glob: string, text: string, ignoreCase = false): boolean {
  const parts = parse(glob, ignoreCase)
  const characters = Array.from(text)
  let [part, at] = [0, 0]
  // Where to go on when what follows the last star does not fit.
  let [star, resume] = [-1, 0]
  while (at < characters.length) {
    const test = parts[part]
    if (test === STAR) {
      star = part++
      resume = at
    } else if (test?.(characters[at] ?? '') === true) {
      part++
      at++
    } else if (star >= 0) {
      part = star + 1
      at = ++resume
    } else return false
  }
  while (parts[part] === STAR) part++
  return part === parts.length
}

type Test = (character: string) => boolean

const STAR: Test = () => false
const ANY: Test = () => true

const parsed = { exact: new Map<string, readonly Test[]>(), folded: new Map<string, readonly Test[]>() }

function parse(glob: string, ignoreCase: boolean): readonly Test[] {
  const known = ignoreCase ? parsed.folded : parsed.exact
  let parts = known.get(glob)
  if (parts === undefined) {
    parts = Array.from(glob.matchAll(TOKEN), ([token]) => testFor(token, ignoreCase))
    known.set(glob, parts)
  }
  return parts
}

const TOKEN = /\[!?\]?[^\]]*\]|[^]/gu

/** Whether a glob has a bracket that nothing closes, or with nothing in it: that would hardly match what is meant. */
export function hasOpenBracket(glob: string): boolean {
  return Array.from(glob.matchAll(TOKEN)).some(([token]) => ['[', '[]', '[!]'].includes(token))
}

function testFor(token: string, ignoreCase: boolean): Test {
  if (token === '*') return STAR
  if (token === '?') return ANY
  if (token.length < 3 || !token.startsWith('[')) {
    const wanted = ignoreCase ? folded(token) : token
    return (character) => (ignoreCase ? folded(character) : character) === wanted
  }
  const negated = token.startsWith('[!')
  const inside = token.slice(negated ? 2 : 1, -1)
  const ranges = Array.from(inside.matchAll(/([^])-([^])|([^])/gu), ([, low, high, one]) => [low ?? one, high ?? one])
  const isAmong: Test = (character) => ranges.some(([low = '', high = '']) => inRange(character, low, high))
  return ignoreCase
    ? (character) => [character, folded(character), capital(character)].some(isAmong) !== negated
    : (character) => isAmong(character) !== negated
}

/** Text in which letters that differ only in their case are the same, character by character: as RE2 folds them. */
export function folded(text: string): string {
  return ASCII.test(text) ? text.toLowerCase() : Array.from(text, foldedCharacter).join('')
}

const ASCII = /^[\0-\x7f]*$/

// What becomes two characters in the other case has none. Without dot an i is a letter of its own, whose capital is that of another.
function capital(character: string): string {
  const upper = character.toUpperCase()
  return character === 'ı' || !isOne(upper) ? character : upper
}

function foldedCharacter(character: string): string {
  const lower = capital(character).toLowerCase()
  return isOne(lower) ? lower : character
}

function isOne(text: string): boolean {
  return Array.from(text).length === 1
}

function inRange(character: string, low: string, high: string): boolean {
  const [code = 0, least = 0, most = 0] = [character, low, high].map((one) => one.codePointAt(0))
  return least <= code && code <= most
}

/** The test of `matchesGlob` for one glob and many texts: several times faster where stars are all that it has beside plain characters. */
export function globTest(glob: string, ignoreCase = false): (text: string) => boolean {
  if (/[?[]/.test(glob)) return (text) => matchesGlob(glob, text, ignoreCase)
  if (!ignoreCase) return starTest(glob)
  const test = starTest(folded(glob))
  return (text) => test(folded(text))
}

function starTest(glob: string): (text: string) => boolean {
  const [first = '', ...pieces] = glob.split(/\*+/)
  const last = pieces.pop()
  if (last === undefined) return (text) => text === first
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const piece of pieces) {
      // The earliest place leaves most for what follows.
      const found = text.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return at <= text.length - last.length
  }
}
