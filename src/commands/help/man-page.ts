import { version } from '../../version.js'
import { commandsNamed, declarationsOf, commandName, type Command, type Commands } from '../options/command.js'
import { PLACEHOLDERS } from '../options/placeholders.js'
import { argumentRows, exampleRows, exitRows, helpHead } from './command-page.js'
import { wrapped, type HelpRow } from './layout.js'
import { ALL_EXITS, commandSections, EXAMPLES, PURPOSE } from './main-page.js'
import { headedRows } from './option-rows.js'
import { TOPICS } from './topics.js'

/** The manual page of the program, s3move(1), for troff with the macros of man. */
export async function manPage(all: Commands): Promise<string> {
  const commands = (await commandsNamed('', all)).filter(({ group }) => group !== 'help')
  const sections = await commandSections(all)
  return [
    `.TH S3MOVE 1 "" "s3move ${escaped(version())}" "User Commands"\n`,
    `.SH NAME\ns3move \\- copy, compare and delete S3 objects in bulk, resumably\n`,
    '.SH SYNOPSIS\n.B s3move\n.I COMMAND\n[\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]\n',
    `.SH DESCRIPTION\n${text(PURPOSE)}`,
    'Objects are listed in parallel and nothing is lost when a run is interrupted.\n',
    '.SH COMMANDS\n',
    ...sections.map(([heading, rows]) => `.SS ${quoted(heading.replace(/:$/, ''))}\n${list(rows)}`),
    ...commands.map(commandSection),
    ...[...TOPICS].filter(([name]) => name !== 'values').map(([name, topic]) => topicSection(name, topic.text)),
    `.SH VALUES\n${list(Object.entries(PLACEHOLDERS))}`,
    `.SH EXIT STATUS\n${list(exitRows(ALL_EXITS))}`,
    `.SH EXAMPLES\n${examples(EXAMPLES)}`,
    '.SH FILES\n.TP\n.I .s3move/\nThe runs that were begun in this directory, a folder for each.\n',
    '.SH SEE ALSO\n.BR aws (1),\n.BR rclone (1)\n.PP\nThe pages in docs/ of the package.\n',
  ].join('')
}

function commandSection(command: Command): string {
  const declared = declarationsOf(command)
  const { usage, sentences } = helpHead(command)
  return [
    `.SH ${quoted(`S3MOVE ${commandName(command).toUpperCase()}`)}\n${usage
      .split('\n')
      .map((line) => `.B ${escaped(line.trim())}\n`)
      .join('.br\n')}`,
    ...sentences.split('\n').map((sentence) => `.PP\n${text(sentence)}`),
    list(argumentRows(declared)),
    ...headedRows(declared).map(
      ([heading, rows]) =>
        `.SS ${quoted(heading.replace(/:$/, ''))}\n${list(rows.map(([term, said]) => [term.trim(), said]))}`,
    ),
    ...(command.examples === undefined ? [] : [`.SS Examples\n${examples(exampleRows(command))}`]),
    `.SS Exit status\n${list(exitRows(command.exits))}`,
  ].join('')
}

function topicSection(name: string, said: string): string {
  return `.SH ${quoted(`ABOUT ${name.toUpperCase()}`)}\n${said
    .split('\n')
    .map((line, index) => `${index === 0 ? '' : '.PP\n'}${text(line)}`)
    .join('')}`
}

function list(rows: readonly HelpRow[]): string {
  return rows.map(([term, said]) => `.TP\n.B ${escaped(term)}\n${text(said)}`).join('')
}

function examples(rows: readonly HelpRow[]): string {
  return rows.map(([line, purpose]) => `.TP\n.B ${escaped(line)}\n${text(purpose)}`).join('')
}

// In lines of the length that troff's writers keep to, none of which begins as a request does.
function text(said: string): string {
  return wrapped(said, LINE)
    .map((line) => `${escaped(line).replace(/^(?=[.'])/, '\\&')}\n`)
    .join('')
}

const LINE = 64

function quoted(heading: string): string {
  return `"${escaped(heading).replaceAll('"', '\\(dq')}"`
}

// What a reader may want to paste stays as it is: hyphens, quotes, carets and tildes would become others.
function escaped(said: string): string {
  return said
    .replaceAll('\\', '\\(rs')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('’', '\\(cq')
    .replaceAll('‘', '\\(oq')
    .replaceAll('…', '...')
}
