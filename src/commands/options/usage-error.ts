import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import type { Declarations } from './argv.js'
import { commandsNamed, declarationsOf, commandName, type Command, type Commands } from './command.js'
import { nearest } from './nearest.js'
import { COMMANDS_OF_OTHERS, FLAGS_OF_OTHERS } from './other-programs.js'

/**
 * What a stranger can act on, for what yargs says of a command line, in English. `args` is that command line; what is
 * not known is quoted from it, but for what may be a misplaced secret.
 */
export async function usageError(said: string, args: readonly string[], all: Commands): Promise<UserError> {
  const [first = ''] = args
  const name = first.startsWith('-') ? args.find((arg) => all.has(arg)) : all.has(first) ? first : undefined
  if (name === undefined) return first.startsWith('-') ? noCommand(first) : unknownCommand(first, all)
  const [command] = await commandsNamed(name, all)
  if (command === undefined) return noCommand(first)
  const declared = declarationsOf(command, args)
  // It may be that another mistake is only the consequence of this one.
  const flag = unknownFlag(args, declared)
  if (flag !== undefined) return await flagError(flag, command, declared, all)
  return argumentError(said, command, declared, args)
}

/** That a command is not there, and which was meant. */
export function unknownCommand(typed: string, all: Commands): UserError {
  const page = 'see s3move --help'
  const message = `there is no command ${shown(typed)}`
  const [ours, difference] = COMMANDS_OF_OTHERS.get(typed) ?? []
  if (ours !== undefined && all.has(ours)) {
    const meant = `did you mean s3move ${ours}?`
    return new UserError(
      message,
      `${meant} ${difference === undefined ? 'See' : `${sentence(difference)}; see`} s3move ${ours} -h`,
    )
  }
  const near = nearest(typed, all.keys())
  return new UserError(message, near === undefined ? page : `did you mean s3move ${near}? See s3move ${near} -h`)
}

function noCommand(first: string): UserError {
  return new UserError(`${shown(first)} stands where a command belongs`, 'see s3move --help')
}

// Names of more than a letter with their hyphens, letters without.
function unknownFlag(args: readonly string[], declared: Declarations): string | undefined {
  const letters = new Set(['h', 'V', ...[...declared.all.values()].flatMap(({ alias }) => alias ?? [])])
  for (const arg of args) {
    const [, long] = /^--([^=]+)/s.exec(arg) ?? []
    if (long !== undefined && !isKnown(long, declared)) return `--${long}`
    // What else begins with a hyphen may be a value.
    const [, cluster] = /^-([A-Za-z]+)(?:=|$)/s.exec(arg) ?? []
    const letter = Array.from(cluster ?? '').find((one) => !letters.has(one))
    if (letter !== undefined) return (cluster ?? '').length > 1 ? `-${cluster ?? ''}` : `-${letter}`
  }
  return undefined
}

function isKnown(name: string, declared: Declarations): boolean {
  if (name === 'help' || name === 'version' || declared.all.has(name)) return true
  return name.startsWith('no-') && declared.all.get(name.slice(3))?.type === 'boolean'
}

async function flagError(flag: string, command: Command, declared: Declarations, all: Commands): Promise<UserError> {
  const name = commandName(command)
  const page = `see s3move ${name} -h`
  const message = `${name} has no option ${shown(flag)}`
  const plain = flag.replace(/^--?/, '')
  const theirs = FLAGS_OF_OTHERS.get(plain)
  const [, ours] = /^--([a-z-]+)/.exec(theirs ?? '') ?? []
  if (theirs !== undefined && ours === undefined) return new UserError(message, `${theirs}; ${page}`)
  const written = theirs === undefined || ours === undefined ? undefined : { name: ours, text: theirs }
  if (written !== undefined && declared.all.has(written.name)) {
    return new UserError(message, `did you mean ${written.text}? ${sentence(page)}`)
  }
  const elsewhere = await commandsWith(written?.name ?? plain, all)
  if (elsewhere.length > 0) {
    const others = elsewhere.map((one) => `s3move ${one}`).join(', ')
    const what = written === undefined ? 'it' : written.text
    return new UserError(message, `${what} is for ${others}; ${page}`)
  }
  const near =
    flag.startsWith('--') || plain.length > 1
      ? nearest(plain.replaceAll('_', '-').toLowerCase(), offered(declared))
      : undefined
  return new UserError(message, near === undefined ? page : `did you mean --${near}? ${sentence(page)}`)
}

/** The options of the help. */
function offered(declared: Declarations): string[] {
  return [...declared.all].flatMap(([name, { hidden }]) => (hidden === true ? [] : [name]))
}

async function commandsWith(flag: string, all: Commands): Promise<string[]> {
  const commands = await commandsNamed('', all)
  return commands.filter((command) => offered(declarationsOf(command)).includes(flag)).map(commandName)
}

function argumentError(said: string, command: Command, declared: Declarations, args: readonly string[]): UserError {
  const name = commandName(command)
  const page = `see s3move ${name} -h`
  const [, lacking] = /^Not enough arguments following: (\S+)$/.exec(said) ?? []
  if (lacking !== undefined) {
    const flag = `--${lacking}`
    const placeholder = declared.all.get(lacking)?.placeholder ?? 'VALUE'
    return new UserError(`${flag} needs a value`, `write ${flag}=${placeholder} (with = where it begins with a hyphen)`)
  }
  const [, got, needed] = /^Not enough non-option arguments: got (\d), need at least (\d)$/.exec(said) ?? []
  if (got !== undefined) {
    const wanted = [...declared.positionals.keys()]
      .slice(0, Number(needed))
      .map((one) => `${/^[aeiou]/.test(one) ? 'an' : 'a'} ${one}`)
    return new UserError(
      `${name} needs ${wanted.join(' and ')}`,
      `${got === '0' ? 'none was given' : 'only one was given'}; ${page}`,
    )
  }
  const [, extra] = /^Unknown (?:commands?|arguments?): (.*)$/s.exec(said) ?? []
  if (extra === undefined) return new UserError(shown(said), page)
  const [, negated] = /^(no-[^,\s]+)$/.exec(extra) ?? []
  if (negated !== undefined && args.some((arg) => arg.startsWith(`--${negated}=`))) {
    return new UserError(`--${shown(negated)} takes no value`, `write --${shown(negated)} by itself, or leave it away`)
  }
  const many = extra.split(', ').length
  return new UserError(
    `${many === 1 ? 'one argument' : `${many} arguments`} too many: ${shown(extra)}`,
    `a value stands behind its option, and what has spaces in quotes; ${page}`,
  )
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

function shown(text: string): string {
  return printable(text.replace(/[^\s,]*:[^\s,]*@/g, '…@'))
}
