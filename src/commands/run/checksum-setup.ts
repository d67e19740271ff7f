import type { BatchParty, BatchState } from '../../checkpoint/batch-state.js'
import type { ScanCheckpoint } from '../../checkpoint/checkpoint.js'
import type { Connection, EndConnection } from '../../job/connection.js'
import type { Pace } from '../../job/pace.js'
import type { Side } from '../../job/place.js'
import type { ChecksumJob } from '../../job/verify.js'
import { createScanProgress, type ScanProgress } from '../../report/scan-progress.js'
import type { Flags } from '../options/flag-values.js'
import { mayRedraw, type CommandIo } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** The checkpoint of a comparison by checksums that jobs compute. */
export type ChecksumCheckpoint = ScanCheckpoint & { readonly batch: BatchState; readonly job: ChecksumJob }

/** The command line of such a run, and where it tells of itself. */
export interface ChecksumSetup {
  readonly flags: Flags
  readonly io: CommandIo
  readonly pace: Pace
  readonly quiet: boolean
  readonly json: boolean
  /** Says lines to people, unless they want none. */
  readonly say: (message: string) => void
  readonly warn: (message: string) => void
}

export const SIDES = ['source', 'destination'] as const satisfies readonly Side[]

/** Both sides, reached. */
export type OpenedSides = Readonly<Record<Side, Opened>>

/** Whose the jobs of a side are. */
export function partyOf(batch: Pick<BatchState, 'source' | keyof BatchParty>, side: Side): BatchParty {
  return side === 'source' ? (batch.source ?? batch) : batch
}

/** How both sides are reached, completed by what opening them found out. */
export function completed(connection: Connection, sides: OpenedSides): Connection {
  const end = ({ ends: { connection: found } }: Opened): EndConnection => {
    const { endpointUrl, region, profile, pathStyle, noSignRequest, expectedOwner } = found
    const fields = { endpointUrl, region, profile, pathStyle, noSignRequest, expectedOwner }
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  }
  const { endpointUrl: _url, region: _region, pathStyle: _style, ...both } = connection
  return { ...both, source: end(sides.source), destination: end(sides.destination) }
}

/** Tells how far one phase of the run has come. */
export function progressOf({ io, quiet, json }: ChecksumSetup, verb: string): ScanProgress {
  const redraws = mayRedraw(io, false)
  return createScanProgress(io.stderr, {
    ...{ verb, quiet: quiet || (json && !redraws), redraws, log: io.log },
    paint: io.paint?.stderr,
  })
}
