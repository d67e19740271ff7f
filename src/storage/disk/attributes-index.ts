import { constants } from 'node:fs'
import { attributesIn, isSameStamp, type Stamp, type StoredAttributes } from './attributes.js'
import { isMissing } from '../../file-system.js'
import { lineIn } from './attributes-lines.js'
import { close, fstat, lstat, namesIn, openFile, readFully } from './calls.js'
import { changedAt, isSettled } from './files.js'

/** How the names of logs begin, which no other names do. They are in order of age. */
export const LOG = '%log-'

/** Bytes that are read at once. */
const PIECE = 1024 * 1024

const LINE_BREAK = 0x0a

/** A log that is read. */
interface Log {
  readonly name: string
  readonly file: number
  /** Bytes that were read, all of them whole lines. */
  end: number
}

/** A line about a name that counts. */
interface Line {
  readonly log: Log
  readonly at: number
  readonly bytes: number
  /** What counted for this name until then; null when that counts no more. */
  readonly before: Line | null | undefined
}

/**
 * What the logs of a folder (absolute) say of the objects in one folder. Where the lines are is held, one for each name and each that was replaced since. What others
 * have added meanwhile is read before each answer.
 */
export class AttributesIndex {
  /** By name, the latest first; null where none of before count. */
  private readonly latest = new Map<string, Line | null>()
  private logs: Log[] = []
  /** When the folder was last changed, if a further change would show. */
  private changed: number | undefined
  private turn: Promise<void> = Promise.resolve()
  private users = 0
  private dropped = false
  /** Files that are read no more, though somebody may be about to. */
  private readonly retired: number[] = []

  constructor(private readonly folder: string) {}

  /** How many names are held. */
  get size(): number {
    return this.latest.size
  }

  /**
   * The latest attributes of a name that are of this content. Answers `other` when there are only those of other content, `none` when those that
   * are kept elsewhere do not count either, and undefined when no log has the name.
   */
  async of(name: string, content: Stamp): Promise<StoredAttributes | 'other' | 'none' | undefined> {
    return await this.using(async () => {
      let line = this.latest.get(name)
      const isKnown = line !== undefined && line !== null
      for (; line !== undefined && line !== null; line = line.before) {
        const attributes = attributesIn(await textOf(line))
        if (attributes !== undefined && isSameStamp(attributes, content)) return attributes
      }
      return isKnown ? 'other' : line === null ? 'none' : undefined
    })
  }

  /** Calls `visit` for each name with its lines that count, the latest first, each with its line break; and whether those that are kept elsewhere do not. */
  async each(visit: (name: string, lines: readonly string[], alone: boolean) => Promise<void>): Promise<void> {
    await this.using(async () => {
      for (const [name, latest] of this.latest) {
        const lines: string[] = []
        let line: Line | null | undefined = latest
        for (; line !== undefined && line !== null; line = line.before) lines.push(`${await textOf(line)}\n`)
        await visit(name, lines, line === null)
      }
    })
  }

  /** Closes what is open, once nobody uses it. */
  async drop(): Promise<void> {
    this.dropped = true
    await this.closeUnused()
  }

  private async using<T>(work: () => Promise<T>): Promise<T> {
    this.users++
    try {
      const refreshing = this.turn.then(() => this.refresh())
      this.turn = refreshing.catch(() => undefined)
      await refreshing
      return await work()
    } finally {
      this.users--
      await this.closeUnused()
    }
  }

  private async closeUnused(): Promise<void> {
    if (this.users > 0) return
    if (this.dropped) this.forget()
    for (const file of this.retired.splice(0)) await close(file)
  }

  private async refresh(): Promise<void> {
    const stats = await lstat(this.folder)
    const changed = stats === undefined ? 0 : changedAt(stats)
    if (changed !== this.changed) {
      const began = Date.now()
      const names = await logsIn(this.folder)
      if (this.logs.some(({ name }, index) => name !== names[index])) this.forget()
      for (const name of names.slice(this.logs.length)) await this.add(name)
      this.changed = isSettled(changed, began) ? changed : undefined
    }
    for (const log of this.logs) if ((await fstat(log.file)).size > log.end) await this.load(log)
  }

  private async add(name: string): Promise<void> {
    try {
      const file = await openFile(`${this.folder}/${name}`, constants.O_RDONLY | constants.O_NOFOLLOW)
      this.logs.push({ name, file, end: 0 })
    } catch (error) {
      // Whoever took it away put what counts into another one, which the next look finds.
      if (!isMissing(error)) throw error
    }
  }

  private async load(log: Log): Promise<void> {
    let buffer = Buffer.allocUnsafe(PIECE)
    for (;;) {
      const piece = buffer.subarray(0, await readFully(log.file, buffer, log.end))
      let from = 0
      for (let end = piece.indexOf(LINE_BREAK); end >= 0; end = piece.indexOf(LINE_BREAK, from)) {
        this.take(log, log.end + from, piece.toString('latin1', from, end))
        from = end + 1
      }
      log.end += from
      // What comes behind the last line break was cut off, or is being written.
      if (piece.length < buffer.length) return
      if (from === 0) buffer = Buffer.allocUnsafe(2 * buffer.length)
    }
  }

  private take(log: Log, at: number, text: string): void {
    const found = lineIn(text)
    if (found === undefined) return
    const { name, kind } = found
    const before = this.latest.get(name)
    if (kind === 'none') this.latest.set(name, null)
    else if (kind === 'attributes') this.latest.set(name, { log, at, bytes: text.length, before })
    else {
      const line = without(before, log)
      if (line === undefined) this.latest.delete(name)
      else this.latest.set(name, line)
    }
  }

  private forget(): void {
    this.retired.push(...this.logs.map(({ file }) => file))
    this.logs = []
    this.latest.clear()
    this.changed = undefined
  }
}

/** The logs in a folder (absolute), the oldest first. */
export async function logsIn(folder: string): Promise<readonly string[]> {
  return (await namesIn(folder)).filter((name) => name.startsWith(LOG)).sort()
}

async function textOf({ log, at, bytes }: Line): Promise<string> {
  const buffer = Buffer.allocUnsafe(bytes)
  return buffer.toString('latin1', 0, await readFully(log.file, buffer, at))
}

// The lines without the latest one of a log.
function without(line: Line | null | undefined, log: Log): Line | null | undefined {
  if (line === undefined || line === null) return line
  return line.log === log ? line.before : { ...line, before: without(line.before, log) }
}
