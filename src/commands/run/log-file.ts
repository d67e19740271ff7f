import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { Writable } from 'node:stream'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'

/** A file to which lines are appended, each with the time. */
export interface LogFile {
  /** Takes text of whole lines. What cannot be written is dropped: nobody waits for it, and it is no error. */
  readonly stream: Writable
  /** Resolves when all is in the file, or nothing more can be. */
  close(): Promise<void>
}

/** Bytes that may wait for a slow disk; what comes while there are more is dropped, and counted. */
const MOST_HELD = 8 * 1024 ** 2
/** How long a disk is waited for at the end, in milliseconds. */
const PATIENCE = 5_000

/** Opens a log to append to it. One that cannot be opened is a `UserError`; `warn` is told once when it can no longer be written. */
export async function openLogFile(path: string, warn: (message: string) => void): Promise<LogFile> {
  const file = createWriteStream(path, { flags: 'a' })
  try {
    await once(file, 'open')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UserError(
      `the log file ${printable(path)} cannot be opened: ${printable(reason)}`,
      'name another with --log-file FILE; its folder must be there',
    )
  }
  file.on('error', (error) => warn(`the log file ${printable(path)} is no longer written: ${printable(error.message)}`))
  return { stream: stamped(file), close: () => closed(file) }
}

function stamped(file: WriteStream): Writable {
  let dropped = 0
  const write = (text: string): void => {
    if (file.destroyed || file.errored !== null) return
    const lines = text.split('\n').filter((line) => line !== '')
    if (file.writableLength > MOST_HELD) {
      dropped += lines.length
      return
    }
    const now = `${new Date().toISOString().slice(0, 19)}Z`
    const lost = dropped === 0 ? '' : `${now} (the disk was too slow for ${dropped} lines)\n`
    dropped = 0
    file.write(lost + lines.map((line) => `${now} ${line}\n`).join(''))
  }
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      write(String(chunk))
      done()
    },
  })
}

async function closed(file: WriteStream): Promise<void> {
  if (file.destroyed) return
  await new Promise<void>((resolve) => {
    const late = setTimeout(resolve, PATIENCE)
    file.once('close', () => {
      clearTimeout(late)
      resolve()
    })
    file.end()
  })
}
