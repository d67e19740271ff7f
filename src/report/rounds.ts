import type { Round, Rounds } from '../checkpoint/rounds.js'
import { timeOf } from '../times.js'
import { bytes, count, duration } from './format.js'

/** Rounds that a table shows. */
const SHOWN = 100

/** The last round in words, at a moment: what it did, and how far behind the destination is. */
export function roundLine(rounds: Rounds, now: Date): string {
  const last = rounds.rounds.at(-1)
  if (last === undefined) return 'no round has ended'
  return `round ${count(last.number)}: ${roundInWords(last)}; ${lagInWords(rounds.settled?.here, now)}`
}

/** What a round did. */
function roundInWords(round: Round): string {
  const { copied, deleted, unchanged, newer, failed } = round
  const parts = [
    copied === 0 ? 'none copied' : `${count(copied)} copied (${bytes(round.bytes)})`,
    ...(deleted === 0 ? [] : [`${count(deleted)} deleted`]),
    `${count(unchanged)} unchanged`,
    ...(newer === 0 ? [] : [`${count(newer)} left as they are: newer at the destination`]),
    failed === 0 ? 'none failed' : `${count(failed)} failed, tried again in the next`,
  ]
  return `${parts.join(', ')}, in ${duration(tookOf(round))}`
}

/** Rounds as rows of a table, the last ones, the last one last; the first row is its head. */
export function roundTable({ rounds }: Rounds): readonly (readonly string[])[] {
  const head = ['round, began (UTC)', 'took', 'copied', 'bytes', 'deleted', 'unchanged', 'newer', 'failed']
  return [
    head,
    ...rounds
      .slice(-SHOWN)
      .map((round) => [
        `${count(round.number)}, ${round.began.here.slice(0, 19).replace('T', ' ')}`,
        ...[duration(tookOf(round)), count(round.copied), bytes(round.bytes)],
        ...[round.deleted, round.unchanged, round.newer, round.failed].map((n) => count(n)),
      ]),
  ]
}

/** How far behind the destination is, in words. */
export function lagInWords(settledAt: string | undefined, now: Date): string {
  if (settledAt === undefined) return 'no round has left nothing undone yet'
  return `what the source had at ${settledAt} is there (${duration(lagOf(settledAt, now))} ago)`
}

/** The last round as its record has it. */
export function roundFields({ rounds, settled }: Rounds, now: Date): object {
  const last = rounds.at(-1)
  if (last === undefined) return {}
  return {
    ...fieldsOfRound(last),
    ...(settled === undefined ? {} : { settledAt: settled.here, lagMs: lagOf(settled.here, now) }),
  }
}

/** A round as every record has it. */
export function fieldsOfRound({ number, began, ended, ...counts }: Round): object {
  return { number, beganAt: began.here, endedAt: ended, ...counts }
}

/** How long a round took, in milliseconds. */
function tookOf({ began, ended }: Round): number {
  return Math.max(0, timeOf(ended) - timeOf(began.here))
}

function lagOf(since: string, now: Date): number {
  return Math.max(0, now.getTime() - timeOf(since))
}
