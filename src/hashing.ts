import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

/** Memory that other threads see too, so that bytes in it can be hashed while this one goes on. */
export function sharedMemory(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes))
}

/** The MD5 of bytes that come one after the other. */
interface RunningMd5 {
  /** The bytes may change once it has resolved. */
  add(bytes: Buffer): Promise<void>
  /** In hexadecimal digits. Nothing comes behind it. */
  end(): Promise<string>
}

/** What is hashed here, in bytes: to tell another thread of it would take as long. */
const SMALL = 256 * 1024

/**
 * Does `work`, and answers the MD5 of the bytes that it has added by then. MD5 takes longer than all else that is done with a byte, so where there
 * is a second processor, and the first bytes are many and in shared memory, it is made in a thread of its own.
 */
export async function md5While(work: (add: RunningMd5['add']) => Promise<void>): Promise<string> {
  let md5: RunningMd5 | undefined
  try {
    await work((bytes) => {
      const apart = bytes.length > SMALL && bytes.buffer instanceof SharedArrayBuffer && availableParallelism() > 1
      md5 ??= apart ? leastBusy().begin() : hereBegun()
      return md5.add(bytes)
    })
  } catch (error) {
    // Until then the bytes may be read.
    await md5?.end().catch(() => undefined)
    throw error
  }
  return await (md5 ?? hereBegun()).end()
}

function hereBegun(): RunningMd5 {
  const hash = createHash('md5')
  return {
    add: (bytes) => Promise.resolve(void hash.update(bytes)),
    end: () => Promise.resolve(hash.digest('hex')),
  }
}

/** What the helper is told: bytes of an MD5, or nothing more at its end. */
interface Told {
  readonly id: number
  readonly bytes?: Uint8Array
}

/** Those of this thread. Two hash faster than one thread reads; there may be as many threads as processors. */
const helpers: Helper[] = []
const MOST_HELPERS = 2

function leastBusy(): Helper {
  const [first] = helpers.sort((one, other) => one.open - other.open)
  if (first !== undefined && (first.open === 0 || helpers.length === MOST_HELPERS)) return first
  const another = new Helper()
  helpers.push(another)
  return another
}

/** A thread that hashes for this one. It lasts as long, and keeps it from ending only while it has something to answer. */
class Helper {
  private readonly worker = new Worker(`(${hashForOthers.toString()})()`, { eval: true, execArgv: [] })
  /** Who waits, in order: it answers as it is told. */
  private readonly waiting: { readonly answer: (digest: string) => void; readonly fail: (error: unknown) => void }[] =
    []
  private begun = 0
  /** MD5s that have not ended. */
  open = 0
  /** Why it answers no more. */
  private failure: Error | undefined

  constructor() {
    this.worker.unref()
    this.worker.on('message', (digest: string) => {
      this.waiting.shift()?.answer(digest)
      if (this.waiting.length === 0) this.worker.unref()
    })
    this.worker.on('error', (error) => {
      this.failure = error
      for (const { fail } of this.waiting.splice(0)) fail(error)
      helpers.splice(helpers.indexOf(this), 1)
    })
  }

  begin(): RunningMd5 {
    const id = ++this.begun
    this.open++
    return {
      add: async (bytes) => {
        await this.tell({ id, bytes })
      },
      end: () => {
        this.open--
        return this.tell({ id })
      },
    }
  }

  private tell(told: Told): Promise<string> {
    return new Promise((answer, fail) => {
      if (this.failure !== undefined) {
        fail(this.failure)
        return
      }
      this.waiting.push({ answer, fail })
      this.worker.ref()
      this.worker.postMessage(told)
    })
  }
}

// All of the program of the helper: it is passed on as text, and so rests on nothing of this module.
function hashForOthers(): void {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const { parentPort } = process.getBuiltinModule('node:worker_threads')
  const begun = new Map<number, ReturnType<typeof createHash>>()
  parentPort?.on('message', ({ id, bytes }: { id: number; bytes?: Uint8Array }) => {
    const hash = begun.get(id) ?? createHash('md5')
    if (bytes === undefined) begun.delete(id)
    else begun.set(id, hash.update(bytes))
    parentPort.postMessage(bytes === undefined ? hash.digest('hex') : '')
  })
}
