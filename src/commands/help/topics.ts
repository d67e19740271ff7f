import { declarationsOf, type Command, type Commands } from '../options/command.js'
import { PLACEHOLDERS } from '../options/placeholders.js'
import { paragraphs, rows, section } from './layout.js'
import { headedRows } from './option-rows.js'

/** Something that concerns several commands. */
interface Topic {
  readonly summary: string
  /** Sentences, a paragraph a line. */
  readonly text: string
  /** The command of which options are shown, and how the headings of these begin. */
  readonly options?: readonly [command: string, ...headings: string[]]
  /** The page of the package with more. */
  readonly page: string
}

/** By their names, in the order of the help. */
export const TOPICS: ReadonlyMap<string, Topic> = new Map<string, Topic>(
  Object.entries({
    filters: {
      summary: 'which objects, by key, size, date and class',
      text:
        'All that is given must hold. Of --include and --exclude the last that matches decides, and an object that none matches is in: ' +
        "--exclude '*' --include '*.jpg' takes the JPEGs alone.\n" +
        'In a glob * is any characters, slashes too, ? is one, [a-z] one of these, [!a-z] none of these. Globs and expressions are matched with the key below the prefix.\n' +
        'In place of a listing a file can name the objects, with --files-from.',
      options: ['copy', 'Which objects', 'Objects that a file names', 'Prefixes'],
      page: 'filters.md',
    },
    copies: {
      summary: 'what copies keep, and what else they can have',
      text: 'A copy has the content, metadata, tags and storage class of its source. What else it is to keep, or to have in place of that, is said with these.',
      options: ['copy', 'Names of the copies', 'Headers', 'What copies have', 'Archived objects'],
      page: 'what-a-copy-keeps.md',
    },
    speed: {
      summary: 'how much at once, how long, how often again',
      text:
        'Nothing has to be set: what a store throttles is slowed down and sped up by itself.\n' +
        '--concurrency is what counts for many small objects: raise it where answers take long. --lanes is for listing. --threads is for the processor: it is right by itself.\n' +
        'What may pass (a timeout, a 503) is tried again for --retry-for, beginning soon and then less and less often.',
      options: ['copy', 'Speed and failures'],
      page: 'performance.md',
    },
    connection: {
      summary: 'credentials, regions, endpoints, certificates',
      text:
        'Credentials, region and endpoint come from the environment and the config files of AWS, as in the AWS CLI: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3, ~/.aws/config.\n' +
        'Where source and destination are reached in different ways, each has options of its own.',
      options: ['copy', 'Connection'],
      page: 'configuration.md',
    },
    runs: {
      summary: 'checkpoints, interrupting and resuming',
      text:
        'What changes objects is a run. It keeps how far it came in a folder below .s3move/ of the working directory, so that nothing is lost when it is interrupted or killed: s3move resume goes on.\n' +
        'Ctrl-C ends it in order; once more at once. s3move status shows what is done and what remains. What could not be done is in failures.ndjson of the folder, and s3move resume --only-failed tries that again.',
      options: ['copy', 'Run', 'Output'],
      page: 'runs-and-resume.md',
    },
    values: {
      summary: 'what the words in capitals stand for, as in --lanes N',
      text: 'A value stands behind its option, or behind = (--size=-5G; so it must be where it begins with a hyphen).',
      page: 'configuration.md',
    },
  } satisfies Record<string, Topic>),
)

/** A topic as text. */
export async function topicPage(
  name: string,
  { text, options, page }: Topic,
  all: Commands,
  width: number,
): Promise<string> {
  const said = paragraphs(text, width)
  const values = name === 'values' ? section('Values:', rows(Object.entries(PLACEHOLDERS), width)) : ''
  return `${said}${values}${options === undefined ? '' : await optionsOf(options, all, width)}\nMore: docs/${page} of the package\n`
}

async function optionsOf(
  [name, ...headings]: NonNullable<Topic['options']>,
  all: Commands,
  width: number,
): Promise<string> {
  const command: Command | undefined = (await all.get(name)?.())?.command
  if (command === undefined) return ''
  return headedRows(declarationsOf(command))
    .filter(([heading]) => headings.some((one) => heading.startsWith(one)))
    .map(([heading, options]) => section(heading, rows(options, width)))
    .join('')
}
