import { isFolder } from '../../job/place.js'
import type { Backend } from '../backend.js'

/** Places in S3. */
export const BUCKETS: Omit<Backend, 'open' | 'examine' | 'loadStores'> = {
  called: 'a bucket',
  opens: (place) => !isFolder(place),
  refused: [],
  // A prefix that is the whole key: so nothing else is listed when it is opened.
  locate: (place) => Promise.resolve({ place, key: '' }),
}
