import { UserError } from '../../errors.js'
import { compareKeys, keyBytes, printable } from '../../keys.js'
import type { Selection } from '../../job/selection.js'
import { timeOf } from '../../times.js'
import { hasOpenBracket } from '../../rules/glob.js'
import { renamer } from '../../rules/rename.js'
import { selector } from '../../rules/selection.js'
import { parseSize } from '../../rules/size.js'
import type { Argv } from './argv.js'
import {
  booleanFlag,
  durationOf,
  grouped,
  many,
  readFlag,
  readList,
  readText,
  textFlag,
  type Flags,
} from './flag-values.js'
import type { Placeholder } from './placeholders.js'

/**
 * Flags of which objects. `args` is the command line that `argv` will parse: the order of --include and --exclude among each other
 * is nowhere else.
 */
export function selectionFlags(argv: Argv, args: readonly string[]): Argv {
  // With `nargs` a value may begin with a hyphen and a digit.
  const one = (...flag: Parameters<typeof textFlag>) => ({ ...textFlag(...flag), nargs: 1 }) as const
  const several = (placeholder: Placeholder, describe: string) => many(placeholder, `${describe}; repeatable`)
  return grouped(argv, 'Which objects (all that is given must hold):', {
    include: several(
      'GLOB',
      'take what matches, in the key below the prefix; of all globs the last that matches decides',
    ),
    exclude: several('GLOB', "leave out what matches; --exclude '*' --include '*.jpg' takes these alone"),
    regex: several('REGEX', 'with this expression (RE2) somewhere in the key below the prefix'),
    'ignore-case': booleanFlag('--include, --exclude and --regex take letters in either case'),
    size: one('SIZES', 'of this size: +1M at least, -5G at most, 1M..5G from to, 0 exactly; in bytes, or K, M, G, T'),
    'newer-than': one('DATE', 'last modified then or later: 2026-01-31, 2026-01-31T12:00:00Z, or 36h or 7d ago'),
    'older-than': one('DATE', 'last modified before then'),
    'storage-class-is': several('CLASS', 'of this storage class, such as STANDARD_IA'),
    after: one('KEY', 'only those behind this key, which is a whole one (--after=KEY if it begins with a hyphen)'),
    until: one('KEY', 'only those up to this whole key, and itself'),
  }).middleware((flags) => {
    Object.assign(flags, { [ORDER]: globOrder(args) })
  })
}

// Beside the flags, where no flag of a command line can have its name.
const ORDER = Symbol('the order of --include and --exclude')

type Verdict = 'include' | 'exclude'

function globOrder(args: readonly string[]): Verdict[] {
  const end = args.indexOf('--')
  const flags = end < 0 ? args : args.slice(0, end)
  return flags.flatMap((arg) => {
    const [, verdict] = /^--(include|exclude)(?:=|$)/s.exec(arg) ?? []
    return verdict === 'include' || verdict === 'exclude' ? [verdict] : []
  })
}

/** Flag of what copies are called. */
export function nameFlags(argv: Argv): Argv {
  return grouped(argv, 'Names of the copies:', {
    map: many('s/REGEX/TEXT/', "change the key below the prefix, as sed does (RE2's syntax); repeatable"),
  })
}

/** The objects that the flags choose, as a part of a job. */
export function readObjects(flags: Flags): { readonly select?: Selection } {
  const select = readSelection(flags, new Date())
  return select === undefined ? {} : { select }
}

/** What the flags call copies, as a part of a job. */
export function readNames(flags: Flags): { readonly map?: readonly string[] } {
  const map = readList(flags, 'map')
  // Refuses what is not understood.
  renamer(map)
  return map.length === 0 ? {} : { map }
}

/** The selection that the flags ask for, or undefined when they ask for none; times that count from now are counted from `now`. */
export function readSelection(flags: Flags, now: Date): Selection | undefined {
  const globs = readGlobs(flags)
  const regex = readList(flags, 'regex')
  const ignoreCase = readFlag(flags, 'ignore-case') ?? false
  if (ignoreCase && globs.length + regex.length === 0) {
    throw new UserError(
      '--ignore-case is about --include, --exclude and --regex, and none was given',
      'add one of them, or leave it away',
    )
  }
  const storageClasses = readList(flags, 'storage-class-is')
  const modifiedSince = readMoment(flags, 'newer-than', now)
  const modifiedBefore = readMoment(flags, 'older-than', now)
  const after = readKey(flags, 'after')
  const until = readKey(flags, 'until')
  if (modifiedSince !== undefined && modifiedBefore !== undefined && modifiedSince >= modifiedBefore) {
    throw new UserError(
      `nothing is both newer than ${modifiedSince} and older than ${modifiedBefore}`,
      'give --newer-than the earlier and --older-than the later moment',
    )
  }
  if (after !== undefined && until !== undefined && compareKeys(after, until) >= 0) {
    throw new UserError(
      `no key is after ${printable(after)} and not after ${printable(until)}, in the order of their bytes`,
      'give --after the lesser and --until the greater key',
    )
  }
  const selection: Selection = {
    ...(globs.length === 0 ? {} : { globs }),
    ...(regex.length === 0 ? {} : { regex }),
    ...(ignoreCase ? { ignoreCase } : {}),
    ...readSize(flags),
    ...(modifiedSince === undefined ? {} : { modifiedSince }),
    ...(modifiedBefore === undefined ? {} : { modifiedBefore }),
    ...(storageClasses.length === 0 ? {} : { storageClasses }),
    ...(after === undefined ? {} : { after }),
    ...(until === undefined ? {} : { until }),
  }
  if (Object.keys(selection).length === 0) return undefined
  // Refuses a regular expression that does not compile.
  selector(selection, '')
  return selection
}

function readGlobs(flags: Flags): [Verdict, string][] {
  const given = { include: readList(flags, 'include'), exclude: readList(flags, 'exclude') }
  const order = (flags as { readonly [ORDER]?: readonly Verdict[] })[ORDER] ?? []
  const globs = order.map((verdict): [Verdict, string] => [verdict, given[verdict].shift() ?? ''])
  if (globs.some(([, glob]) => glob === '') || given.include.length + given.exclude.length > 0) {
    throw new UserError(
      'it is not certain in which order --include and --exclude were given, and it matters',
      'write each as --include GLOB or --include=GLOB',
    )
  }
  const open = globs.find(([, glob]) => hasOpenBracket(glob))
  if (open !== undefined) {
    throw new UserError(
      `--${open[0]} ${printable(open[1])} has a [ that no ] closes`,
      'close it, or write [[] for the character itself',
    )
  }
  const last = globs.at(-1)
  if (last?.[0] === 'exclude' && /^\*+$/.test(last[1])) {
    throw new UserError(
      `--exclude '${last[1]}' comes last, so nothing is left`,
      "the last that matches decides: write --exclude '*' first, and --include behind it",
    )
  }
  if (globs.length > 0 && globs.every(([verdict, glob]) => verdict === 'include' && !/^\*+$/.test(glob))) {
    throw new UserError(
      '--include alone changes nothing: all objects are in until they are excluded',
      "write --exclude '*' before it to have these alone",
    )
  }
  return globs
}

function readSize(flags: Flags): Pick<Selection, 'minSize' | 'maxSize'> {
  const given = readText(flags, 'size')
  if (given === undefined) return {}
  const [, sign, least = '', most] = /^([+-]?)(.+?)(?:\.\.(.+))?$/s.exec(given) ?? []
  const minSize = parseSize(least)
  const maxSize = most === undefined ? minSize : parseSize(most)
  if (minSize === undefined || maxSize === undefined || (sign !== '' && most !== undefined)) {
    throw new UserError(
      `--size is not understood: ${printable(given)}`,
      'write +1M for at least, -5G for at most, 1M..5G for from to, or a number alone for exactly; in bytes, K, M, G or T',
    )
  }
  if (minSize > maxSize) {
    throw new UserError(`--size ${printable(given)} holds no size`, 'write the lesser first: 1M..5G')
  }
  return sign === '+' ? { minSize } : sign === '-' ? { maxSize } : { minSize, maxSize }
}

// Kept as a date, so that a run that is resumed means the same.
/** The moment of a flag, as ISO 8601: a date, or a time back from `now` such as `7d`; undefined when it was not given. */
export function readMoment(flags: Flags, name: string, now: Date): string | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  // A number alone might be anything: a year, days, seconds.
  const ago = /[a-z]$/.test(given) ? durationOf(given) : undefined
  const time = ago === undefined ? timeOf(given) : now.getTime() - ago
  if (time >= 0) return new Date(time).toISOString()
  throw new UserError(
    `--${name} wants a date since 1970 or a time back from now, and was given ${printable(given)}`,
    `write something like --${name} 2026-01-31, 2026-01-31T12:00:00Z, 36h or 7d`,
  )
}

function readKey(flags: Flags, name: string): string | undefined {
  const given = readText(flags, name)
  if (given === undefined || keyBytes(given) <= 1024) return given
  throw new UserError(`--${name} has ${keyBytes(given)} bytes, and no key is longer than 1,024`, 'give a key')
}
