import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { STORAGE_CLASSES } from '../../job/storage-classes.js'
import type { Declarations, Option } from '../options/argv.js'
import { isPlanned } from '../options/asked.js'
import { PLANNED, plannedCommands } from '../options/planned-command.js'
import { commandsNamed, declarationsOf, commandName, type Command, type Commands } from '../options/command.js'
import { readConfig } from '../jobs/config-file.js'
import { namedJob } from '../jobs/named-job.js'
import { commandSections } from '../help/main-page.js'
import { TOPICS } from '../help/topics.js'
import { profileNames } from '../../storage/profile-names.js'

/** What can stand where somebody has typed so far. */
interface Offer {
  /** What the shell adds by itself. */
  readonly paths?: 'files' | 'folders'
  readonly words: readonly (readonly [word: string, description: string])[]
}

const NOTHING: Offer = { words: [] }

/**
 * What a completion script asks for. `words` are those behind the name of the program, the last that which is being typed, perhaps
 * empty. The first line of the answer is `files` or `folders` if the shell is to add such, else `words`; each further line is a word that
 * can stand there, a tab, and what it means. Of `--option=value` it is the value alone.
 */
export async function offer(words: readonly string[], all: Commands, cwd: string): Promise<string> {
  const typed = (words.at(-1) ?? '').replace(/^""$/, '')
  const { paths, words: found } = await offerFor([...words.slice(0, -1), typed], all, cwd)
  const begun = /^--[^=]+=/.test(typed) ? typed.slice(typed.indexOf('=') + 1) : typed
  const lines = found
    // What a shell would have to quote is left out.
    .filter(([word]) => word.startsWith(begun) && /^[\p{L}\p{N}_.,:@+/=-]+$/u.test(word))
    .map(([word, description]) => `${word}\t${description.replaceAll(/\s+/g, ' ')}`)
  // A run that somebody has begun to name is not to stand beside the folder that it is in.
  const kind = paths === undefined || (begun !== '' && lines.length > 0) ? 'words' : paths
  return `${[kind, ...lines].join('\n')}\n`
}

async function offerFor(words: readonly string[], all: Commands, cwd: string): Promise<Offer> {
  if (words.length > 2 && isPlanned(words) && PLANNED.includes(words[1] ?? '')) {
    const planned = await plannedCommands(words, all)
    return await offerFor(planned.args, planned.all, cwd)
  }
  const typed = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const name = before.find((word) => !word.startsWith('-'))
  if (name === undefined) return await beginning(typed, all)
  if (name === 'run') {
    const behind = before.slice(before.indexOf(name) + 1)
    const ofJob = await jobCommand(behind, cwd, all)
    // The name of the job stands where the command has a place.
    if (ofJob !== undefined) return await offerFor([ofJob, ...behind, typed], all, cwd)
  }
  const [command, ...others] = all.has(name) ? await commandsNamed(name, all) : []
  if (command === undefined || others.length > 0) return NOTHING
  const declared = declarationsOf(command)
  const [, joined] = /^--([^=]+)=/.exec(typed) ?? []
  if (joined !== undefined) return await valuesOf(declared.all.get(joined), cwd)
  const [, last] = /^--([^=]+)$/.exec(before.at(-1) ?? '') ?? []
  const option = last === undefined ? undefined : declared.all.get(last)
  if (option?.placeholder !== undefined) return await valuesOf(option, cwd)
  if (typed.startsWith('-')) return { words: optionsLeft(declared, before) }
  return await argumentsOf(command, declared, before, all, cwd)
}

async function beginning(typed: string, all: Commands): Promise<Offer> {
  if (typed.startsWith('-')) {
    return {
      words: [
        ['--help', 'commands, examples, exit codes'],
        ['--version', 'the version'],
      ],
    }
  }
  return { words: (await commandSections(all)).flatMap(([, commands]) => commands) }
}

// Those that can still be given.
function optionsLeft(declared: Declarations, before: readonly string[]): Offer['words'] {
  const given = new Set(before.map((word) => word.replace(/=.*/s, '')))
  const left = [...declared.all].filter(
    ([name, { hidden, array, alias }]) =>
      hidden !== true &&
      (array === true || !(given.has(`--${name}`) || (alias !== undefined && given.has(`-${alias}`)))),
  )
  return [...left.map(([name, { describe }]) => [`--${name}`, describe] as const), ['--help', 'all options']]
}

async function valuesOf(option: Option | undefined, cwd: string): Promise<Offer> {
  if (option?.placeholder === undefined) return NOTHING
  const { placeholder, values } = option
  if (values !== undefined) return { words: plain(values) }
  if (placeholder === 'FILE') return { paths: 'files', words: [] }
  if (placeholder === 'DIR') return { paths: 'folders', words: await runsIn(cwd) }
  if (placeholder === 'PROFILE') return { words: plain(await profileNames()) }
  if (placeholder === 'CLASS') return { words: plain(STORAGE_CLASSES) }
  return { words: placeholder.includes('|') ? plain(placeholder.split('|')) : [] }
}

async function argumentsOf(
  command: Command,
  declared: Declarations,
  before: readonly string[],
  all: Commands,
  cwd: string,
): Promise<Offer> {
  const places = [...declared.positionals.values()]
  const last = places.at(-1)
  const argument = places[positionalsIn(before, declared) - 1] ?? (last?.array === true ? last : undefined)
  if (argument === undefined) return NOTHING
  if (commandName(command) === 'run') return { words: await jobsIn(cwd) }
  if (commandName(command) !== 'help') return await valuesOf(argument, cwd)
  const topics = [...TOPICS].map(([name, { summary }]) => [name, summary] as const)
  return { words: [...(await beginning('', all)).words, ...topics, ['man', 'the manual page']] }
}

// The command is the first of them.
function positionalsIn(words: readonly string[], declared: Declarations): number {
  let found = 0
  for (const [index, word] of words.entries()) {
    const [, option] = /^--([^=]+)$/.exec(words[index - 1] ?? '') ?? []
    const isValue = option !== undefined && declared.all.get(option)?.placeholder !== undefined
    if (!isValue && !word.startsWith('-')) found++
  }
  return found
}

function plain(words: readonly string[]): Offer['words'] {
  return words.map((word) => [word, ''])
}

// That of the job that is named behind `run`; undefined where none is, or it is not right.
async function jobCommand(args: readonly string[], cwd: string, all: Commands): Promise<string | undefined> {
  try {
    return (await namedJob(args, cwd, all))?.args[0]
  } catch {
    return undefined
  }
}

async function jobsIn(cwd: string): Promise<Offer['words']> {
  try {
    return (await readConfig(undefined, cwd)).names.map((name) => [name, 'a job'])
  } catch {
    return []
  }
}

// Where nothing can be read, nothing is offered.
async function runsIn(cwd: string): Promise<Offer['words']> {
  try {
    const found = await readdir(join(cwd, '.s3move'), { withFileTypes: true })
    return found.filter((one) => one.isDirectory()).map(({ name }) => [`.s3move/${name}`, 'a run'])
  } catch {
    return []
  }
}
