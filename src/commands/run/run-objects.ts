import { setTimeout as pause } from 'node:timers/promises'
import { createHash } from 'node:crypto'
import type { RunObjects } from '../../checkpoint/run-objects.js'
import { StorageError } from '../../errors.js'
import type { Place } from '../../job/place.js'
import type { MeasuredPlace } from '../../storage/timed-writes.js'
import { able } from '../../storage/storage.js'

/** How often an object is read anew that is replaced while it is read, and milliseconds between. */
const READS = 20
const BETWEEN = 50

/** The objects of a run below a place that is open. */
export function runObjects({ store, writes }: MeasuredPlace, place: Place): RunObjects {
  const tries = able(store.tries, 'try again')
  return {
    place,
    again: (work) => tries.again(work),

    async read(key) {
      for (let read = 1; ; read++) {
        try {
          const { size, etag } = await store.reading.head(key)
          const bytes = size === 0 ? Buffer.alloc(0) : (await store.reading.open({ key, size, etag })).bytes
          return { bytes, etag }
        } catch (error) {
          if (!(error instanceof StorageError)) throw error
          if (error.severity === 'skip') return undefined
          if (error.code !== 'PreconditionFailed' || read === READS) throw error
          await pause(BETWEEN)
        }
      }
    },

    async write(key, bytes, fields) {
      const md5 = createHash('md5').update(bytes).digest()
      const { etag } = await writes.put(key, { bytes, md5 }, fields)
      return etag
    },

    async remove(keys) {
      const errors = await able(store.removing, 'delete').remove(keys.map((key) => ({ key })))
      for (const error of errors) if (error !== undefined && error.severity !== 'skip') throw error
    },

    async *names(within) {
      let from: Parameters<typeof store.list>[0] = {}
      for (let more = true; more;) {
        const page = await store.list({ ...from, within })
        for (const { key } of page.objects) yield key
        const after = page.objects.at(-1)?.key
        from = after === undefined ? { token: page.token } : { after }
        more = page.truncated
      }
    },
  }
}
