import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml'
import { UserError } from '../errors.js'
import type { HeaderRule, ObjectMatch } from '../job/set-headers.js'
import { printable } from '../keys.js'
import { isoTime } from '../times.js'
import { hasOpenBracket } from './glob.js'
import { httpDate, nameProblem, valueProblem } from './header-names.js'
import { parseSize } from './size.js'

/** What is wrong at a place of the text. */
class Wrong extends Error {
  constructor(
    message: string,
    readonly node: unknown,
  ) {
    super(message)
  }
}

/**
 * Reads rules from YAML or JSON, which is YAML too. `name` is that of the file, for messages. A `UserError` names the line of the
 * first thing that is not as docs/set-headers.md has it.
 */
export function readRules(text: string, name: string): HeaderRule[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const refuse = (message: string, offset: number | undefined): UserError => {
    const line = offset === undefined ? '' : `, line ${Math.max(1, lines.linePos(offset).line)}`
    return new UserError(`${printable(name)}${line}: ${printable(message)}`, 'see README, “Rules”')
  }
  const [error] = document.errors
  if (error !== undefined) throw refuse(error.message, error.pos[0])
  try {
    const root = entries(document.contents, 'the file', ['rules'])
    const rules = root.get('rules')
    if (!isSeq(rules?.value) || rules.value.items.length === 0) {
      throw new Wrong('the file has no list ‘rules’ with at least one rule in it', rules?.key ?? document.contents)
    }
    return rules.value.items.map((item) => readRule(item))
  } catch (problem) {
    if (!(problem instanceof Wrong)) throw problem
    throw refuse(problem.message, (problem.node as Partial<Node> | null | undefined)?.range?.[0])
  }
}

interface Entry {
  readonly key: unknown
  readonly value: unknown
}

// The entries of a map; unknown names are refused, for ignoring one would mean doing something else than was asked for.
function entries(node: unknown, what: string, known: readonly string[]): Map<string, Entry> {
  if (!isMap(node)) throw new Wrong(`${what} is not a map of ${known.join(', ')}`, node)
  const found = new Map<string, Entry>()
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : ''
    if (!known.includes(name)) throw new Wrong(`${name} is not known in ${what}; it may have ${known.join(', ')}`, key)
    found.set(name, { key, value })
  }
  return found
}

function readRule(node: unknown): HeaderRule {
  const rule = entries(node, 'a rule', ['match', 'set', 'remove', 'if-unset'])
  const set = rule.get('set')
  const remove = rule.get('remove')
  const match = rule.get('match')
  const ifUnset = rule.get('if-unset')
  const read: HeaderRule = {
    ...(match === undefined ? {} : { match: readMatch(match.value) }),
    set: set === undefined ? [] : readSet(set.value),
    remove: remove === undefined ? [] : strings(remove).map(([name, at]) => removable(name, at)),
    ...(ifUnset === undefined ? {} : { ifUnset: boolean(ifUnset) }),
  }
  if (read.set.length + read.remove.length === 0) throw new Wrong('the rule neither sets nor removes anything', node)
  const both = read.set.find(([name]) => read.remove.includes(name))
  if (both !== undefined) throw new Wrong(`the rule both sets and removes ${both[0]}`, node)
  return read
}

function readSet(node: unknown): [string, string][] {
  if (!isMap(node)) throw new Wrong('‘set’ is not a map of headers and their values', node)
  return node.items.map(({ key, value }) => {
    const name = known(isScalar(key) ? String(key.value) : '', key)
    if (!isScalar(value) || typeof value.value !== 'string') {
      throw new Wrong(`the value of ${name} is not text: put it in quotes`, value ?? key)
    }
    if (name === 'expires') {
      const date = httpDate(value.value)
      if (date === undefined) throw new Wrong(`expires is not a date: ${value.value}`, value)
      return [name, date]
    }
    const problem = valueProblem(value.value)
    if (problem !== undefined) throw new Wrong(`${name}: ${problem}`, value)
    return [name, value.value]
  })
}

function readMatch(node: unknown): ObjectMatch {
  const match = entries(node, '‘match’', ['key', 'content-type', 'storage-class', 'size', 'modified', 'header'])
  const globs = (name: string): string[] | undefined => {
    const entry = match.get(name)
    return entry === undefined ? undefined : strings(entry).map(([glob, at]) => closed(glob, at))
  }
  const size = match.get('size')
  const modified = match.get('modified')
  const header = match.get('header')
  const sizes = size === undefined ? undefined : entries(size.value, '‘size’', ['min', 'max'])
  const times = modified === undefined ? undefined : entries(modified.value, '‘modified’', ['since', 'before'])
  const [key, contentType, storageClass] = [globs('key'), globs('content-type'), globs('storage-class')]
  const [minSize, maxSize] = [bytes(sizes?.get('min')), bytes(sizes?.get('max'))]
  const [modifiedSince, modifiedBefore] = [moment(times?.get('since')), moment(times?.get('before'))]
  const headers = header === undefined ? {} : readHeaderMatch(header.value)
  return {
    ...(key === undefined ? {} : { key }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(minSize === undefined ? {} : { minSize }),
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(modifiedSince === undefined ? {} : { modifiedSince }),
    ...(modifiedBefore === undefined ? {} : { modifiedBefore }),
    ...headers,
  }
}

function closed(glob: string, at: unknown): string {
  if (!hasOpenBracket(glob)) return glob
  throw new Wrong(`${printable(glob)} has a [ that no ] closes; [[] is the character itself`, at)
}

// A glob, or null for a header that is not to be there.
function readHeaderMatch(node: unknown): Pick<ObjectMatch, 'has' | 'lacks'> {
  if (!isMap(node)) throw new Wrong('‘header’ is not a map of headers and globs', node)
  const has: [string, string][] = []
  const lacks: string[] = []
  for (const { key, value } of node.items) {
    const name = known(isScalar(key) ? String(key.value) : '', key)
    const wanted = isScalar(value) ? value.value : value
    if (wanted === null) lacks.push(name)
    else if (typeof wanted === 'string') has.push([name, closed(wanted, value)])
    else throw new Wrong(`what is asked of ${name} is neither text nor null`, value)
  }
  return { has, lacks }
}

function known(written: string, at: unknown): string {
  const name = written.toLowerCase()
  const problem = nameProblem(name)
  if (problem !== undefined) throw new Wrong(`${written} cannot be named here: ${problem}`, at)
  return name
}

function removable(written: string, at: unknown): string {
  const name = known(written, at)
  if (name === 'content-type') throw new Wrong('S3 gives every object a content-type: set it instead', at)
  return name
}

// One text or a list of them, each with its place.
function strings({ key, value }: Entry): [string, unknown][] {
  const items = isSeq(value) ? value.items : [value]
  const read = items.map((item): [string, unknown] => {
    if (isScalar(item) && typeof item.value === 'string' && item.value !== '') return [item.value, item]
    throw new Wrong('here must be text, or a list of texts', item ?? key)
  })
  if (read.length === 0) throw new Wrong('the list is empty', value)
  return read
}

function boolean({ key, value }: Entry): boolean {
  if (isScalar(value) && typeof value.value === 'boolean') return value.value
  throw new Wrong('here must be true or false', value ?? key)
}

function bytes(entry: Entry | undefined): number | undefined {
  if (entry === undefined) return undefined
  const written = isScalar(entry.value) ? entry.value.value : undefined
  const text = typeof written === 'string' || typeof written === 'number' ? String(written) : ''
  const size = parseSize(text)
  if (size === undefined) throw new Wrong('a size is a number of bytes, or one with K, M, G or T', entry.value)
  return size
}

function moment(entry: Entry | undefined): string | undefined {
  if (entry === undefined) return undefined
  const written = isScalar(entry.value) ? entry.value.value : undefined
  const time = typeof written === 'string' ? isoTime(written) : undefined
  if (time === undefined) {
    const shown = printable(String(written))
    throw new Wrong(`a moment is written 2026-01-31 or 2026-01-31T12:00:00Z, and not ${shown}`, entry.value)
  }
  return time
}
