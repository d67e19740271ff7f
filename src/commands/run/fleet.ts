import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { shownFolder } from '../../checkpoint/mounts.js'
import { UserError } from '../../errors.js'
import { FLEET_FORMAT, jobConnection } from '../../fleet/announcement.js'
import { CLOCK, type Broker } from '../../fleet/broker.js'
import { Hosts, type HostsOptions } from '../../fleet/hosts.js'
import { whyAlone, whyTurns } from '../../fleet/lendable.js'
import type { Job } from '../../job/kinds.js'
import { DEFAULT_RETRY_FOR, type Pace } from '../../job/pace.js'
import { shellWord } from '../../report/format.js'
import { version } from '../../version.js'
import type { FleetAsked } from '../options/fleet-options.js'
import { unless, type CommandIo } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** A Redis that was reached. */
export interface OpenFleet {
  readonly asked: FleetAsked
  readonly broker: Broker
  close(): void
}

/** Told of hosts. */
export type HostsNote = HostsOptions['note']

/** Reaches the Redis of a fleet. What is wrong is a `UserError`. */
export async function openFleet(asked: FleetAsked, io: Pick<CommandIo, 'cwd' | 'stop'>): Promise<OpenFleet> {
  const ca = asked.ca === undefined ? undefined : await certificates(resolve(io.cwd, asked.ca))
  const { openRedis } = await import('../../fleet/redis.js')
  const broker = await unless(io.stop, openRedis({ url: asked.url, ca }))
  return { asked, broker, close: () => broker.close() }
}

async function certificates(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    throw new UserError(`the certificates in ${shellWord(path)} cannot be read: ${code}`, 'check --fleet-ca')
  }
}

/** Refuses a job that is not for several hosts. */
export function checkLendable(job: Job, fleet: FleetAsked | undefined): void {
  const why = fleet === undefined ? undefined : whyAlone(job)
  if (why !== undefined) throw new UserError(`--fleet is not for this job: ${why}`, 'leave --fleet away')
}

/** What the hosts of a run are to know. */
export interface HostsSetup {
  readonly opened: Opened
  /** Of the run; absent when nothing is kept. */
  readonly folder: string | undefined
  readonly pace: Pace
  readonly cwd: string
  readonly note: HostsNote
}

/** The hosts of a run, if others may help. Rejects with a `UserError` where they may not. */
export function hostsFor(job: Job, { opened, folder, pace, cwd, note }: HostsSetup): Hosts | undefined {
  const { fleet, ends } = opened
  if (fleet === undefined) return undefined
  const why = whyTurns(job, (ends.destination ?? ends.source).store.conditional)
  if (why !== undefined) throw new UserError(`--fleet is not for this job: ${why}`, 'leave --fleet away')
  const { retryFor = DEFAULT_RETRY_FOR, onLoss } = pace
  return new Hosts({
    ...{ broker: fleet.broker, clock: CLOCK, note, hasThreads: ends.settings.threads > 0 },
    // Loaded where it is of use.
    status: async () => (await import('./fleet-status.js')).statusToPublish(job, folder, cwd),
    announcement: {
      ...{ format: FLEET_FORMAT, program: `s3move ${version()}`, retryFor },
      name: fleet.asked.name ?? nameOf(job, folder),
      session: randomBytes(8).toString('hex'),
      connection: jobConnection(ends.connection),
      ...(onLoss === undefined ? {} : { onLoss }),
    },
  })
}

function nameOf(job: Job, folder: string | undefined): string {
  const name = folder === undefined ? '' : basename(resolve(shownFolder(folder)))
  if (/^[\w.-]{1,100}$/.test(name)) return name
  return `${job.kind}-${createHash('sha256')
    .update(`${name}${JSON.stringify(job)}`)
    .digest('hex')
    .slice(0, 8)}`
}
