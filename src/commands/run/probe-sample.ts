import { estimateObjects } from '../../engine/session/estimate-objects.js'
import { StoppedError } from '../../errors.js'
import { ReadSample } from '../../probe/size-classes.js'
import type { Page, Storage } from '../../storage/storage.js'

/** Objects of a class that are remembered. */
const OF_A_CLASS = 1_000

/** Objects of a bucket from all over its key space, as far as so many LIST requests show them; none where it may not be listed. */
export async function readSampleOf(
  store: Pick<Storage, 'list' | 'place'>,
  requests: number,
  stop: AbortSignal,
): Promise<ReadSample> {
  const sample = new ReadSample(OF_A_CLASS)
  const watched = {
    place: store.place,
    async list(from: Parameters<Storage['list']>[0]): Promise<Page> {
      const page = await store.list(from)
      for (const object of page.objects) sample.add(object)
      return page
    },
  }
  try {
    await estimateObjects(watched, [{}], stop, requests)
  } catch (error) {
    // The row of LIST tells why.
    if (!(error instanceof StoppedError)) throw error
  }
  return sample
}
