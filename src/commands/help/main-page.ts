import { ALWAYS } from '../options/exit.js'
import { COMMAND_GROUPS, commandsNamed, commandName, type Command, type Commands } from '../options/command.js'
import { exitRows } from './command-page.js'
import { clauseOf, paragraphs, rows, section, type HelpRow } from './layout.js'
import { TOPICS } from './topics.js'

/** What the program is, in a sentence. */
export const PURPOSE = 'Copies, compares and deletes S3 objects and changes headers in bulk; resumable.'

/** Command lines for a first day. */
export const EXAMPLES: readonly HelpRow[] = [
  ['s3move copy s3://photos s3://photos-eu --dry-run', 'what a copy would do'],
  ['s3move copy s3://photos s3://photos-eu', 'copy a bucket'],
  ['s3move resume', 'go on after Ctrl-C, a crash or an outage'],
  ['s3move verify s3://photos s3://photos-eu', 'prove that nothing is missing'],
  ['s3move ls s3://photos --format csv --to photos.csv.gz', 'an inventory'],
  ['s3move sandbox src:hex:100k dst', 'try all of it without an account'],
]

/** What commands end with, taken together. */
export const ALL_EXITS = {
  ...ALWAYS,
  3: 'finished, but some objects failed, differ (verify), or were not deleted though --delete was given (sync)',
  4: 'stopped by something that affects every object; resumable',
  130: 'interrupted; resumable',
}

/** Commands that share a row where a screen has no more of them: the name that stands there, and what it says. */
const TOGETHER: ReadonlyMap<string, HelpRow | undefined> = new Map([
  ['set-headers', ['set-headers', 'headers in place; set-tags, set-storage-class, set-encryption']],
  ['set-tags', undefined],
  ['set-storage-class', undefined],
  ['set-encryption', undefined],
  ['runs', ['run, runs', 'start a job of s3move.yaml by its name; the runs here, clear some away']],
  ['run', undefined],
  ['watch', ['watch, report', 'a live page of a run in a browser, and metrics; all of it in the end']],
  ['report', undefined],
  ['ls', ['ls, du, head', 'write every key; count objects and bytes; all that is known of one object']],
  ['du', undefined],
  ['head', undefined],
  ['check', ['check, probe', 'credentials, region, clock, permissions; how fast a store is']],
  ['probe', undefined],
])

/** The commands on a screen of 80 columns. */
export async function shortMainPage(all: Commands, width: number): Promise<string> {
  const sections = (await commandSections(all))
    .filter(([heading]) => heading !== COMMAND_GROUPS.help)
    .map(([heading, commands]): readonly [string, HelpRow[]] => [
      heading,
      commands.flatMap((one) => {
        const shared = TOGETHER.has(one[0]) ? TOGETHER.get(one[0]) : one
        return shared === undefined ? [] : [shared]
      }),
    ])
  const wide = Math.max(...sections.flatMap(([, commands]) => commands.map(([name]) => name.length)))
  const brief = (text: string): string => (text.length + wide + 4 <= width ? text : clauseOf(text))
  const listed = sections.map(
    ([heading, commands]) =>
      `${heading}\n${rows(
        commands.map(([name, text]) => [name.padEnd(wide), brief(text)]),
        width,
      )}`,
  )
  return [
    // What the program is the commands say, and a screen has no room for more than them.
    ...listed,
    'options of a command: s3move COMMAND -h; examples and more: s3move --help\n',
  ].join('')
}

/** The commands by what they are for, examples, topics and exit codes. */
export async function longMainPage(all: Commands, width: number): Promise<string> {
  const sections = await commandSections(all)
  const wide = Math.max(...sections.flatMap(([, commands]) => commands.map(([name]) => name.length)))
  const options: HelpRow[] = [
    ['s3move COMMAND -h', 'a command and its everyday options, on one screen'],
    ['s3move COMMAND --help', 'all of its options; so does s3move help COMMAND'],
    ['s3move help TOPIC', `one of: ${[...TOPICS.keys()].join(', ')}`],
    ['s3move --version', 'the version; so do -V and s3move version'],
  ]
  return [
    `s3move COMMAND [ARGUMENT..] [OPTION..]\n\n`,
    paragraphs(PURPOSE, width),
    ...sections.map(([heading, commands]) =>
      section(
        heading,
        rows(
          commands.map(([name, text]) => [name.padEnd(wide), text]),
          width,
        ),
      ),
    ),
    section('Examples:', rows(EXAMPLES, width)),
    section('More help:', rows(options, width)),
    section('Exit codes:', rows(exitRows(ALL_EXITS), width)),
  ].join('')
}

/** The names and summaries of the commands by the headings they stand under. */
export async function commandSections(all: Commands): Promise<(readonly [heading: string, commands: HelpRow[]])[]> {
  const commands = await commandsNamed('', all)
  const summary = (command: Command): HelpRow => [commandName(command), command.summary]
  return Object.entries(COMMAND_GROUPS)
    .map(([group, heading]) => [heading, commands.filter((one) => one.group === group).map(summary)] as const)
    .filter(([, rows]) => rows.length > 0)
}
