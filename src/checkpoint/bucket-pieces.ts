import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../errors.js'
import { newFile } from '../file-system.js'
import { placeUrl } from '../job/place.js'
import { printable } from '../keys.js'
import { PIECES, type KeptFile, type FilePiece } from './bucket-record.js'
import type { CountedFile } from './counted-files.js'
import { RESTORE } from './ledger-file.js'
import { isSetAside } from './retry-steps.js'
import type { RunObjects } from './run-objects.js'

/** Bytes of a piece, at most. */
const LONGEST = 4 * 1024 * 1024
/** One that is shorter, the last of its file, is written anew with what has come since. */
const SHORT = 1024 * 1024

/**
 * The files of a run as objects. A piece is never changed, and its name is used once: whichever record counts on it finds what it counts on, whoever else writes
 * there. What no record counts on any more is removed later.
 */
export class BucketPieces {
  #files: Map<string, readonly FilePiece[]>
  /** Those that were replaced, and that the record in the bucket may count on still. */
  #superseded: string[] = []

  constructor(
    private readonly objects: RunObjects,
    files: readonly KeptFile[] = [],
  ) {
    this.#files = new Map(files.map(({ name, pieces }) => [name, pieces]))
  }

  /**
   * Brings files of a folder there, up to the bytes that count; each only grows, or begins anew from nothing. What is not among them is there no more, but for what
   * was set aside. Rejects with a `StorageError`, or an error of the system.
   */
  async bring(folder: string, counted: readonly CountedFile[]): Promise<readonly KeptFile[]> {
    const names = new Set(counted.map(({ name }) => name))
    for (const [name, pieces] of this.#files) {
      if (names.has(name) || isSetAside(name)) continue
      this.#replace(name, pieces, [])
    }
    for (const { name, bytes } of counted) await this.#bringFile(folder, name, bytes)
    return [...this.#files].map(([name, pieces]) => ({ name, pieces }))
  }

  /** Removes what was replaced, once the record does not count on it. What fails is done later. */
  async dropSuperseded(): Promise<void> {
    const keys = this.#superseded
    if (keys.length === 0) return
    await this.objects.remove(keys)
    this.#superseded = this.#superseded.filter((key) => !keys.includes(key))
  }

  /** Removes what no record counts on: what other sessions have left. The run must be held. */
  async sweep(): Promise<void> {
    const kept = new Set([...this.#files.values()].flat().map(({ key }) => key))
    let found: string[] = []
    for await (const key of this.objects.names(PIECES)) {
      if (kept.has(key)) continue
      found.push(key)
      if (found.length < MOST) continue
      await this.objects.remove(found)
      found = []
    }
    if (found.length > 0) await this.objects.remove(found)
  }

  /** Makes the files in a folder that has none of them, but for what was set aside; only those that are `wanted`. A `UserError` where a piece is not what was written. */
  async restore(folder: string, wanted: (name: string) => boolean = () => true): Promise<void> {
    const { objects } = this
    for (const [name, pieces] of this.#files) {
      if (isSetAside(name) || !wanted(name)) continue
      await newFile(
        join(folder, name),
        async (file) => {
          for (const { key, bytes } of pieces) {
            const found = await objects.read(key)
            if (found?.bytes.length !== bytes) {
              const what = found === undefined ? 'is gone' : `has ${found.bytes.length} bytes, not ${bytes}`
              throw new UserError(`${placeUrl(objects.place)}${printable(key)}, a piece of ${name}, ${what}`, RESTORE)
            }
            await file.writeFile(found.bytes)
          }
        },
        0o600,
      )
    }
  }

  async #bringFile(folder: string, name: string, bytes: number): Promise<void> {
    const before = this.#files.get(name) ?? []
    const pieces = [...before]
    let at = pieces.reduce((sum, piece) => sum + piece.bytes, 0)
    if (at === bytes) return
    if (at > bytes) {
      pieces.length = 0
      at = 0
    }
    const last = pieces.at(-1)
    if (last !== undefined && last.bytes < SHORT) {
      pieces.pop()
      at -= last.bytes
    }
    const file = await open(join(folder, name), 'r')
    try {
      while (at < bytes) {
        const content = Buffer.alloc(Math.min(LONGEST, bytes - at))
        const { bytesRead } = await file.read(content, 0, content.length, at)
        if (bytesRead < content.length) throw new Error(`${name} is shorter than what is counted on`)
        const key = `${PIECES}${name}/${String(at).padStart(16, '0')}-${randomUUID()}`
        await this.objects.again(() => this.objects.write(key, content, []))
        pieces.push({ key, bytes: content.length })
        at += content.length
      }
    } finally {
      await file.close()
    }
    this.#replace(name, before, pieces)
  }

  #replace(name: string, before: readonly FilePiece[], now: readonly FilePiece[]): void {
    this.#superseded.push(...before.filter((piece) => !now.includes(piece)).map(({ key }) => key))
    if (now.length === 0) this.#files.delete(name)
    else this.#files.set(name, now)
  }
}

/** So many are removed at once. */
const MOST = 1_000
