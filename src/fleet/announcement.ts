import type { Task } from '../engine/workers/worker-pool.js'
import type { Connection, EndConnection } from '../job/connection.js'
import { isScanJob, jobShape } from '../job/kinds.js'
import { checkCount, flag, Mismatch, oneOf, shape, text, type Check } from '../job/schema.js'

/** Of what crosses between hosts. */
export const FLEET_FORMAT = 1

/** A task that hosts are lent for. */
export type LentTask = Extract<Task, { readonly kind: 'write' | 'comparison' }>

/** How a store is reached, as far as that belongs to the job and not to a machine. */
export type JobConnection = Pick<
  Connection,
  'endpointUrl' | 'region' | 'pathStyle' | 'noSignRequest' | 'expectedOwner' | 'requestPayer'
> & { readonly source?: EndConnection; readonly destination?: EndConnection }

/** What a run tells to hosts that might help. No secrets. */
export interface Announcement {
  readonly format: number
  /** As `s3move --version` has it: threads of one run are of one version. */
  readonly program: string
  readonly name: string
  /** Of this process; another one begins with streams of its own. */
  readonly session: string
  readonly task: LentTask
  readonly connection: JobConnection
  /** In milliseconds. */
  readonly retryFor: number
  /** As that of a `Pace`. */
  readonly onLoss?: 'fail'
}

/** What of a connection is announced. */
export function jobConnection(connection: Connection): JobConnection {
  const { requestPayer, source, destination } = connection
  return {
    ...endOf(connection),
    ...(requestPayer === undefined ? {} : { requestPayer }),
    ...(source === undefined ? {} : { source: endOf(source) }),
    ...(destination === undefined ? {} : { destination: endOf(destination) }),
  }
}

function endOf({ endpointUrl, region, pathStyle, noSignRequest, expectedOwner }: EndConnection): EndConnection {
  return {
    ...(endpointUrl === undefined ? {} : { endpointUrl }),
    ...(region === undefined ? {} : { region }),
    ...(pathStyle === undefined ? {} : { pathStyle }),
    ...(noSignRequest === undefined ? {} : { noSignRequest }),
    ...(expectedOwner === undefined ? {} : { expectedOwner }),
  }
}

const END = { endpointUrl: text, region: text, pathStyle: flag, noSignRequest: flag, expectedOwner: text }
const end = shape<Omit<EndConnection, 'profile'>>({}, END)

const writing = shape<{ kind: 'write'; job: unknown; watched: boolean }>(
  { kind: oneOf('write'), job: (job) => job, watched: flag },
  {},
)
const comparing = shape<{
  kind: 'comparison'
  job: unknown
  packing: 'plain' | 'gzip' | 'zstd'
  format: 'text' | 'json'
}>(
  {
    kind: oneOf('comparison'),
    job: (job) => job,
    packing: oneOf('plain', 'gzip', 'zstd'),
    format: oneOf('text', 'json'),
  },
  {},
)

const task: Check<LentTask> = (value, at) => {
  const isWriting = typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'write'
  if (isWriting) {
    const { job, ...rest } = writing(value, at)
    const found = jobShape(job, `${at}.job`)
    if (!isScanJob(found)) return { ...rest, job: found }
  } else {
    const { job, ...rest } = comparing(value, at)
    const found = jobShape(job, `${at}.job`)
    if (isScanJob(found) && 'fix' in found) return { ...rest, job: found }
  }
  throw new Mismatch(`${at}.job is of another kind than its task`)
}

const announcementShape = shape<Announcement>(
  {
    ...{ format: checkCount, program: text, name: text, session: text, task, retryFor: checkCount },
    connection: shape<JobConnection>({}, { ...END, requestPayer: flag, source: end, destination: end }),
  },
  { onLoss: oneOf('fail') },
)

/** Reads what was announced. A `Mismatch`: by another version, or by nobody who knows how. */
export function readAnnouncement(announced: string): Announcement {
  let value: unknown
  try {
    value = JSON.parse(announced)
  } catch {
    throw new Mismatch('what is announced is no JSON')
  }
  return announcementShape(value, '')
}
