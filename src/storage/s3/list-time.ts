import { StorageError } from '../../errors.js'
import { printable } from '../../keys.js'
import { isoTime } from '../../times.js'
import type { Asked } from './storage-errors.js'

/** A listing tells a time that is not understood; `message` is that time as it was listed. */
export class UnreadableTime extends Error {
  override readonly name = 'UnreadableTime'
}

/**
 * A time that a listing tells, as `Date.toISOString` writes it; some stores name no zone, or another one. Throws an UnreadableTime: by a guess objects
 * would be selected or left out that should not.
 */
export function inUtc(time: string): string {
  if (time === '' || (time.length === 24 && time[10] === 'T' && time.endsWith('Z'))) return time
  const utc = isoTime(time)
  if (utc === undefined) throw new UnreadableTime(time)
  return utc
}

/** The error that an UnreadableTime stands for. */
export function unreadableTime(asked: Asked, { message }: UnreadableTime): StorageError {
  return new StorageError(`the time listed as ${printable(message)} is not understood`, {
    ...{ severity: 'stop-run', code: 'UnreadableTime', operation: asked.operation, bucket: asked.bucket },
    hint: 'this store does not write times as S3 does (2026-01-31T12:00:00.000Z), and s3move does not guess; nothing further was done',
  })
}
