import { open, rm } from 'node:fs/promises'
import { compareKeys } from '../../keys.js'

/** What is sorted: by `key`, in the byte order of UTF-8. `line` stands for it in a file, and has no line feed. */
export interface Sortable {
  readonly key: string
  readonly line: string
}

/** How much may be held while it is sorted. */
export interface SortLimits {
  /** What is sorted at once, in bytes, as far as these can be told. */
  readonly memory: number
  /** Files that are merged at once. */
  readonly files: number
  /** What is read of each of them at once, in bytes. */
  readonly piece: number
}

/** With these the program takes less than 300 MB, whatever there is to be sorted. */
export const SORT_LIMITS: SortLimits = { memory: 16 * 1024 ** 2, files: 128, piece: 64 * 1024 }

/** What a sort needs. */
export interface SortOptions {
  /** The path of the n-th file that it makes (mode 0600). It removes those that it is done with. */
  readonly pathOf: (n: number) => string
  /** The key of a line. */
  readonly keyOf: (line: string) => string
  readonly limits?: SortLimits
}

/** The same in order. What has one key comes together, in no order. What cannot be written or read is a system error, and files may be left then. */
export async function* externallySorted(
  input: AsyncIterable<readonly Sortable[]>,
  { pathOf, keyOf, limits = SORT_LIMITS }: SortOptions,
): AsyncGenerator<readonly Sortable[], void, undefined> {
  const runs: string[] = []
  let made = 0
  const write = async (sorted: Iterable<readonly Sortable[]> | AsyncIterable<readonly Sortable[]>): Promise<void> => {
    const path = pathOf(made++)
    await writeLines(path, sorted)
    runs.push(path)
  }
  let held: Sortable[] = []
  let size = 0
  for await (const some of input) {
    for (const one of some) {
      held.push(one)
      size += bytesOf(one)
      if (size < limits.memory) continue
      await write([sorted(held)])
      held = []
      size = 0
    }
  }
  if (runs.length === 0) {
    yield sorted(held)
    return
  }
  if (held.length > 0) await write([sorted(held)])
  held = []
  const merge = async function* (paths: readonly string[]): AsyncGenerator<readonly Sortable[], void, undefined> {
    const readers = paths.map((path) => new Reader(linesOf(path, limits.piece), keyOf))
    try {
      yield* merged(readers)
    } finally {
      await Promise.all(readers.map((reader) => reader.close()))
    }
    for (const path of paths) await rm(path, { force: true })
  }
  while (runs.length > limits.files) await write(merge(runs.splice(0, limits.files)))
  yield* merge(runs)
}

// As strings are held at worst, and what else an object takes.
function bytesOf({ key, line }: Sortable): number {
  return 2 * (key.length + line.length) + 100
}

function sorted(all: Sortable[]): readonly Sortable[] {
  return all.sort((one, other) => compareKeys(one.key, other.key))
}

/** What is merged is handed on in such numbers. */
const AT_ONCE = 1_000

async function* merged(readers: readonly Reader[]): AsyncGenerator<readonly Sortable[], void, undefined> {
  // The least last.
  const waiting: Reader[] = []
  const add = async (reader: Reader): Promise<void> => {
    const { key } = reader.first ?? (await reader.fill()) ?? {}
    if (key === undefined) return
    let [low, high] = [0, waiting.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareKeys(waiting[middle]?.first?.key ?? '', key) > 0) low = middle + 1
      else high = middle
    }
    waiting.splice(low, 0, reader)
  }
  for (const reader of readers) await add(reader)
  let some: Sortable[] = []
  for (let least = waiting.pop(); least !== undefined; least = waiting.pop()) {
    const one = least.take()
    if (one !== undefined) some.push(one)
    await add(least)
    if (some.length < AT_ONCE) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}

/** One of the files that are merged. */
class Reader {
  private lines: readonly string[] = []
  private at = 0
  /** Absent where nothing was read that was not taken. */
  first: Sortable | undefined

  constructor(
    private readonly source: AsyncGenerator<readonly string[], void>,
    private readonly keyOf: (line: string) => string,
  ) {}

  take(): Sortable | undefined {
    const { first } = this
    this.next()
    return first
  }

  /** Reads on where nothing is left. Undefined at its end. */
  async fill(): Promise<Sortable | undefined> {
    while (this.first === undefined) {
      const { value } = await this.source.next()
      if (value === undefined) return undefined
      this.lines = value
      this.at = 0
      this.next()
    }
    return this.first
  }

  async close(): Promise<void> {
    await this.source.return()
  }

  private next(): void {
    const line = this.lines[this.at++]
    this.first = line === undefined ? undefined : { key: this.keyOf(line), line }
  }
}

/** In UTF-16 units. */
const WRITTEN_AT_ONCE = 256 * 1024

async function writeLines(
  path: string,
  all: Iterable<readonly Sortable[]> | AsyncIterable<readonly Sortable[]>,
): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    let text = ''
    for await (const some of all) {
      for (const { line } of some) {
        text += `${line}\n`
        if (text.length < WRITTEN_AT_ONCE) continue
        await file.writeFile(text)
        text = ''
      }
    }
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}

async function* linesOf(path: string, piece: number): AsyncGenerator<readonly string[], void, undefined> {
  const file = await open(path)
  try {
    // One for all: many at once would be collected late.
    let buffer = Buffer.alloc(piece)
    let held = 0
    for (;;) {
      if (held === buffer.length) buffer = Buffer.concat([buffer], 2 * held)
      const { bytesRead } = await file.read(buffer, held, buffer.length - held)
      if (bytesRead === 0) break
      held += bytesRead
      const end = buffer.lastIndexOf(LINE_FEED, held - 1) + 1
      if (end === 0) continue
      const lines = buffer.toString('utf8', 0, end - 1).split('\n')
      buffer.copyWithin(0, end, held)
      held -= end
      yield lines
    }
    if (held > 0) throw new Error(`${path} was cut while it was sorted`)
  } finally {
    await file.close()
  }
}

const LINE_FEED = 0x0a
