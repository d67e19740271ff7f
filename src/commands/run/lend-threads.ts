import { randomBytes } from 'node:crypto'
import { availableParallelism, hostname } from 'node:os'
import { UserError } from '../../errors.js'
import { largeForOthers } from '../../engine/session/large-for-others.js'
import { LARGE_AT_ONCE } from '../../engine/workers/large-hand.js'
import type { Announcement, JobConnection } from '../../fleet/announcement.js'
import { CLOCK } from '../../fleet/broker.js'
import type { LargeAtHost } from '../../fleet/host-large.js'
import { Host, type OpenHands } from '../../fleet/host.js'
import type { Allowed } from '../../fleet/lendable.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { deferredDeletesOf, isScanJob, onlyDeletes, type WriteJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import { printableName } from '../../keys.js'
import type { OpenStores } from '../../storage/open.js'
import { version } from '../../version.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import type { FleetAsked } from '../options/fleet-options.js'
import { readFlag, readList, type Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { DEFAULT_PACE, readPace } from '../options/pace-options.js'
import { parseBucket } from '../options/places.js'
import { ambient } from './ambient-connection.js'
import { sayTo, warnTo } from './attended.js'
import { openFleet } from './fleet.js'
import { deletes, endsOf, open, storeNeedsOf, threadsFor, updatesIn } from './open-and-run.js'

/** What `worker` was asked. */
export interface LendingRequest {
  readonly asked: FleetAsked
  readonly once: boolean
}

/** Lends the threads of this machine until it is told to end. Resolves with the exit code. */
export async function lendThreads({ asked, once }: LendingRequest, flags: Flags, io: CommandIo): Promise<number> {
  const allowed = readAllowed(flags)
  const pace = readPace(flags, DEFAULT_PACE)
  const own = readConnection(flags, ambient())
  const fleet = await openFleet(asked, io)
  const leave = new AbortController()
  io.stop.addEventListener('abort', () => leave.abort(), { once: true })
  if (io.stop.aborted) leave.abort()
  try {
    const { name } = asked
    const host = new Host({
      ...{ broker: fleet.broker, clock: CLOCK, program: `s3move ${version()}`, allowed, name, once },
      // Machines may have one name, and a machine several hosts.
      host: `${hostname()}-${randomBytes(3).toString('hex')}`,
      open: (announcement) => openFor(announcement, { own, pace, io }),
      say: (level, message) => (level === 'warning' ? warnTo : sayTo)(io, printableName(message)),
      leave: leave.signal,
      abandon: io.abandon,
    })
    sayTo(io, 'waiting for runs')
    return (await host.run()) === 'dismissed' ? EXIT.stopped : EXIT.done
  } finally {
    fleet.close()
  }
}

function readAllowed(flags: Flags): Allowed {
  const places = readList(flags, 'allow').map((url) => parseBucket(url, 'place'))
  if (places.length === 0) {
    throw new UserError(
      'a worker does nothing but at places that it is allowed to, and none was named',
      'add --allow s3://bucket for each bucket of the runs that it is to help',
    )
  }
  return { places, endpoints: readList(flags, 'allow-endpoint'), deletes: readFlag(flags, 'allow-delete') ?? false }
}

interface Machine {
  readonly own: Connection
  readonly pace: Pace
  readonly io: CommandIo
}

async function openFor(announcement: Announcement, machine: Machine): Promise<OpenHands> {
  const { task, connection: announced, retryFor, onLoss } = announcement
  const { own, pace, io } = machine
  const { job } = task
  const connection = withMachine(announced, own)
  const told = (): void => undefined
  const common = {
    io,
    pace: { ...pace, retryFor, ...(onLoss === undefined ? {} : { onLoss }) },
    note: told,
    warn: (message: string) => warnTo(io, printableName(message)),
  }
  const opened = isScanJob(job)
    ? await open(job, connection, {
        ...common,
        readOnly: !('fix' in job && job.fix),
        again: true,
        threads: pace.threads ?? availableParallelism(),
      })
    : await open(endsOf(job), connection, {
        ...common,
        readOnly: onlyDeletes(job),
        updates: updatesIn(job),
        strays: true,
        deletes: deletes(job),
        wanted: storeNeedsOf(job),
        again: true,
        emptied: deferredDeletesOf(job)?.side === 'source',
        threads: threadsFor(job, pace, undefined),
      })
  try {
    checkSameStore(announced, opened.ends.connection)
    const { ends, hands, drain } = opened
    const close = (): void => {
      // What is sent again and again is nobody's any more.
      drain.abort()
      opened.close()
    }
    return { hands: hands.hands(ends), large: isScanJob(job) ? undefined : largeOf(job, ends), close }
  } catch (error) {
    opened.close()
    throw error
  }
}

function largeOf(job: WriteJob, ends: OpenStores): LargeAtHost {
  return { atOnce: LARGE_AT_ONCE, start: (listener) => largeForOthers(job, ends, listener) }
}

/** What belongs to the job by the run, and what to a machine by this one. */
function withMachine(announced: JobConnection, own: Connection): Connection {
  const { profile, caBundle, noVerifySsl, connectTimeout, readTimeout, minRate } = own
  const machine = Object.entries({ profile, caBundle, noVerifySsl, connectTimeout, readTimeout, minRate })
  return { ...announced, ...Object.fromEntries(machine.filter(([, value]) => value !== undefined)) }
}

// The environment of this machine may name another store, which has buckets of the same names.
function checkSameStore(announced: JobConnection, found: Connection): void {
  for (const side of ['source', 'destination'] as const) {
    const [wanted, here] = [announced, found].map((one) => connectionOf(one, side).endpointUrl)
    if (wanted === here) continue
    throw new UserError(
      `the configuration of this machine names an endpoint of its own (${here ?? 'none'}), and the run another (${wanted ?? 'that of AWS'})`,
      'take AWS_ENDPOINT_URL and the like out of its environment',
    )
  }
}
