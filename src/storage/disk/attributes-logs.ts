import { attributesIn, isSameStamp } from './attributes.js'
import { AttributesIndex, LOG, logsIn } from './attributes-index.js'
import { withdrawal } from './attributes-lines.js'
import { close, fstat, lstat, openFile, rename, sync, writeAll } from './calls.js'
import { isMissing } from '../../file-system.js'
import { removeFile } from './files.js'
import { ASIDE } from './names.js'
import type { Asked } from './storage-errors.js'
import { isLeftBehind, TEMPORARY_FOLDER, temporaryName } from './temporary.js'
import { ATTRIBUTES_SUFFIX, MOST_TRIES, type Tree } from './tree.js'

/** Most logs that are open at once. */
const MOST_OPEN = 64
/** Most folders of which it is remembered which log is ours. */
const MOST_KNOWN = 20_000
/** So many logs whose writers are gone are put together, or each run would leave one more to be read. */
const TOGETHER = 4
/** Bytes that are written at once. */
const PIECE = 1024 * 1024

/** The log of this writer in one folder. */
interface OwnLog {
  /** Absolute. */
  readonly path: string
  file: number | undefined
  end: number
}

/**
 * What is added to the attributes of the objects of a tree, by one writer: each has a log of its own in each folder, so that nobody writes where another one
 * does, and appends to it.
 */
export class AttributesLogs {
  /** By folder of objects. */
  private readonly logs = new Map<string, OwnLog>()
  /** The one that was opened last at the end. */
  private readonly open = new Set<OwnLog>()
  private turn: Promise<unknown> = Promise.resolve()

  constructor(private readonly tree: Tree) {}

  /** Does `work` while no other is done that wants to be alone: a log must not be taken away between a line about an object and the object itself. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work).finally(() => this.shrink())
    this.turn = done.catch(() => undefined)
    return await done
  }

  /**
   * Adds lines about objects of a folder. Resolves once they would outlast a power cut. Those of other folders may be
   * added to at the same time. Only `alone`.
   */
  async append(folder: string, lines: readonly string[], asked: Asked): Promise<void> {
    for (let tries = 0; ; tries++) {
      const log = this.logs.get(folder) ?? (await this.begin(folder, asked))
      try {
        if (await this.add(folder, log, Buffer.from(lines.join(''), 'latin1'))) return
      } catch (error) {
        // What is at its end now is not known.
        await this.leave(folder, log)
        if (tries >= MOST_TRIES || !isMissing(error)) throw error
        this.tree.forget(this.tree.attributesFolder(folder))
      }
    }
  }

  /**
   * Objects of a folder are gone. Says so where this writer has a log, so that it need not be kept for ever what they were; a log for that alone would be
   * one more to be read. Only `alone`.
   */
  async withdraw(folder: string, names: readonly string[], asked: Asked): Promise<void> {
    if (!this.logs.has(folder)) return
    const lines = names.map((name) => withdrawal(name, 'none'))
    await this.append(folder, lines, asked)
  }

  /** A folder has no objects any more: so are its logs gone, but those of others who are at work. Only `alone`. */
  async remove(folder: string): Promise<void> {
    const log = this.logs.get(folder)
    if (log !== undefined) {
      await this.leave(folder, log)
      await removeFile(log.path)
    }
    const path = this.tree.absolute(this.tree.attributesFolder(folder))
    for (const name of await logsIn(path)) {
      if (await isLeftBehind(path, name, ownerOf(name))) await removeFile(`${path}/${name}`)
    }
  }

  // False when the log was taken away meanwhile, and what was added with it.
  private async add(folder: string, log: OwnLog, bytes: Buffer): Promise<boolean> {
    const isNew = log.end === 0
    log.file ??= await openFile(log.path, isNew ? 'wx' : 'r+')
    this.open.add(log)
    await writeAll(log.file, bytes, log.end)
    await sync(log.file)
    if (isNew) await this.tree.sync(this.tree.attributesFolder(folder))
    log.end += bytes.length
    // Some file systems count no names.
    if ((await fstat(log.file)).nlink > 0 || (await lstat(log.path)) !== undefined) return true
    await this.leave(folder, log)
    return false
  }

  private async begin(folder: string, asked: Asked): Promise<OwnLog> {
    const within = this.tree.attributesFolder(folder)
    await this.tree.make(within, asked)
    const path = this.tree.absolute(within)
    const names = await logsIn(path)
    if (names.length >= TOGETHER) await this.putTogether(within, folder, names)
    const log: OwnLog = { path: `${path}/${logName(ageOf(names.at(-1)) + 1)}`, file: undefined, end: 0 }
    this.logs.set(folder, log)
    return log
  }

  // Unless somebody else is at work. What is in none of the others is kept, whatever is killed when.
  private async putTogether(within: string, folder: string, names: readonly string[]): Promise<void> {
    const path = this.tree.absolute(within)
    for (const name of names) if (!(await isLeftBehind(path, name, ownerOf(name)))) return
    const index = new AttributesIndex(path)
    const temporary = this.tree.absolute(`${TEMPORARY_FOLDER}/${temporaryName()}`)
    const file = await openFile(temporary, 'wx')
    try {
      let [at, text] = [0, '']
      const flush = async (): Promise<void> => {
        await writeAll(file, Buffer.from(text, 'latin1'), at)
        at += text.length
        text = ''
      }
      await index.each(async (name, lines, withdrawn) => {
        const line = await lineThatCounts(this.tree.absolute(folder === '' ? name : `${folder}/${name}`), lines)
        if (line !== undefined) text += line
        // It hides those of the first format.
        else if (withdrawn && (await lstat(`${path}/${name}${ATTRIBUTES_SUFFIX}`)) !== undefined) {
          text += withdrawal(name, 'none')
        }
        if (text.length >= PIECE) await flush()
      })
      await flush()
      await sync(file)
      // Another one who does the same may be faster; each of the two has everything.
      await rename(temporary, `${path}/${logName(ageOf(names.at(-1)))}`)
    } finally {
      await close(file)
      await removeFile(temporary)
      await index.drop()
    }
    await this.tree.sync(within)
    for (const name of names) await removeFile(`${path}/${name}`)
  }

  private async shrink(): Promise<void> {
    for (const log of this.open) {
      if (this.open.size <= MOST_OPEN) break
      await this.shut(log)
    }
    for (const [folder, log] of this.logs) {
      if (this.logs.size <= MOST_KNOWN) break
      await this.leave(folder, log)
    }
  }

  private async leave(folder: string, log: OwnLog): Promise<void> {
    this.logs.delete(folder)
    await this.shut(log)
  }

  private async shut(log: OwnLog): Promise<void> {
    const { file } = log
    log.file = undefined
    this.open.delete(log)
    if (file !== undefined) await close(file)
  }
}

// Those of the content that is there; of what is not there, or was changed by others, the latest.
async function lineThatCounts(object: string, lines: readonly string[]): Promise<string | undefined> {
  if (lines.length < 2) return lines[0]
  for (const place of [object, object + ASIDE]) {
    const stats = await lstat(place)
    if (stats?.isFile() !== true) continue
    const content = { size: stats.size, modified: stats.mtimeMs }
    return (
      lines.find((line) => {
        const attributes = attributesIn(line)
        return attributes !== undefined && isSameStamp(attributes, content)
      }) ?? lines[0]
    )
  }
  return lines[0]
}

function logName(age: number): string {
  return `${LOG}${String(age).padStart(DIGITS, '0')}-${temporaryName()}.jsonl`
}

const DIGITS = 10

function ageOf(log: string | undefined): number {
  return log === undefined ? 0 : Number.parseInt(log.slice(LOG.length), 10) || 0
}

function ownerOf(log: string): string {
  return log.slice(LOG.length + DIGITS + 1)
}
