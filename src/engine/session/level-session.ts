import { aborted, isAborted } from '../../abort.js'
import { levelPages } from '../../sources/level-listing.js'
import type { LevelEntry, Storage } from '../../storage/storage.js'
import { ReaderGone, type OutputWriter } from '../output/output-writer.js'
import { Ending } from './ending.js'
import type { ScanEnd } from './scan-session.js'

/** What is needed to list one level. */
export interface LevelOptions {
  readonly store: Storage
  readonly outlet: OutputWriter
  /** Packs the lines of some names. */
  readonly pack: (entries: readonly LevelEntry[]) => Uint8Array
  /** Takes who is told that the outlet cannot be written. */
  readonly onFail: (told: (error: unknown) => void) => void
  /** Aborted (from outside, or here) when nothing further is to be begun. */
  readonly drain: AbortController
  /** Aborted when what is under way is not to be waited for either. */
  readonly abandon: AbortSignal
  /** Told of each page. */
  readonly progress: (listed: number, elapsed: number) => void
}

/** How it ended. `listed` are folders and objects. */
export interface LevelEnd extends ScanEnd {
  readonly folders: number
  /** Bytes of the objects of the level. */
  readonly size: number
}

/** Lists one level, a page at a time: the next is asked for once its lines are written. Rejects only for a defect of s3move itself. */
export async function runLevel(options: LevelOptions): Promise<LevelEnd> {
  const { store, outlet, pack, drain } = options
  const began = performance.now()
  const elapsed = (): number => performance.now() - began
  const ending = new Ending(drain)
  const whole = { listed: false }
  const found = { listed: 0, folders: 0, size: 0 }
  let readerGone = false
  let goOn = (): void => undefined
  options.onFail((error) => {
    if (error instanceof ReaderGone) {
      readerGone = true
      drain.abort()
    } else ending.fail(error)
    goOn()
  })
  const list = async (): Promise<void> => {
    for await (const entries of levelPages(store)) {
      if (isAborted(drain.signal)) return
      await new Promise<void>((resolve) => {
        goOn = resolve
        outlet.write(pack(entries), resolve)
      })
      if (isAborted(drain.signal)) return
      found.listed += entries.length
      for (const entry of entries) {
        if ('folder' in entry) found.folders++
        else found.size += entry.object.size
      }
      options.progress(found.listed, elapsed())
    }
    whole.listed = true
  }
  await Promise.race([list().catch(ending.fail), aborted(options.abandon)])
  ending.throwDefect()
  const { stop } = ending
  const end = stop !== undefined ? 'stopped' : whole.listed ? 'finished' : 'interrupted'
  return { end, readerGone, stop, unread: {}, passedOver: undefined, elapsed: elapsed(), ...found }
}
