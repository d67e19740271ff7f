import { StorageError, UserError } from '../../errors.js'
import { placeUrl, type Place } from '../../job/place.js'
import { printable } from '../../keys.js'
import { PROBE_FOLDER, ProbeFolder, type FoundRemains, type ProbeRemains } from '../../probe/probe-folder.js'
import { count } from '../../report/format.js'
import { able, type BucketTraits } from '../../storage/storage.js'
import type { CommandIo } from '../options/io.js'
import { sayTo, warnTo } from './attended.js'
import type { Opened } from './open-and-run.js'

/** How long what was written is tried to be deleted, in milliseconds. */
const PATIENCE = 60_000

/** Below which prefix a probe writes that was given `prefix`. */
export function writtenBelow({ bucket }: Place, prefix: string): Place {
  return { bucket, prefix: prefix + PROBE_FOLDER }
}

/**
 * Opens the folder that a probe writes to, and removes what earlier ones left in it. A `UserError` where nothing can be written, where what is written could
 * not be deleted again, and where it could not be looked for.
 */
export async function openWritingPlace(
  below: Place,
  traits: BucketTraits | undefined,
  { ends }: Opened,
  io: CommandIo,
): Promise<ProbeFolder> {
  const url = placeUrl(below)
  refuseLocking(url, traits)
  const place = able(ends.source.beside, 'be written to')(below.prefix, { retryFor: PATIENCE, giveUp: io.abandon })
  const versioned = traits?.versioned !== false || traits.suspended === true
  const folder = new ProbeFolder(place, versioned, io.abandon)
  try {
    tellFound(url, await folder.open(), io)
    return folder
  } catch (error) {
    place.close()
    if (!(error instanceof StorageError)) throw error
    const { operation, message, code, status, hint } = error
    throw new UserError(
      `${url}: ${operation} failed: ${printable(message)} (${printable(code)}${status === undefined ? '' : `, HTTP ${status}`})`,
      hint ?? 'leave --write away to measure by reads alone',
    )
  }
}

function refuseLocking(url: string, traits: BucketTraits | undefined): void {
  const { defaultRetention, mfaDelete } = traits ?? {}
  if (defaultRetention === undefined && mfaDelete !== true) return
  throw new UserError(
    defaultRetention === undefined
      ? `the bucket of ${url} has MFA Delete: what --write writes could not be deleted again`
      : `the bucket of ${url} locks what is written (Object Lock, ${printable(defaultRetention)}): what --write writes could not be deleted again`,
    'measure writes in another bucket of the same store, or leave --write away',
  )
}

function tellFound(url: string, { removed, kept, problem, live, others }: FoundRemains, io: CommandIo): void {
  if (hasAny(removed)) sayTo(io, `removed what an earlier probe had left below ${url}: ${inWords(removed)}`)
  if (hasAny(kept))
    warnTo(io, `${inWords(kept)} of an earlier probe below ${url} could not be removed: ${printable(problem ?? '')}`)
  if (hasAny(live))
    sayTo(
      io,
      `${inWords(live)} below ${url} may be of a probe at work, and stay; where it was killed, a probe some minutes from now removes them`,
    )
  if (others > 0) warnTo(io, `${count(others)} below ${url} are called as no probe calls what it writes, and stay`)
}

function hasAny({ objects, uploads }: ProbeRemains): boolean {
  return objects + uploads > 0
}

/** So many objects and uploads, for a person. */
export function inWords({ objects, uploads }: ProbeRemains): string {
  return [
    ...(objects === 0 ? [] : [objects === 1 ? '1 object' : `${count(objects)} objects`]),
    ...(uploads === 0 ? [] : [uploads === 1 ? '1 open upload' : `${count(uploads)} open uploads`]),
  ].join(', ')
}
