import { UserError } from '../errors.js'
import type { Side } from '../job/place.js'
import type { Difference, ListedTraits, Problem } from '../job/verdicts.js'
import { printable } from '../keys.js'
import type { Sortable } from '../sources/files-from/external-sort.js'
import { NOT_COMPUTED } from './report.js'

/** What is known of an object of one side: what was listed, or what came of computing its checksum. */
export type ChecksumFact =
  | ({
      readonly kind: 'listed'
      /** The job that was to read it. */
      readonly job: number
    } & ListedTraits)
  | { readonly kind: 'computed'; readonly etag: string; readonly checksum: string }
  | ({ readonly kind: 'failed' } & Problem)

/** A fact, as it is sorted: by the name of its object, relative to the place. */
export function factLine(name: string, side: Side, fact: ChecksumFact): Sortable {
  return { key: name, line: JSON.stringify([name, side, fact]) }
}

type Line = readonly [name: string, side: Side, fact: ChecksumFact]

/** The name that a line is sorted by. */
export function nameInLine(line: string): string {
  return lineOf(line)[0]
}

function lineOf(line: string): Line {
  return JSON.parse(line) as Line
}

/** An object of one side, with what was listed of it. */
interface SideFacts {
  readonly listed: ListedTraits
  readonly result: Exclude<ChecksumFact, { kind: 'listed' }>
}

/** How the objects of a name compare. */
export interface ComparedName extends Difference {
  /** Relative to the places. */
  readonly key: string
}

/**
 * Compares what has one name, as the facts of both sides tell, which come in the order of the names; a few at a time. `untold` says why a job has told
 * nothing of an object. What nobody has listed is a `UserError`: then the report is another's.
 */
export async function* comparedNames(
  sorted: AsyncIterable<readonly Sortable[]>,
  untold: (job: number) => Problem,
): AsyncGenerator<readonly ComparedName[], void, undefined> {
  let group: [Line, ...Line[]] | undefined
  for await (const some of sorted) {
    const found: ComparedName[] = []
    for (const { line } of some) {
      const next = lineOf(line)
      if (group?.[0][0] === next[0]) group.push(next)
      else {
        if (group !== undefined) found.push(comparedIn(group, untold))
        group = [next]
      }
    }
    yield found
  }
  if (group !== undefined) yield [comparedIn(group, untold)]
}

function comparedIn(group: readonly [Line, ...Line[]], untold: (job: number) => Problem): ComparedName {
  const [[key]] = group
  const [source, destination] = [factsOf('source', group, untold), factsOf('destination', group, untold)]
  const traits = {
    ...(source === undefined ? {} : { source: source.listed }),
    ...(destination === undefined ? {} : { destination: destination.listed }),
  }
  if (source === undefined || destination === undefined)
    return { key, verdict: source === undefined ? 'extra' : 'missing', ...traits }
  if (source.listed.size !== destination.listed.size) return { key, verdict: 'different', differs: ['size'], ...traits }
  const [from, to] = [source.result, destination.result]
  // What was written since it was listed is another object than the one that was to be compared.
  if (isChanged(source) || isChanged(destination)) return { key, verdict: 'different', differs: ['changed'], ...traits }
  if (from.kind === 'failed') return { key, verdict: 'unknown', problem: problemOf('source', from), ...traits }
  if (to.kind === 'failed') return { key, verdict: 'unknown', problem: problemOf('destination', to), ...traits }
  if (from.checksum === to.checksum) return { key, verdict: 'same', ...traits }
  return { key, verdict: 'different', differs: ['content'], ...traits }
}

function isChanged({ listed, result }: SideFacts): boolean {
  return result.kind === 'computed' && result.etag !== listed.etag
}

function problemOf(side: Side, { code, message }: Problem): Problem {
  return { code, message: `${side}: ${message}` }
}

function factsOf(
  side: Side,
  group: readonly [Line, ...Line[]],
  untold: (job: number) => Problem,
): SideFacts | undefined {
  let listed: Extract<ChecksumFact, { kind: 'listed' }> | undefined
  let result: SideFacts['result'] | undefined
  for (const [, of, fact] of group) {
    if (of !== side) continue
    if (fact.kind === 'listed') listed = fact
    else if (result === undefined) result = fact
    else if (JSON.stringify(result) !== JSON.stringify(fact))
      result = { kind: 'failed', code: NOT_COMPUTED, message: 'the report tells of it twice, and not the same' }
  }
  if (listed !== undefined) {
    const { size, etag, job } = listed
    return { listed: { size, etag }, result: result ?? { kind: 'failed', ...untold(job) } }
  }
  if (result === undefined) return undefined
  throw new UserError(
    `a report of the ${side} names ${printable(group[0][0])}, which is in no manifest of the run`,
    'resume the run to read it again; if it stays so, the bucket of the reports was written to by somebody else',
  )
}
