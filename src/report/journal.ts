import { Writable } from 'node:stream'
import type { Paint } from './paint.js'

// Control characters, of which text that is fit for a terminal has none.
const BAD = '\x01'
const WARNING = '\x02'

/** Marks text by what it tells, for `journalLines`. */
export const MARKED: Paint = (tone, text) => {
  if (tone === 'bad') return BAD + text
  return tone === 'warning' ? WARNING + text : text
}

/**
 * A stream that takes text of whole lines, marked by `MARKED`, and writes them to `stream` as the journal of systemd reads them: the priority of
 * syslog before each (sd-daemon(3)), 3 for what is bad, 4 for what warns, 6 for all else. A line that is indented belongs to the one before it.
 */
export function journalLines(stream: Pick<NodeJS.WritableStream, 'write'>): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      let priority = 6
      const lines = String(chunk)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const own = line.includes(BAD) ? 3 : line.includes(WARNING) ? 4 : 6
          priority = line.startsWith(' ') ? Math.min(priority, own) : own
          return `<${priority}>${line.replace(MARKS, '')}\n`
        })
      if (lines.length > 0) stream.write(lines.join(''))
      done()
    },
  })
}

const MARKS = new RegExp(`[${BAD}${WARNING}]`, 'g')
