import { UserError } from '../errors.js'
import type { DeleteJob } from '../job/delete.js'
import { placeUrl, type Place } from '../job/place.js'
import { printable } from '../keys.js'
import { shellWord } from '../report/format.js'
import type { Command } from './options/command.js'
import { EXIT_TABLE } from './options/exit.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { booleanFlag, grouped, readArgument, readFlag, textFlag } from './options/flag-values.js'
import { unless, type CommandIo } from './options/io.js'
import { DELETE_PACE } from './options/pace-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { prefixFlags, readPrefixAs } from './options/prefix.js'
import { freshFlags, runFlags } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import type { Prepare } from './run/start-write.js'

export const command: Command = {
  usage: 'delete <source>',
  summary: 'delete every object below a prefix',
  help:
    '$0 delete s3://bucket[/prefix]\n\nDeletes every object below the prefix, a thousand to a request (DeleteObjects). Asks for the name of the bucket first.\n' +
    'In a bucket that keeps versions each object gets a delete marker, and its versions stay, unless --all-versions says otherwise.',
  options: [
    ...[listFlags, selectionFlags, prefixFlags, runFlags],
    (argv) =>
      grouped(argv.option('yes', booleanFlag('do not ask for the name of the bucket')), 'Objects:', {
        'all-versions': booleanFlag('each object with all of its versions and delete markers'),
      }).options({
        concurrency: textFlag('objects in flight at once, a thousand to a request', `${DELETE_PACE.concurrency}`),
        lanes: textFlag('key ranges listed at once', `${DELETE_PACE.lanes}`),
      }),
    bucketSource,
    (argv) => argv.group(['yes'], 'Run:'),
    freshFlags,
  ],
  examples: [
    ['$0 delete s3://logs/2019/ --dry-run', 'how many objects, how many bytes'],
    ['$0 delete s3://logs/2019/ --yes', 'without a question, for scripts'],
  ],
  epilogue: EXIT_TABLE,
  async run(flags, io) {
    const place = parseBucket(readArgument(flags, 'source'), 'place')
    const job: DeleteJob = {
      kind: 'delete',
      source: place,
      ...readPrefixAs(place, flags),
      ...(await readKeyListOf(flags, io.cwd)),
      ...readObjects(flags),
      ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
    }
    if (job.list !== undefined && job.versions === true) {
      throw new UserError(
        '--all-versions does not go with --files-from',
        'a list may name the versions that are to be deleted; without a list all are found by listing',
      )
    }
    const asks = readFlag(flags, 'yes') !== true && readFlag(flags, 'dry-run') !== true
    if (asks && (io.stdin.isTTY !== true || io.stderr.isTTY !== true)) {
      throw new UserError(
        `${whatOf(job)} would be deleted, and there is no terminal to ask whether that is meant`,
        'add --yes if it is; --dry-run says how many objects these are',
      )
    }
    const { begin } = await import('./run/start-write.js')
    return await begin(job, flags, io, asks ? asking(job, io) : undefined)
  },
}

/** Asks for the name of the bucket before anything is deleted. */
function asking(job: DeleteJob, io: CommandIo): Prepare {
  return async ({ ends }) => {
    if (job.versions === true) {
      await confirm(job, 'All versions and delete markers go with it, and nobody can bring them back.', io)
      return
    }
    const { versioned } = await ends.source.traits()
    const after =
      versioned === true
        ? 'The bucket keeps versions: each object gets a delete marker, and its versions stay.'
        : 'Nobody can bring them back.'
    await confirm(job, after, io)
  }
}

/** Resolves when the name of the bucket was typed, else throws a UserError. `consequence` is told with the question. */
export async function confirm(
  job: Pick<DeleteJob, 'source' | 'list'>,
  consequence: string,
  io: CommandIo,
): Promise<void> {
  const { bucket } = job.source
  io.stderr.write(`${whatOf(job)} is to be deleted. ${consequence}\n`)
  const { createInterface } = await import('node:readline/promises')
  const question = createInterface({ input: io.stdin, output: io.stderr, terminal: false })
  try {
    const ended = new Promise<string>((resolve) => {
      question.once('close', () => resolve(''))
      // A terminal that was closed cannot be read from.
      question.once('error', () => resolve(''))
    })
    const asked = question.question('Type the name of the bucket to go on: ')
    const answer = await unless(io.stop, Promise.race([asked, ended]))
    if (answer.trim() === bucket) return
  } finally {
    question.close()
  }
  throw new UserError(
    `that is not the name of the bucket (${printable(bucket)}): nothing was deleted`,
    'give the same command again',
  )
}

function whatOf({ source, list }: Pick<DeleteJob, 'source' | 'list'>): string {
  return list === undefined ? everything(source) : `what ${shellWord(list.file)} names of ${placeUrl(source)}`
}

function everything(place: Place): string {
  return place.prefix === ''
    ? `every object of ${placeUrl({ bucket: place.bucket })}`
    : `every object whose key begins with ${placeUrl(place)}`
}
