import { UserError } from '../../errors.js'
import { printable, withoutCredentials } from '../../keys.js'
import { shellArgument } from '../../report/format.js'
import type { Declarations, Option } from '../options/argv.js'
import { commandName, commandsNamed, declarationsOf, type Command, type Commands } from '../options/command.js'
import { nearest } from '../options/nearest.js'
import { unknownCommand } from '../options/usage-error.js'
import type { Config, Setting } from './config-file.js'

/** The command line that a job stands for. */
export interface JobLine {
  /** From the command's name on. */
  readonly args: readonly string[]
  /** The same for people: it can be pasted into a shell, and shows no user name or password of a URL, and of a webhook the server alone. */
  readonly text: string
  /** An error of this command line, with the place in the file that it is about, if it is about one. */
  readonly located: (error: UserError) => UserError
}

/** What a job can be: a command that does something with places. */
const GROUPS: readonly Command['group'][] = ['copying', 'looking']

/**
 * The command line of a job, with `given` behind it: what the file says of a flag that is given there counts for nothing. A `UserError` with line and
 * column for what the command does not have, or has otherwise.
 */
export async function commandLineOf(
  config: Config,
  name: string,
  given: readonly string[],
  all: Commands,
): Promise<JobLine> {
  const job = config.job(name)
  if (job === undefined) throw noJob(config, name)
  const command = await commandOf(config, name, job, all)
  const declared = declarationsOf(command)
  const settings = job.settings.filter((setting) => setting.name !== 'command')
  for (const setting of settings) checkSetting(config, setting, command, declared)
  const overridden = new Set(settings.map((setting) => familyOf(setting.name, declared)))
  const defaults = (await defaultsFor(config, command, declared, all)).filter(
    (setting) => !overridden.has(familyOf(setting.name, declared)),
  )
  const there = familiesIn(given, declared)
  const kept = [...defaults, ...settings].filter((setting) => !there.has(familyOf(setting.name, declared)))
  const places = placesOf(config, name, job.at, kept, declared)
  const flags = kept.filter((setting) => !declared.positionals.has(setting.name))
  const args = [commandName(command), ...places, ...flags.flatMap(argumentsOf), ...given]
  return {
    args,
    text: withoutCredentials(['s3move', ...args.map(shownArgument)].join(' ')),
    located: (error) => locatedIn(config, kept, declared, error),
  }
}

function noJob({ file, names }: Config, name: string): UserError {
  const near = nearest(name, names)
  const there = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`
  return new UserError(
    `there is no job ${printable(name)} in ${printable(file)}`,
    near === undefined ? `${there}; the name of a job stands right behind run` : `did you mean s3move run ${near}?`,
  )
}

async function commandOf(
  config: Config,
  name: string,
  { at, settings }: { readonly at: number; readonly settings: readonly Setting[] },
  all: Commands,
): Promise<Command> {
  const named = settings.find((setting) => setting.name === 'command')
  if (named === undefined) {
    throw config.refusal(`the job ${printable(name)} has no command`, at, 'write one, such as command: sync')
  }
  const { value } = named
  if (typeof value !== 'string') throw config.refusal('command is not text', named.at, 'write command: sync')
  if (!all.has(value)) {
    const { message, hint = '' } = unknownCommand(value, all)
    throw config.refusal(message, named.at, hint)
  }
  const [command] = await commandsNamed(value, all)
  if (command !== undefined && GROUPS.includes(command.group)) return command
  const jobs = (await commandsNamed('', all)).filter(({ group }) => GROUPS.includes(group)).map(commandName)
  throw config.refusal(`${value} is no command for a job`, named.at, `it can be one of ${jobs.join(', ')}`)
}

function checkSetting(config: Config, { name, value, at }: Setting, command: Command, declared: Declarations): void {
  const option = declared.positionals.get(name) ?? visible(declared, name)
  if (option === undefined) throw unknownSetting(config, name, at, command, declared)
  if (option.type === 'boolean' && typeof value !== 'boolean') {
    throw config.refusal(`${name} is true or false, and here is something else`, at, `write ${name}: true`)
  }
  if (option.type === 'string' && typeof value === 'boolean') {
    const form = option.placeholder ?? name.toUpperCase()
    throw config.refusal(`${name} wants text, and has true or false`, at, `write ${name}: ${form}, in quotes if needed`)
  }
  if (option.array !== true && typeof value === 'object') {
    throw config.refusal(`${name} has one value, and here is a list`, at, `write ${name}: and the value behind it`)
  }
  if (declared.positionals.has(name) && String(value).startsWith('-')) {
    throw config.refusal(`${name} begins with a hyphen, as options do`, at, 'write s3://bucket or file:///folder')
  }
}

function unknownSetting(config: Config, name: string, at: number, command: Command, declared: Declarations): UserError {
  const its = commandName(command)
  const page = `see s3move ${its} --help`
  const positive = /^no-(.+)$/.exec(name)?.[1] ?? ''
  if (visible(declared, positive)?.type === 'boolean') {
    return config.refusal(`${its} has no option ${printable(name)}`, at, `write ${positive}: false`)
  }
  const names = [...declared.positionals.keys(), ...[...declared.all.keys()].filter((one) => visible(declared, one))]
  const wanted = printable(name)
  const near = names.includes(`no-${name}`) ? `no-${name}` : nearest(name.replaceAll('_', '-').toLowerCase(), names)
  return config.refusal(
    `${its} has no option ${wanted}`,
    at,
    near === undefined ? page : `did you mean ${near}? S${page.slice(1)}`,
  )
}

function visible(declared: Declarations, name: string): Option | undefined {
  const option = declared.all.get(name)
  return option?.hidden === true ? undefined : option
}

// Those that the command has. What no command has is refused: it would count for nothing.
async function defaultsFor(
  config: Config,
  command: Command,
  declared: Declarations,
  all: Commands,
): Promise<readonly Setting[]> {
  const defaults = config.defaults()
  const here = defaults.filter(({ name }) => visible(declared, name) !== undefined)
  for (const setting of here) checkSetting(config, setting, command, declared)
  const elsewhere = defaults.filter((setting) => !here.includes(setting))
  if (elsewhere.length === 0) return here
  const others = (await commandsNamed('', all)).filter(({ group }) => GROUPS.includes(group))
  for (const { name, at } of elsewhere) {
    if (name === 'command' || declared.positionals.has(name)) {
      throw config.refusal(`${name} is of a job, and not of all`, at, 'write it in each job')
    }
    if (others.some((other) => visible(declarationsOf(other), name) !== undefined)) continue
    throw unknownSetting(config, name, at, command, declared)
  }
  return here
}

// All places of the command up to the last that is there, in its order.
function placesOf(
  config: Config,
  job: string,
  at: number,
  settings: readonly Setting[],
  declared: Declarations,
): string[] {
  return [...declared.positionals].flatMap(([name, { demandOption }]) => {
    const setting = settings.find((one) => one.name === name)
    if (setting !== undefined) return [String(setting.value)]
    if (demandOption !== true) return []
    throw config.refusal(`the job ${printable(job)} has no ${name}`, at, `write one, such as ${name}: s3://bucket`)
  })
}

function argumentsOf({ name, value }: Setting): string[] {
  if (typeof value === 'boolean') return [value ? `--${name}` : `--${name}=false`]
  return (typeof value === 'string' ? [value] : value).map((one) => `--${name}=${one}`)
}

/** What counts for one flag: a switch and its negation, and all globs, whose order matters. */
function familyOf(name: string, { all }: Declarations): string {
  if (name === 'include' || name === 'exclude') return 'globs'
  let plain = name
  while (plain.startsWith('no-') && all.get(plain.slice(3))?.type === 'boolean') plain = plain.slice(3)
  return plain
}

function familiesIn(given: readonly string[], declared: Declarations): Set<string> {
  const letters = new Map(
    [...declared.all].flatMap(([name, { alias }]) => (alias === undefined ? [] : [[alias, name]])),
  )
  return new Set(
    given.flatMap((arg) => {
      const [, long] = /^--([^=]+)/.exec(arg) ?? []
      const [, cluster = ''] = /^-([A-Za-z]+)/.exec(arg) ?? []
      const names = long === undefined ? Array.from(cluster).flatMap((letter) => letters.get(letter) ?? []) : [long]
      return names.map((name) => familyOf(name, declared))
    }),
  )
}

function shownArgument(arg: string, at: number, all: readonly string[]): string {
  const [, flag = '', value = ''] = /^(--[a-z-]+=)(.*)$/s.exec(arg) ?? ['', '', arg]
  if (value === '') return flag
  const isWebhook = flag === '--notify=' || all[at - 1] === '--notify'
  return flag + shellArgument(isWebhook ? withoutPath(value) : value)
}

// That of a webhook may be a secret.
function withoutPath(url: string): string {
  const { origin, pathname } = URL.canParse(url) ? new URL(url) : { origin: '', pathname: '' }
  return pathname === '/' ? origin : `${origin}/…`
}

// The first of the flags that a message names, else the place that it shows.
function locatedIn(
  config: Config,
  settings: readonly Setting[],
  { positionals }: Declarations,
  error: UserError,
): UserError {
  const flags = [...error.message.matchAll(/--([a-z-]+)/g)].map(([, name]) => name)
  const about =
    flags.map((flag) => settings.find(({ name }) => name === flag)).find((setting) => setting !== undefined) ??
    settings.find(({ name, value }) => positionals.has(name) && error.message.includes(printable(String(value))))
  return about === undefined ? error : new UserError(`${config.place(about.at)}: ${error.message}`, error.hint)
}
