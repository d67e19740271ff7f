import { open, type FileHandle } from 'node:fs/promises'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import { parseJson } from '../../checkpoint/json.js'
import { UserError } from '../../errors.js'
import type { Probed } from '../../job/probed.js'
import { printable } from '../../keys.js'
import type { PastProbe } from '../../report/pages/probe-page.js'
import { timeOf } from '../../times.js'

/** How each line of a history begins. */
const BEGINNING = '{"schema":"s3move/1","type":"probe"'
/** Bytes that are looked at for the end of the last whole line: a line has some kilobytes. */
const TAIL = 1024 * 1024

/**
 * Makes sure that a file is a history of probes, or is not there: one that is something else is a `UserError`. A last line that a kill or a full disk has cut
 * is taken away.
 */
export async function checkHistory(path: string): Promise<void> {
  await withFile(path, 'a+', () => Promise.resolve())
  await withFile(path, 'r+', async (file) => {
    const { size } = await file.stat()
    if (size === 0) return
    const head = await bytesOf(file, 0, Math.min(size, BEGINNING.length))
    if (!BEGINNING.startsWith(head)) {
      throw new UserError(
        `${printable(path)} is no history of probes: it begins otherwise`,
        'name another file with --history; one that is not there is made',
      )
    }
    const from = Math.max(0, size - TAIL)
    const tail = await bytesOf(file, from, size - from)
    if (tail.endsWith('\n')) return
    const last = tail.lastIndexOf('\n') + 1
    if (last === 0 && from > 0) {
      throw new UserError(
        `${printable(path)} is no history of probes: its last line is ${size - from} bytes long and has no end`,
        'name another file with --history',
      )
    }
    if (isWhole(tail.slice(last))) await file.write('\n', size)
    else await file.truncate(from + last)
  })
}

/** The times to the first byte of the probes of a place that a history has, in its order. What is no such line is passed over. */
export async function pastProbes(
  path: string,
  { source, host }: Pick<Probed, 'source' | 'host'>,
): Promise<PastProbe[]> {
  const found: PastProbe[] = []
  await withFile(path, 'r', async (file) => {
    for await (const line of file.readLines({ autoClose: false })) {
      const told = pastProbe(line)
      if (told?.source === source && told.host === host) found.push({ at: told.at, firstByte: told.firstByte })
    }
  })
  return found
}

function pastProbe(line: string): (PastProbe & Pick<Probed, 'source' | 'host'>) | undefined {
  let told: { began?: unknown; source?: unknown; host?: unknown; rows?: unknown }
  try {
    told = parseJson(line) as typeof told
  } catch {
    return undefined
  }
  const { began, source, host, rows } = told
  if (typeof began !== 'string' || typeof source !== 'string' || typeof host !== 'string' || !Array.isArray(rows))
    return undefined
  const row = (rows as readonly (PastRow | null)[]).find((one) => one?.operation === 'GetObject' && one.samples > 0)
  const [at, firstByte] = [timeOf(began), row?.firstByteMs?.p50]
  return Number.isNaN(at) || typeof firstByte !== 'number' ? undefined : { at, firstByte, source, host }
}

interface PastRow {
  readonly operation: string
  readonly samples: number
  readonly firstByteMs?: { readonly p50?: number }
}

/** Appends one record, which is on the disk when it resolves. */
export async function appendHistory(path: string, record: string): Promise<void> {
  await withFile(path, 'a', async (file) => {
    await file.write(`${record}\n`)
    await file.datasync()
  })
}

// One byte a character: where a line ends does not depend on what is in it.
async function bytesOf(file: FileHandle, from: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from)
  return buffer.toString('latin1', 0, bytesRead)
}

function isWhole(line: string): boolean {
  try {
    parseJson(line)
    return true
  } catch {
    return false
  }
}

async function withFile(path: string, flags: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    const file = await open(path, flags)
    try {
      await work(file)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(
      `the history ${printable(path)} cannot be written: ${reasonOf(error)}`,
      'name another file with --history; its folder must be there',
    )
  }
}
