import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { UserError } from '../errors.js'
import type { Failure } from '../job/outcome.js'
import { printable } from '../keys.js'
import { checkCount, Mismatch, shape, text, type Check } from '../job/schema.js'
import { systemCode } from '../file-system.js'
import { reasonOf } from './checkpoint-error.js'
import { jsonText, parseJson } from './json.js'
import { shownLedger } from './mounts.js'

/** The byte that ends every line of a ledger, and occurs nowhere else in it. */
export const NEWLINE = 0x0a

/** Longer lines are refused, so that a damaged file cannot fill the memory. */
const LONGEST_LINE = 1024 * 1024

/** Longer messages are cut: a proxy may answer with a whole web page. */
const LONGEST_MESSAGE = 4096

/** A ledger as messages name it. */
export function ledgerName(path: string): string {
  return `the ${basename(path).startsWith('failures') ? 'failure ledger' : 'ledger'} ${printable(shownLedger(path))}`
}

/**
 * The lines of a ledger from byte `start` on, up to byte `end` where that is given, without their ends, in bounded memory. Throws a UserError when no line begins at
 * `start`, when the last one is cut, and when the file cannot be read.
 */
export async function* ledgerLines(
  path: string,
  start: number,
  end = Infinity,
): AsyncGenerator<Buffer, void, undefined> {
  // From the byte before, which proves that a line begins here.
  const chunks: AsyncIterable<Buffer> = createReadStream(path, { start: Math.max(0, start - 1), end: end - 1 })
  let proven = start === 0
  let line = 0
  let rest: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of chunks) {
      let from = 0
      if (!proven) {
        proven = chunk[0] === NEWLINE
        if (!proven) throw damaged(path, 1, start, 'does not begin there')
        from = 1
      }
      for (let to = chunk.indexOf(NEWLINE, from); to >= 0; to = chunk.indexOf(NEWLINE, from)) {
        rest.push(chunk.subarray(from, to))
        line++
        yield Buffer.concat(rest)
        rest = []
        length = 0
        from = to + 1
      }
      rest.push(chunk.subarray(from))
      length += chunk.length - from
      if (length > LONGEST_LINE) throw damaged(path, line + 1, start, 'is longer than any that s3move writes')
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    throw new UserError(`cannot read ${ledgerName(path)}: ${reasonOf(error)}`)
  }
  if (length > 0) throw damaged(path, line + 1, start, 'is cut short')
  if (!proven) throw damaged(path, 1, start, 'is missing')
}

/** The fields of a failure and what they must be. */
export const FAILURE_FIELDS = {
  required: { key: text, operation: text, code: text, message: text, attempts: checkCount, time: text },
  optional: {
    ...{ version: text, size: checkCount, etag: text, storageClass: text, lastModified: text },
    ...{ status: checkCount, requestId: text },
  },
}

const checkFailure = shape<Failure>(FAILURE_FIELDS.required, FAILURE_FIELDS.optional)

/** Reads one line of a failure ledger, as `parseEntry` does. */
export function parseLine(bytes: Buffer, path: string, line: number, fromByte: number): Failure {
  return parseEntry(checkFailure, bytes, path, line, fromByte)
}

/**
 * Reads one line, the `line`th after byte `fromByte`, which with `path` is only for messages. Throws a UserError when it is
 * not what `check` asks for.
 */
export function parseEntry<T>(check: Check<T>, bytes: Buffer, path: string, line: number, fromByte: number): T {
  let value: unknown
  try {
    value = parseJson(bytes)
  } catch {
    throw damaged(path, line, fromByte, 'is not JSON')
  }
  try {
    return check(value, '')
  } catch (error) {
    if (error instanceof Mismatch) throw damaged(path, line, fromByte, `is damaged: ${error.message}`)
    throw error
  }
}

function damaged(path: string, line: number, fromByte: number, what: string): UserError {
  const where = fromByte === 0 ? `line ${line}` : `line ${line} after byte ${fromByte}`
  return new UserError(`${where} of ${ledgerName(path)} ${what}`, 'Was it edited? Restore the file from a copy.')
}

/** A failure as one line, its end included; messages of more than 4,096 characters are cut. */
export function lineOf(failure: Failure): string {
  const { message } = failure
  const short = message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE - 1)}…` : message
  return `${jsonText({ ...failure, message: short })}\n`
}
