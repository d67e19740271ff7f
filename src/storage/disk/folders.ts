import { ofAllVersions, type WriteJob } from '../../job/kinds.js'
import type { Attributes } from '../../job/object-attributes.js'
import { isFolder } from '../../job/place.js'
import type { Backend, RefusedFlag } from '../backend.js'

const ATTRIBUTES: readonly (readonly [name: keyof Attributes, flag: string])[] = [
  ['acl', 'acl'],
  ['encryption', 'sse'],
  ['keyFile', 'sse-c-key-file'],
  ['checksumAlgorithm', 'checksum-algorithm'],
]

// The first that is asked for is told.
const REFUSED: readonly RefusedFlag[] = [
  ...ATTRIBUTES.map(([name, flag]): RefusedFlag => ({
    ...{ flag, side: 'destination' },
    isAsked: (job) => attributesOf(job)[name] !== undefined,
  })),
  {
    ...{ flag: 'preserve annotations', side: 'destination' },
    isAsked: (job) => attributesOf(job).preserve?.includes('annotations') === true,
  },
  { flag: 'part-size', side: 'destination', isAsked: (job) => 'destination' in job && job.partSize !== undefined },
  {
    ...{ flag: 'source-sse-c-key-file', side: 'source' },
    isAsked: (job) => attributesOf(job).sourceKeyFile !== undefined,
  },
  { flag: 'restore', side: 'source', isAsked: (job) => 'destination' in job && job.restore !== undefined },
  { flag: 'all-versions', side: 'source', isAsked: ofAllVersions },
  { flag: 'all-versions', side: 'destination', isAsked: ofAllVersions },
]

function attributesOf(job: WriteJob): Attributes {
  return 'attributes' in job ? job.attributes : {}
}

/** Places that are folders of this machine. */
export const FOLDERS: Omit<Backend, 'open' | 'examine' | 'loadStores'> = {
  called: 'a folder',
  opens: isFolder,
  refused: REFUSED,
  locate: async ({ bucket }) => await (await import('./locate.js')).locateFile(bucket),
  holds: async ({ bucket }, path) => await (await import('./open-folder.js')).liesIn(path, bucket),
}
