import type { Connection } from '../job/connection.js'
import type { AskedSettings, RunSettings } from '../job/pace.js'
import type { FolderIdentity, Place, Side } from '../job/place.js'
import { backendOf } from './backends.js'
import type { Opening, OpenStore, StoredFiles } from './backend.js'
import { toldOnce, type Notice } from './notice.js'
import { createMeter, type Meter } from './retry.js'
import type { HeaderFields } from './storage.js'

/** What a job works on, reachable. */
export interface OpenStores {
  readonly source: OpenStore
  /** Absent when the job only reads. */
  readonly destination?: OpenStore
  readonly settings: RunSettings
  readonly meter: Meter
  /** Whether the destination allows still what it allowed when it was opened, as far as that can be told. Never rejects. */
  readonly stillAllowed: () => Promise<boolean>
  /** The connection asked for, completed by what was found out (endpoint, region, style), so that a resume reaches the same place. */
  readonly connection: Connection
  /** Which folder the source is, so that a resume takes no other for it; absent where it is a bucket. */
  readonly sourceFolder?: FolderIdentity
  /** Told of what a person should know of a folder or a bucket; warns of it once. */
  readonly notice: (notice: Notice) => void
  /** The files of the inventory that names the objects, where that is in a bucket. */
  readonly listFiles?: StoredFiles | undefined
  close(): void
}

/** Settings of `openEnds`. */
export interface OpenOptions {
  readonly source: Place
  readonly destination?: Place | undefined
  readonly connection: Connection
  readonly settings: AskedSettings
  /** Aborted when nothing is to be tried again. */
  readonly giveUp: AbortSignal
  /** The keys of the customer's (SSE-C), by the side whose objects they are for. */
  readonly customerKeys?: Readonly<Partial<Record<Side, Uint8Array>>> | undefined
  /** Send no write request, not even one that cannot write. */
  readonly readOnly: boolean
  readonly updates?: Updates | undefined
  /** Nothing is to stay of what is written: it is asked whether a place may be written to, and nothing is made ready in it. */
  readonly rehearsal?: boolean
  /** Of a folder, what is no object is to be listed as well. */
  readonly strays?: boolean
  /** The objects are named beforehand: nothing needs to be listed. */
  readonly named?: boolean
  /** What was asked for of copies and not every store knows: it is asked before the start, and never left out. */
  readonly wanted?: readonly StoreNeeds[]
  /** Objects of either side are to be deleted. */
  readonly deletes?: boolean
  /** The destination was written to before, by the same run. */
  readonly again?: boolean
  /** The folder that the source was before, to the same run. */
  readonly sourceFolder?: FolderIdentity | undefined
  /** The same run may have moved all away that was in it. */
  readonly emptied?: boolean
  readonly note: (message: string) => void
  /** Told of what a person should know while the run goes on. */
  readonly warn: (message: string) => void
}

/** What of objects is to be changed without a copy: only their tags; or their encryption to that of a key, and nothing else where `only` says so. */
export type Updates = 'tags' | { readonly kmsKeyArn: string; readonly only: boolean }

/** Fields of requests that somebody asked for by a flag. */
export interface StoreNeeds {
  readonly flag: string
  readonly fields: HeaderFields
}

/** How long a first request is tried again, in milliseconds: a person waits for it. */
const PREFLIGHT_PATIENCE = 2_000

/**
 * Opens source and destination, each by its backend, and asks each something harmless. Each thing that is wrong is one `UserError`.
 */
export async function openEnds(options: OpenOptions): Promise<OpenStores> {
  const { source, destination, connection, settings, giveUp } = options
  const policy = { retryFor: settings.retryFor, giveUp }
  const meter = createMeter()
  const patience = { ...policy, retryFor: PREFLIGHT_PATIENCE }
  const notice = toldOnce(({ message }) => options.warn(message))
  const tools = { policy, patience, meter, notice }
  const [one, other] = [backendOf(source), destination === undefined ? undefined : backendOf(destination)]
  const openings: Opening[] = []
  const close = (): void => {
    for (const opening of openings) opening.close()
  }
  try {
    const near = await one.open(one === other ? { source, destination } : { source }, options, tools)
    openings.push(near)
    const far = one === other ? near : await other?.open({ destination }, options, tools)
    if (far !== undefined && far !== near) openings.push(far)
    const from = await near.open('source', source)
    const to = destination === undefined ? undefined : await far?.open('destination', destination)
    const pair = far === near ? await near.pair() : { streamed: to !== undefined, distinctBuckets: true }
    return {
      source: from,
      ...(to === undefined ? {} : { destination: to }),
      settings: { ...settings, ...pair },
      meter,
      stillAllowed: async () => (await far?.stillAllowed()) ?? true,
      connection: openings.reduce((found, opening) => opening.completed(found), connection),
      ...(from.folder === undefined ? {} : { sourceFolder: from.folder }),
      notice,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}
