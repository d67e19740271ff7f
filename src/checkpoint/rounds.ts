import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../errors.js'
import { unlessMissing } from '../file-system.js'
import { spanShape, type Follow, type Span } from '../job/follow.js'
import { checkCount, list, Mismatch, oneOf, shape, time } from '../job/schema.js'
import { printable } from '../keys.js'
import { timeOf } from '../times.js'
import { checkpointError } from './checkpoint-error.js'
import { replaceFile } from './durable.js'
import { jsonText, parseJson } from './json.js'

/** One moment by three clocks, ISO 8601. */
export interface Moment {
  /** This machine's. */
  readonly here: string
  readonly source: string
  readonly destination: string
}

/** What became of one round. */
export interface Round {
  /** From 1. */
  readonly number: number
  readonly began: Moment
  /** By this machine's clock, ISO 8601. */
  readonly ended: string
  readonly copied: number
  readonly bytes: number
  readonly deleted: number
  readonly unchanged: number
  /** Left as it is, since others have written it at the destination, and it is newer. */
  readonly newer: number
  readonly failed: number
}

/** The rounds of a run that follows its source. */
export interface Rounds {
  /** When the first of them began; absent before it has. */
  readonly begun?: Moment
  /** When the one began that is not over; absent between rounds. */
  readonly underWay?: Moment
  /** When the last one began that left nothing undone. */
  readonly settled?: Moment
  /** When any of them was under way, by the destination's clock, the last one last. */
  readonly spans: readonly Span[]
  /** How many have ended. */
  readonly count: number
  /** The last ones, the last one last. */
  readonly rounds: readonly Round[]
}

export const NO_ROUNDS: Rounds = { spans: [], count: 0, rounds: [] }

/** Their file in the folder of the run. */
export const ROUNDS = 'rounds.json'
const FORMAT = 1
/** Of more rounds than this nobody reads each. */
const MOST_KEPT = 1_000
/** So many are in each checkpoint of a round. */
const MOST_SPANS = 1_000

const moment = shape<Moment>({ here: time, source: time, destination: time }, {})
const round = shape<Round>(
  {
    ...{ number: checkCount, began: moment, ended: time, copied: checkCount, bytes: checkCount },
    ...{ deleted: checkCount, unchanged: checkCount, newer: checkCount, failed: checkCount },
  },
  {},
)
const document = shape<Rounds & { readonly format: 1 }>(
  { format: oneOf(FORMAT), spans: list(spanShape), count: checkCount, rounds: list(round) },
  { begun: moment, underWay: moment, settled: moment },
)

/** The rounds of the run in a folder; undefined where it has none. A `UserError` when they cannot be read. */
export async function readRounds(folder: string): Promise<Rounds | undefined> {
  const path = join(folder, ROUNDS)
  try {
    const text = await unlessMissing(readFile(path))
    if (text === undefined) return undefined
    const { format: _format, ...rounds } = document(parseJson(text), ROUNDS)
    return rounds
  } catch (error) {
    const why = error instanceof Mismatch || error instanceof Error ? error.message : String(error)
    throw new UserError(
      `the rounds of the run in ${printable(folder)} cannot be read: ${printable(why)}`,
      'restore rounds.json, or begin with a first round: add --fresh',
    )
  }
}

/** Replaces what is known of the rounds. Resolves once that would outlast a power cut. Throws a CheckpointError. */
export async function saveRounds(folder: string, rounds: Rounds): Promise<void> {
  const kept = { format: FORMAT, ...rounds, rounds: rounds.rounds.slice(-MOST_KEPT) }
  try {
    await replaceFile(join(folder, ROUNDS), `${jsonText(kept, 2)}\n`)
  } catch (error) {
    throw checkpointError('save the rounds', folder, error)
  }
}

/** What the next round is to know of those before. */
export function followOf({ begun, settled, spans }: Rounds): Follow {
  // The first round as well finds whatever the source had when it began.
  const since = settled ?? begun
  return since === undefined || spans.length === 0 ? {} : { settled: since.source, rounds: spans }
}

// By the clock that the round began by at the destination.
function spanOf({ here, destination }: Moment, ended: Date): Span {
  const to = new Date(ended.getTime() + timeOf(destination) - timeOf(here)).toISOString()
  return { from: destination, to }
}

/** Two neighbours count as one when there are too many: those that are the closest. */
export function withSpan(spans: readonly Span[], span: Span): readonly Span[] {
  const all = [...spans, span]
  if (all.length <= MOST_SPANS) return all
  const gaps = all.slice(1).map(({ from }, before) => timeOf(from) - timeOf(all[before]?.to ?? ''))
  const at = gaps.indexOf(Math.min(...gaps))
  const [one, other] = [all[at], all[at + 1]]
  if (one === undefined || other === undefined) return all
  return [...all.slice(0, at), { from: one.from, to: other.to }, ...all.slice(at + 2)]
}

/** A round begins, or goes on: its objects may have been listed since it began first. */
export function begunAt(rounds: Rounds, now: Moment): Rounds {
  return { ...rounds, begun: rounds.begun ?? now, underWay: rounds.underWay ?? now }
}

/** The one that is under way has ended so. */
export function endedWith(
  { underWay, ...rounds }: Rounds,
  now: Date,
  counts: Omit<Round, 'number' | 'began' | 'ended'>,
): Rounds {
  if (underWay === undefined) return rounds
  const number = rounds.count + 1
  const round: Round = { number, began: underWay, ended: now.toISOString(), ...counts }
  return {
    ...rounds,
    ...(counts.failed === 0 ? { settled: underWay } : {}),
    ...{ spans: withSpan(rounds.spans, spanOf(underWay, now)), count: number, rounds: [...rounds.rounds, round] },
  }
}
