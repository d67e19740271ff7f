import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'

/** The switches that a command has. */
export interface Declared {
  /** By their long names; what is declared as `no-x` beside `x` is the negation of that. */
  readonly names: ReadonlySet<string>
  /** The long name of each that has a short one of a letter. */
  readonly letters: ReadonlyMap<string, string>
}

/** Whether a word that stands for a switch says yes or no, in capitals or not; undefined for any other word. */
export function truthOf(word: string): boolean | undefined {
  return WORDS.get(word.toLowerCase())
}

const WORDS: ReadonlyMap<string, boolean> = new Map(
  Object.entries({ true: true, yes: true, on: true, 1: true, false: false, no: false, off: false, 0: false }),
)

/**
 * What a command line says of its switches, by their long names; `--no-x` says that x is not. yargs takes every word but `true` for false,
 * and of a cluster or a negation with a value it makes something else altogether: nobody's consent may hang on that. Throws a UserError for
 * what is neither yes nor no, and for a word behind a switch that might be its value.
 */
export function readSwitches(args: readonly string[], declared: Declared): ReadonlyMap<string, boolean> {
  const end = args.indexOf('--')
  const flags = end < 0 ? args : args.slice(0, end)
  // yargs hands it to nobody.
  const behind = args.slice(flags.length + 1)
  if (behind.length > 0) {
    throw new UserError(
      `what stands behind -- would count for nothing: ${printable(behind.join(' '))}`,
      'leave -- away; a name that begins with a hyphen is written ./-name',
    )
  }
  const found = new Map<string, boolean>()
  const times = new Map<string, number>()
  const wrong: string[] = []
  for (const [index, arg] of flags.entries()) {
    const given = switchesOf(arg, declared)
    for (const { name, value } of given) {
      times.set(name, (times.get(name) ?? 0) + 1)
      if (value === undefined) wrong.push(arg)
      else found.set(name, value)
    }
    const next = flags[index + 1]
    if (given.length > 0 && !arg.includes('=') && next !== undefined && truthOf(next) !== undefined) {
      throw new UserError(
        `it is not certain whether ${printable(next)} is meant for ${printable(arg)}, which takes no word of its own`,
        `write ${printable(arg)}=${printable(next)} if it is, and ./${printable(next)} if it is the name of a folder`,
      )
    }
  }
  if (wrong.length > 0) {
    throw new UserError(
      `neither yes nor no: ${printable(wrong.join(' '))}`,
      'a switch takes true, false, yes, no, on, off, 1 or 0 behind =, and stands for true by itself',
    )
  }
  const twice = [...times].find(([, count]) => count > 1)
  if (twice !== undefined) throw new UserError(`--${twice[0]} was given ${twice[1]} times`, 'give it once')
  return found
}

interface Given {
  readonly name: string
  /** Undefined when it is not understood. */
  readonly value: boolean | undefined
}

// The switches of one argument: none when it is something else.
function switchesOf(arg: string, { names, letters }: Declared): Given[] {
  const [, long, word] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? []
  if (long !== undefined) {
    let name = long
    let value = word === undefined ? true : truthOf(word)
    while (name.startsWith('no-') && names.has(name.slice(3))) {
      name = name.slice(3)
      if (value !== undefined) value = !value
    }
    return names.has(name) ? [{ name, value }] : []
  }
  const [, cluster = '', rest = ''] = /^-([A-Za-z]+)(.*)$/s.exec(arg) ?? []
  const known = Array.from(cluster).flatMap((letter) => letters.get(letter) ?? [])
  if (known.length === 0) return []
  const last = rest === '' ? true : rest.startsWith('=') ? truthOf(rest.slice(1)) : undefined
  return known.map((name, index) => ({ name, value: index === known.length - 1 ? last : true }))
}
