import type { Declarations } from '../options/argv.js'
import { declarationsOf, commandName, type Command } from '../options/command.js'
import { paragraphs, rows, section, type HelpRow } from './layout.js'
import { briefRows, headedRows } from './option-rows.js'

/** What a screen of 24 lines has room for, besides the line in which the next command is typed. */
const SCREEN = 23

/** The help of a command that fits a screen of 80 columns: what it does, examples, arguments, options of each day. */
export function shortPage(command: Command, width: number): string {
  const declared = declarationsOf(command)
  const { usage, sentences } = helpHead(command)
  const [first = ''] = sentences.split(/(?<=\.)\s/)
  const name = commandName(command)
  const names = everydayOf(command, declared)
  const end = `\nall options: s3move ${name} --help\n`
  const before = `${usage}\n${paragraphs(first, width)}`
  const behind = `${section('Arguments:', rows(argumentRows(declared), width))}${section(
    command.everyday === undefined ? 'Options:' : 'Everyday options:',
    rows(briefRows(declared, names, width), width),
  )}${end}`
  const examples = exampleRows(command)
  // As many examples as there is room for; one at least.
  for (let shown = examples.length; shown > 0; shown--) {
    const page = `${before}${section('Examples:', rows(examples.slice(0, shown), width))}${behind}`
    if (shown === 1 || linesOf(page) <= SCREEN) return page
  }
  return `${before}${behind}`
}

/** The whole help of a command: what each day needs first, then all options by what they are for. */
export function longPage(command: Command, width: number): string {
  const declared = declarationsOf(command)
  const { usage, sentences } = helpHead(command)
  const sections = headedRows(declared).map(([heading, options]) => section(heading, rows(options, width)))
  const everyday = command.everyday === undefined ? [] : everydayOf(command, declared)
  const name = commandName(command)
  const help: HelpRow[] = [
    ['-h', 'help that fits a screen'],
    ['    --help', 'this help'],
    ['-V, --version', 'the version'],
  ]
  return [
    `${usage}\n\n${paragraphs(sentences, width)}`,
    section('Examples:', rows(exampleRows(command), width)),
    section('Arguments:', rows(argumentRows(declared), width)),
    section('Everyday options (again below, among all):', rows(briefRows(declared, everyday, width), width)),
    ...sections,
    section('Help (s3move help lists its topics):', rows(help, width)),
    section('Exit codes:', rows(exitRows(command.exits), width)),
    `\nMore: docs/${name}.md of the package\n`,
  ].join('')
}

/** The usage line of a command's help, and the sentences below it. */
export function helpHead({ help }: Pick<Command, 'help'>): { readonly usage: string; readonly sentences: string } {
  const [usage = '', ...sentences] = help.replaceAll('$0', 's3move').split('\n\n')
  return { usage, sentences: sentences.join('\n') }
}

/** Command lines of a command, and what they are for. */
export function exampleRows({ examples = [] }: Pick<Command, 'examples'>): HelpRow[] {
  return examples.map(([line, purpose]) => [line.replaceAll('$0', 's3move'), purpose])
}

/** The arguments of a command; one line for those of which the same is said. */
export function argumentRows(declared: Declarations): HelpRow[] {
  const said = new Map<string, string[]>()
  for (const [name, { describe }] of declared.positionals) {
    said.set(describe, [...(said.get(describe) ?? []), name.toUpperCase()])
  }
  return [...said].map(([describe, names]) => [names.join(', '), describe])
}

/** Exit codes, and what they mean. */
export function exitRows(exits: Command['exits']): HelpRow[] {
  return Object.entries(exits).map(([code, meaning]) => [code, meaning])
}

function everydayOf({ everyday }: Command, declared: Declarations): readonly string[] {
  return everyday ?? [...declared.all.keys()]
}

function linesOf(page: string): number {
  return page.split('\n').length - 1
}
