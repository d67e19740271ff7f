import { createReadStream } from 'node:fs'
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { checkpointError } from '../../checkpoint/checkpoint-error.js'
import { RESULT } from '../../checkpoint/checkpoint-file.js'
import { replaceFile } from '../../checkpoint/durable.js'
import { parseJson } from '../../checkpoint/json.js'
import { streamOutlet, type OutputWriter } from '../../engine/output/output-writer.js'
import { syncFolder, unlessMissing } from '../../file-system.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { isObjectUrl, type Place } from '../../job/place.js'
import { printableName } from '../../keys.js'
import { typeOf } from '../../rules/content-types.js'
import { openObjectUpload, type ObjectUpload } from '../../storage/object-upload.js'
import { unless, type CommandIo } from '../options/io.js'
import { parseObject } from '../options/places.js'

/** The file that tells of an upload in parts which is under way. */
const UNDER_WAY = 'upload.json'

/** The file in the folder of a run, if there is one, that keeps a result until it is sent. */
export function keptResult(folder: string | undefined): string | undefined {
  return folder === undefined ? undefined : join(folder, RESULT)
}

/** How the object of a result is reached. */
export interface ResultOptions {
  /** That of the source. */
  readonly connection: Connection
  readonly retryFor: number
  /** Aborted when nothing is to be tried again. */
  readonly giveUp: AbortSignal
  /** The run's folder, locked; absent when nothing is kept. */
  readonly folder: string | undefined
  readonly io: CommandIo
  readonly warn: (message: string) => void
}

/** The object to which `--to` sends a result. */
export interface ResultObject {
  /** The file that keeps the result until it is sent; absent where nothing is kept. */
  readonly kept: string | undefined
  /** Writes to the object as it is given something; the object is there once that is finished. `fail` is told at once what goes wrong. */
  outlet(fail: (error: unknown) => void): OutputWriter
  /** Writes the object, and forgets what is kept of it. Rejects with a `StorageError`, a CheckpointError, or `Interrupted`. Answers its bytes. */
  send(bytes?: Buffer): Promise<number>
  close(): void
}

/** The object that the result of a job goes to, if it does: open, and proven to be writable. What keeps it from being written is a `UserError`. */
export async function resultObject(
  to: string | undefined,
  { connection, retryFor, giveUp, folder, io, warn }: ResultOptions,
): Promise<ResultObject | undefined> {
  if (to === undefined || !isObjectUrl(to)) return undefined
  const place = parseObject(to, 'result', '--to')
  const upload = await unless(
    io.stop,
    openObjectUpload(place, {
      connection: connectionOf(connection, 'source'),
      policy: { retryFor, giveUp },
      warn: (message) => warn(printableName(message)),
    }),
  )
  try {
    if (folder !== undefined) await dropEarlier(folder, place, upload)
  } catch (error) {
    upload.close()
    throw error
  }
  return new OpenResult(place, upload, folder, io)
}

class OpenResult implements ResultObject {
  readonly kept: string | undefined

  constructor(
    private readonly place: Place,
    private readonly upload: ObjectUpload,
    private readonly folder: string | undefined,
    private readonly io: CommandIo,
  ) {
    this.kept = keptResult(folder)
  }

  outlet(fail: (error: unknown) => void): OutputWriter {
    const body = new PassThrough()
    const ending = new AbortController()
    let over = false
    const sent = this.streamed(body, ending.signal)
    const settled = sent.then(
      () => (over = true),
      (error: unknown) => {
        if (!over) fail(error)
        over = true
        // Whoever waits for a piece to be taken is told.
        body.destroy()
      },
    )
    const written = streamOutlet(body, fail)
    return {
      get bytes() {
        return written.bytes
      },
      kept: undefined,
      write: (piece, done) => written.write(piece, done),
      sync: () => Promise.resolve(),
      finish: async () => {
        body.end()
        await this.untilStopped(ending, sent)
      },
      close: async () => {
        if (over) return
        over = true
        ending.abort()
        await settled
      },
    }
  }

  async send(bytes?: Buffer): Promise<number> {
    const { kept } = this
    const size = bytes?.length ?? (await stat(kept ?? '')).size
    const body = bytes === undefined ? createReadStream(kept ?? '') : Readable.from([bytes])
    const ending = new AbortController()
    try {
      await this.untilStopped(ending, this.streamed(body, ending.signal, size))
    } finally {
      body.destroy()
    }
    await this.forget()
    return size
  }

  close(): void {
    this.upload.close()
  }

  private async streamed(body: Readable, signal: AbortSignal, size?: number): Promise<void> {
    const { folder, place } = this
    await this.upload.send(body, {
      ...(size === undefined ? {} : { size }),
      contentType: typeOf(place.prefix),
      ...(folder === undefined ? {} : { begun: (id) => note(folder, place, id) }),
      signal,
    })
  }

  // What was begun is dropped before the command ends.
  private async untilStopped(ending: AbortController, sent: Promise<void>): Promise<void> {
    try {
      await unless(this.io.stop, sent)
    } catch (error) {
      ending.abort()
      await sent.catch(() => undefined)
      throw error
    }
  }

  private async forget(): Promise<void> {
    const { folder } = this
    if (folder === undefined) return
    for (const name of [RESULT, UNDER_WAY]) await rm(join(folder, name), { force: true })
    await syncFolder(folder)
  }
}

async function note(folder: string, { bucket, prefix: key }: Place, id: string): Promise<void> {
  const path = join(folder, UNDER_WAY)
  try {
    await replaceFile(path, `${JSON.stringify({ bucket, key, id })}\n`)
  } catch (error) {
    throw checkpointError('write', path, error)
  }
}

// A session that was killed may have left parts. Those of another object are not ours to reach.
async function dropEarlier(folder: string, { bucket, prefix }: Place, upload: ObjectUpload): Promise<void> {
  const path = join(folder, UNDER_WAY)
  const text = await unlessMissing(readFile(path))
  if (text === undefined) return
  const { bucket: where, key, id } = Object(parseJson(text)) as Readonly<Record<string, unknown>>
  if (where === bucket && key === prefix && typeof id === 'string') await upload.abort(id)
  await rm(path, { force: true })
}
