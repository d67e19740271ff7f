import { createInterface } from 'node:readline/promises'
import { UserError } from '../errors.js'
import { placeUrl } from '../format.js'
import type { DeleteJob, Place } from '../job.js'
import { printable } from '../keys.js'
import { begin, type Prepare } from './begin.js'
import { unless, type CommandIo } from './io.js'
import { readFlag, type Flags } from './options.js'
import { parsePlace } from './place.js'
import { readObjects } from './selection-options.js'

/** `s3move delete SOURCE`. Resolves with the exit code. */
export async function deleteObjects(source: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: DeleteJob = { kind: 'delete', source: parsePlace(source, 'place'), ...readObjects(flags) }
  const asks = readFlag(flags, 'yes') !== true && readFlag(flags, 'dry-run') !== true
  if (asks && (io.stdin.isTTY !== true || io.stderr.isTTY !== true)) {
    throw new UserError(
      `${everything(job.source)} would be deleted, and there is no terminal to ask whether that is meant`,
      'add --yes if it is; --dry-run says how many objects these are',
    )
  }
  return await begin(job, flags, io, asks ? asking(job, io) : undefined)
}

/** Asks for the name of the bucket before anything is deleted. */
function asking({ source }: DeleteJob, io: CommandIo): Prepare {
  return async ({ ends }) => {
    const { versioned } = await ends.source.traits()
    const after =
      versioned === true
        ? 'The bucket keeps versions: each object gets a delete marker, and its versions stay.'
        : 'Nobody can bring them back.'
    await confirm(source, after, io)
  }
}

/** Resolves when the name of the bucket was typed, else throws a UserError. `consequence` is told with the question. */
export async function confirm(place: Place, consequence: string, io: CommandIo): Promise<void> {
  io.stderr.write(`${everything(place)} is to be deleted. ${consequence}\n`)
  const question = createInterface({ input: io.stdin, output: io.stderr, terminal: false })
  try {
    const ended = new Promise<string>((resolve) => question.once('close', () => resolve('')))
    const asked = question.question('Type the name of the bucket to go on: ')
    const answer = await unless(io.stop, Promise.race([asked, ended]))
    if (answer.trim() === place.bucket) return
  } finally {
    question.close()
  }
  throw new UserError(
    `that is not the name of the bucket (${printable(place.bucket)}): nothing was deleted`,
    'give the same command again',
  )
}

function everything(place: Place): string {
  return place.prefix === ''
    ? `every object of ${printable(`s3://${place.bucket}`)}`
    : `every object whose key begins with ${placeUrl(place)}`
}
