import { resolve } from 'node:path'
import { jsonText } from '../checkpoint/json.js'
import { packer, packingOf } from '../engine/output/compression.js'
import type { Sink } from '../engine/session/scan-session.js'
import { verifySink } from '../engine/session/scan-results.js'
import { UserError } from '../errors.js'
import { bytes, row, shellWord } from '../report/format.js'
import { isFolder, placeUrl } from '../job/place.js'
import { differing, NO_VERDICTS } from '../job/verdicts.js'
import type { VerifyJob } from '../job/verify.js'
import { printable } from '../keys.js'
import { scanned } from '../report/scan-progress.js'
import { likenessHeadline, likenessRows } from '../report/verify-summary.js'
import { EXIT } from './run/exit.js'
import type { CommandIo } from './run/io.js'
import { readConnection, readFlag, readText, type Flags } from './options/common-options.js'
import { checkPair, parsePlace } from './options/places.js'
import { checkSlashes } from './options/prefix.js'
import { conclude, readInto, startScan, type Scan } from './run/start-scan.js'

/** `s3move verify SOURCE DESTINATION`. Resolves with the exit code. */
export function verify(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const to = readText(flags, 'to')
  const acl = readFlag(flags, 'acl') ?? false
  const job: VerifyJob = {
    kind: 'verify',
    source: parsePlace(source, 'source'),
    destination: parsePlace(destination, 'destination'),
    deep: readFlag(flags, 'deep') ?? false,
    bytes: readFlag(flags, 'bytes') ?? false,
    fix: readFlag(flags, 'fix') ?? false,
    verbose: readFlag(flags, 'verbose') ?? false,
    ...(acl ? { acl } : {}),
    ...(to === undefined ? {} : { to: resolve(io.cwd, to) }),
  }
  const folder = [job.source, job.destination].find(isFolder)
  if (acl && folder !== undefined) {
    throw new UserError(
      `--acl compares access control lists, and ${placeUrl(folder)} is a folder, which has none`,
      'leave --acl away',
    )
  }
  checkSlashes([job.source, job.destination], [source, destination], flags, io)
  checkPair(job.source, job.destination, readConnection(flags, {}))
  // Refused before any request.
  if (job.to !== undefined) packer(packingOf(job.to))
  const json = readFlag(flags, 'json') ?? false
  return startScan(job, flags, io, (scan) => performVerify(job, scan, json))
}

/** Writes the differences, and on stderr a summary, as `json` if asked for. */
export async function performVerify(job: VerifyJob, scan: Scan, json: boolean): Promise<number> {
  const { progress, quiet } = scan
  const packing = job.to === undefined ? 'plain' : packingOf(job.to)
  const before = scan.checkpoint.scan?.likenesses ?? NO_VERDICTS
  let sink: Sink | undefined
  const ended = await readInto(job.to, scan, (outlet) => (sink = verifySink(job, packing, outlet, before)))
  if (ended.readerGone) return EXIT.failures
  const found = sink?.state().likenesses ?? before
  const complete = ended.end === 'finished'
  if (json) {
    const { source, destination } = job
    const summary = { source: placeUrl(source), destination: placeUrl(destination), complete, objects: ended.listed }
    progress.say(jsonText({ ...summary, ...found }))
  } else if (!quiet) {
    const headline = complete ? `finished: ${likenessHeadline(found)}` : 'found so far:'
    for (const line of [headline, ...likenessRows(found)]) progress.say(line)
    progress.say(row('time', scanned(ended.listed, ended.elapsed)))
    if (complete && job.to !== undefined) progress.say(row('written', `${shellWord(job.to)}, ${bytes(ended.bytes)}`))
    if (found['same-size'] > 0) progress.say(row('hint', hintFor(job)))
    if (complete && ended.listed === 0)
      progress.say(row('hint', 'both sides are empty; are buckets and prefixes right?'))
  }
  if (complete) return differing(found) > 0 ? EXIT.failures : EXIT.done
  return conclude(
    scan,
    ended,
    job.to === undefined ? 'only a part was compared' : `${printable(job.to)}.part is incomplete`,
  )
}

function hintFor({ deep }: VerifyJob): string {
  return deep ? '--bytes reads the content of both sides' : '--deep looks for checksums, --bytes reads the content'
}
