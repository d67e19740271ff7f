import { access, readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { nearest } from '../options/nearest.js'

/** Where `s3move run` looks for jobs, in the working directory. */
const CONFIG_NAMES = ['s3move.yaml', 's3move.yml'] as const

/** What an argument or an option of a command is to be: text as it is written there, without quotes. */
type SettingValue = boolean | string | readonly string[]

/** A line of a job. */
export interface Setting {
  readonly name: string
  readonly value: SettingValue
  /** Of its name, as characters from the beginning of the file. */
  readonly at: number
}

/** A file of named jobs, of which only those parts are read that are asked for: a mistake in one job is none of another. */
export interface Config {
  /** As it was named. */
  readonly file: string
  /** The names of its jobs, in their order. */
  readonly names: readonly string[]
  /** What holds for all jobs. */
  defaults(): Setting[]
  /** What a job is; undefined where there is none of that name. */
  job(name: string): { readonly at: number; readonly settings: Setting[] } | undefined
  /** That something in the file is wrong, with line and column. */
  refusal(message: string, at: number | undefined, hint: string): UserError
  /** `s3move.yaml, line 3, column 5`. */
  place(at: number | undefined): string
}

const PAGE = 'docs/run.md has the form of the file'

/** Reads the file that is named, or that of the working directory. A `UserError` where there is none, or two, or it is not as docs/run.md has it. */
export async function readConfig(given: string | undefined, cwd: string): Promise<Config> {
  const file = given ?? (await configIn(cwd))
  try {
    return parseConfig(await readFile(resolve(cwd, file), 'utf8'), file)
  } catch (error) {
    if (error instanceof UserError) throw error
    const { code = 'error' } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`
    throw new UserError(`${printable(file)}: ${reason}`, 'name the file of jobs with --config FILE')
  }
}

async function configIn(cwd: string): Promise<string> {
  const found: string[] = []
  for (const name of CONFIG_NAMES) {
    try {
      await access(resolve(cwd, name))
      found.push(name)
    } catch {
      // The other may be there.
    }
  }
  const [file, other] = found
  if (file === undefined) {
    throw new UserError(
      `there is no ${CONFIG_NAMES[0]} in ${printable(cwd)}`,
      `write one there, or name another file with --config FILE; ${PAGE}`,
    )
  }
  if (other === undefined) return file
  throw new UserError(`both ${file} and ${other} are in ${printable(cwd)}`, 'keep one, or name one with --config FILE')
}

/** Reads a file of jobs from its text. `file` is its name, for messages. */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const place = (at: number | undefined): string => {
    if (at === undefined) return printable(file)
    const { line, col } = lines.linePos(at)
    return `${printable(file)}, line ${Math.max(1, line)}, column ${Math.max(1, col)}`
  }
  const refusal: Config['refusal'] = (message, at, hint) => new UserError(`${place(at)}: ${message}`, hint)
  // A tag that is not known says something that would count for nothing.
  const [wrong] = [...document.errors, ...document.warnings]
  if (wrong !== undefined) throw refusal(printable(wrong.message), wrong.pos[0], PAGE)
  const reader = new Reader(document, refusal)
  const { defaults, jobs } = reader.parts()
  return {
    file,
    names: [...jobs.keys()],
    defaults: () => (defaults === undefined ? [] : reader.settings(defaults, 'defaults')),
    job(name) {
      const entry = jobs.get(name)
      return entry === undefined ? undefined : { at: entry.at, settings: reader.settings(entry, 'a job') }
    },
    refusal,
    place,
  }
}

/** A name in a map, and what stands behind it. */
interface Named {
  readonly name: string
  readonly at: number
  readonly node: unknown
}

// What looks like the name of a secret, whatever the spelling.
const SECRET = /access-?key|secret|password|passphrase|token|credential/i

class Reader {
  constructor(
    private readonly document: Document,
    private readonly refusal: Config['refusal'],
  ) {}

  /** The parts of the file. */
  parts(): { readonly defaults: Named | undefined; readonly jobs: ReadonlyMap<string, Named> } {
    const known = ['defaults', 'jobs']
    const root = this.#entries({ name: 'the file', at: 0, node: this.document.contents })
    for (const { name, at } of root) {
      if (known.includes(name)) continue
      this.refuseSecret(name, at)
      const near = nearest(name, known)
      throw this.refusal(
        `the file cannot have ${printable(name)}`,
        at,
        near === undefined ? 'it has defaults and jobs' : `did you mean ${near}?`,
      )
    }
    const jobs = root.find(({ name }) => name === 'jobs')
    if (jobs === undefined) throw this.refusal('the file has no jobs', undefined, PAGE)
    const named = this.#entries(jobs)
    for (const { name, at } of named) {
      if (/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(name)) continue
      throw this.refusal(
        `a job cannot have the name ${printable(name)}`,
        at,
        'take letters, digits, dots, hyphens and underscores, a letter or digit first',
      )
    }
    return {
      defaults: root.find(({ name }) => name === 'defaults'),
      jobs: new Map(named.map((entry) => [entry.name, entry])),
    }
  }

  /** The lines of a job; those of `filters` stand for as many lines in their order. */
  settings(entry: Named, what: string): Setting[] {
    return this.#entries({ ...entry, name: what }).flatMap(({ name, at, node }) => {
      this.refuseSecret(name, at)
      return name === 'filters' ? this.#filters(node, at) : [{ name, at, value: this.#value(name, at, node) }]
    })
  }

  refuseSecret(name: string, at: number): void {
    // Files that hold a key of SSE-C are named by options.
    if (!SECRET.test(name) || name.endsWith('-file')) return
    throw this.refusal(
      `${printable(name)} does not belong into this file: it holds no credentials`,
      at,
      'name a profile of the AWS config files, profile: NAME, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    )
  }

  #filters(node: unknown, at: number): Setting[] {
    const list = this.#resolved(node)
    const form = "write a list of lines such as - exclude: '*' and - include: '*.jpg'"
    if (!isSeq(list)) throw this.refusal('filters is no list', at, form)
    return list.items.map((item) => {
      const [one, ...more] = this.#entries({ name: 'a filter', at: offsetOf(item) ?? at, node: item })
      if (one === undefined || more.length > 0 || !['include', 'exclude'].includes(one.name)) {
        throw this.refusal('a filter is one include or one exclude', offsetOf(item) ?? at, form)
      }
      const value = this.#value(one.name, one.at, one.node)
      if (typeof value !== 'string') throw this.refusal(`${one.name} is not text`, one.at, form)
      return { name: one.name, at: one.at, value }
    })
  }

  #entries({ name, at, node }: Named): Named[] {
    const map = this.#resolved(node)
    if (map === null) return []
    if (!isMap(map)) throw this.refusal(`${printable(name)} is no map of names and values`, offsetOf(map) ?? at, PAGE)
    return map.items.map((pair) => {
      const { key, value } = pair as { readonly key: unknown; readonly value: unknown }
      const written = isScalar(key) ? textOf(key) : undefined
      const place = offsetOf(key) ?? at
      if (written === undefined) throw this.refusal('here must be a name', place, PAGE)
      return { name: written, at: place, node: value }
    })
  }

  #value(name: string, at: number, node: unknown): SettingValue {
    const found = this.#resolved(node)
    if (isScalar(found) && typeof found.value === 'boolean') return found.value
    if (isSeq(found)) {
      if (found.items.length === 0) throw this.refusal(`the list ${printable(name)} is empty`, at, 'leave it away')
      return found.items.map((item) => this.#text(name, offsetOf(item) ?? at, item))
    }
    return this.#text(name, at, node)
  }

  #text(name: string, at: number, node: unknown): string {
    const found = this.#resolved(node)
    const text = isScalar(found) ? textOf(found) : undefined
    if (text !== undefined && text !== '') return text
    const empty = found === null || text === '' || (isScalar(found) && found.value === null)
    const wrong = isScalar(found) && typeof found.value === 'boolean' ? 'true or false' : 'a map or a list'
    throw this.refusal(
      `${printable(name)} ${empty ? 'has no value' : `wants text, and has ${wrong}`}`,
      at,
      empty ? 'write one behind it, or leave it away' : 'put in quotes what is to be text',
    )
  }

  // Nothing for what is not there.
  #resolved(node: unknown): unknown {
    const found = isAlias(node) ? node.resolve(this.document) : node
    return found ?? null
  }
}

// A number is taken as it is written: 0.10 is not 0.1 where a name is meant.
function textOf({ value, source }: { readonly value: unknown; readonly source?: string }): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'bigint' ? (source ?? String(value)) : undefined
}

function offsetOf(node: unknown): number | undefined {
  return (node as Partial<Node> | null | undefined)?.range?.[0]
}
