import { resolve } from 'node:path'
import type { Argv } from './argv.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { isFolder, placeUrl, type Place, type Side } from '../../job/place.js'
import { keyBytes, LONGEST_KEY, printable } from '../../keys.js'
import { shellWord } from '../../report/format.js'

const ARN = /^(arn:[^/]+:accesspoint[/:][^/]+)(?:\/(.*))?$/s
const NAME = /^([^/]*)(?:\/(.*))?$/s
const EXAMPLE = 'write s3://bucket or s3://bucket/prefix'
const EITHER = `${EXAMPLE}, or file:///folder for a folder of this machine`
const A_PATH = /^(?:\/|\.{1,2}(?:\/|$))/

/** The arguments of the jobs between two places. */
export function placeArguments(argv: Argv): Argv {
  return anySource(argv).positional('destination', { type: 'string', describe: ANY_PLACE, demandOption: true })
}

/** The arguments of a comparison: two places, or the folder of a run. */
export function comparedArguments(argv: Argv): Argv {
  return argv
    .positional('source', { type: 'string', describe: `${ANY_PLACE}; or DIR, the folder of a run`, demandOption: true })
    .positional('destination', { type: 'string', describe: ANY_PLACE })
}

/** The argument of the jobs that read one place. */
export function anySource(argv: Argv): Argv {
  return argv.positional('source', { type: 'string', describe: ANY_PLACE, demandOption: true })
}

/** The argument of the jobs that change a bucket in place. */
export function bucketSource(argv: Argv): Argv {
  return argv.positional('source', {
    type: 'string',
    describe: 's3://bucket or s3://bucket/prefix',
    demandOption: true,
  })
}

const ANY_PLACE = 's3://bucket, s3://bucket/prefix or file:///folder'

/** Reads `s3://bucket[/prefix]` as `parseBucket` does, or `file:///folder`. `role` names the argument in the error. */
export function parsePlace(text: string, role: string): Place {
  if (text.startsWith('file:')) return parseFolder(text, role)
  const meant = A_PATH.test(text)
    ? `write ${shellWord(`file://${resolve(text)}`)} for that folder, or s3://bucket/prefix`
    : EITHER
  return parseBucket(text, role, meant)
}

// The path is taken as it is, with nothing to be decoded: shells put it together from variables.
function parseFolder(text: string, role: string): Place {
  const [, path] = /^file:\/\/(\/.*)$/s.exec(text) ?? []
  const bucket = path === undefined ? '/' : resolve(path)
  if (bucket !== '/' && !bucket.includes('\0')) return { bucket, prefix: '' }
  checkSecret(text, role)
  throw new UserError(
    `the ${role} ${printable(text)} names no folder by its whole path`,
    'write file:///folder, with three slashes, such as file:///backup/photos or "file://$PWD/photos"',
  )
}

// Before anything is said of it: what stands before an @ is not to be shown.
function checkSecret(text: string, role: string): void {
  const [, before = ''] = /^(?:[a-z0-9]+:\/\/+)?([^/]*)/is.exec(text) ?? []
  if (before.startsWith('arn:') || !(before.includes('@') || (before.includes(':') && text.includes('@')))) return
  throw new UserError(
    `the ${role} has what may be a user name or password, before an @, in the place of a bucket, which S3 cannot have`,
    `${EXAMPLE}; credentials come from the AWS environment variables and config files`,
  )
}

/** Reads `s3://bucket[/prefix]`, or an access point's ARN in place of the bucket. `role` names the argument in the error. */
export function parseBucket(text: string, role: string, example = EXAMPLE): Place {
  if (text.startsWith('file:')) {
    throw new UserError(`the ${role} ${printable(text)} is a folder, and this is for buckets alone`, example)
  }
  checkSecret(text, role)
  if (!text.startsWith('s3://')) throw new UserError(`the ${role} ${printable(text)} is not an S3 URL`, example)
  const rest = text.slice(5)
  const [, bucket = '', prefix = ''] = ARN.exec(rest) ?? NAME.exec(rest) ?? []
  if (bucket === '') throw new UserError(`the ${role} ${printable(text)} names no bucket`, EXAMPLE)
  if (!bucket.startsWith('arn:') && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(bucket)) {
    throw new UserError(
      `the ${role} ${printable(text)} names a bucket that S3 cannot have: letters, digits, dots, hyphens and underscores only`,
      EXAMPLE,
    )
  }
  if (keyBytes(prefix) > LONGEST_KEY) {
    throw new UserError(
      `the prefix of the ${role} has ${keyBytes(prefix)} bytes, and no key is longer than 1,024`,
      EXAMPLE,
    )
  }
  return { bucket, prefix }
}

/** Reads `s3://bucket/key`: the place of one object, whose key is the whole prefix. `role` and `flag` name the argument in the error. */
export function parseObject(text: string, role: string, flag: string): Place {
  const example = `write ${flag} s3://bucket/key, the whole key`
  const place = parseBucket(text, role, example)
  if (place.prefix !== '' && !place.prefix.endsWith('/')) return place
  throw new UserError(`the ${role} ${printable(text)} names ${place.prefix === '' ? 'no object' : 'a folder'}`, example)
}

/**
 * Refuses pairs of places between which a copy would be a mistake: those that `checkInOneBucket` refuses, where they have one name. Where
 * `connection` reaches the two sides in different ways, equal names may mean different things, which is known only when they have answered.
 */
export function checkPair(source: Place, destination: Place, connection: Connection = {}, deletes = false): void {
  checkReach('source', source, connection)
  checkReach('destination', destination, connection)
  if (isFolder(source) || isFolder(destination)) {
    checkFolderPair(source, destination)
    return
  }
  if (source.bucket === destination.bucket && !mayDiffer(connection)) checkInOneBucket(source, destination, deletes)
}

// A folder is reached in one way.
function checkReach(side: Side, place: Place, connection: Connection): void {
  if (!isFolder(place) || connection[side] === undefined) return
  throw new UserError(`--${side}-… is for a bucket, and the ${side} is a folder`, `leave --${side}-… away`)
}

/** Refuses two places in one bucket of which one is the other or lies in it, where that would be a mistake; it is one to delete what is extra in both cases. */
export function checkInOneBucket(source: Place, destination: Place, deletes: boolean): void {
  const [from, to] = [placeUrl(source), placeUrl(destination)]
  // The same bucket may have two names, and be reached in two ways.
  const both = from === to ? from : `${from} is ${to}`
  if (source.prefix === destination.prefix) {
    throw new UserError(`source and destination are the same: ${both}`, 'copy to another bucket or prefix')
  }
  if (destination.prefix.startsWith(source.prefix)) {
    throw new UserError(
      `the destination ${to} lies inside the source ${from}: the copy would find its own copies`,
      'copy to a prefix outside the source, or to another bucket',
    )
  }
  if (deletes && source.prefix.startsWith(destination.prefix)) {
    throw new UserError(
      `the source ${from} lies inside the destination ${to}: --delete would delete the source`,
      'leave --delete away, or synchronise with another bucket or prefix',
    )
  }
}

function checkFolderPair(source: Place, destination: Place): void {
  if (!isFolder(source) || !isFolder(destination)) return
  for (const [one, other] of [
    [source, destination],
    [destination, source],
  ] as const) {
    if (!`${one.bucket}/`.startsWith(`${other.bucket}/`)) continue
    throw new UserError(
      `of ${placeUrl(source)} and ${placeUrl(destination)} one is the other, or lies in it`,
      'copy to a folder beside it',
    )
  }
}

function mayDiffer(connection: Connection): boolean {
  const [from, to] = [connectionOf(connection, 'source'), connectionOf(connection, 'destination')]
  return from.endpointUrl !== to.endpointUrl || from.profile !== to.profile
}
