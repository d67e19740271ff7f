import { isFolder } from '../../job/place.js'
import type { Backend } from '../backend.js'

/** Places in S3. */
export const BUCKETS: Omit<Backend, 'open' | 'examine' | 'loadStores'> = {
  called: 'a bucket',
  opens: (place) => !isFolder(place),
  refused: [],
}
