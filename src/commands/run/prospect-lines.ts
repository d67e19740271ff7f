import type { ExampleState } from '../../checkpoint/unfinished-rehearsal.js'
import type { Prospect } from '../../engine/actions/context.js'
import { deletionPlace, writeKindOf, type WriteJob } from '../../job/kinds.js'
import type { SkipReason } from '../../job/outcome.js'
import { placeUrl } from '../../job/place.js'
import { compareKeys, printable } from '../../keys.js'
import { jsonRecord } from '../../report/json-records.js'
import { skipReason } from '../../report/summary.js'
import type { Change } from '../../rules/decide.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { endsOf } from './open-and-run.js'

type Task = ReturnType<typeof writeKindOf>['task']

/** What would become of one object. */
export type ProspectLine =
  | { readonly type: `would-${Task}`; readonly key: string; readonly to: string; readonly bytes: number }
  | { readonly type: 'would-delete'; readonly key: string; readonly bytes: number }
  | { readonly type: 'would-set'; readonly key: string; readonly changes: readonly Change[] }
  | { readonly type: 'would-skip'; readonly key: string; readonly reason: SkipReason }
  | { readonly type: 'would-fail'; readonly key: string; readonly code: string }

/** The line of an object; `nameOf` answers its new name. */
export function prospectLine(
  job: WriteJob,
  nameOf: (key: string) => string,
  object: ObjectSummary,
  outcome: Prospect,
): ProspectLine {
  const key = job.source.prefix + object.key
  switch (outcome.kind) {
    case 'copied': {
      if (!('destination' in job)) return { type: 'would-set', key, changes: outcome.changes ?? [] }
      const to = job.destination.prefix + nameOf(object.key)
      return { type: `would-${writeKindOf(job).task}`, key, to, bytes: object.size }
    }
    case 'deleted':
    case 'delete-deferred':
      return { type: 'would-delete', key: deletionPlace(job).prefix + object.key, bytes: object.size }
    case 'skipped':
      return { type: 'would-skip', key, reason: outcome.reason }
    case 'failed':
      return { type: 'would-fail', key, code: outcome.failure.code }
  }
}

/** A line as a record. */
export function prospectRecord({ type, ...fields }: ProspectLine): string {
  return jsonRecord(type, fields)
}

/** A line for people; of more than one where headers would change. */
export function prospectText(job: WriteJob, line: ProspectLine): string {
  const { bucket } = line.type === 'would-delete' ? deletionPlace(job) : job.source
  const from = placeUrl({ bucket, prefix: line.key })
  if ('to' in line)
    return `${line.type.slice('would-'.length)} ${from} ${placeUrl({ ...endsOf(job).destination, prefix: line.to })}`
  switch (line.type) {
    case 'would-delete':
      return `delete ${from}`
    case 'would-set':
      return [
        `set ${from}`,
        ...line.changes.map(({ name, from, to }) => `  ${printable(name)}: ${value(from)} -> ${value(to)}`),
      ].join('\n')
    case 'would-skip':
      return `skip ${from} (${skipReason(line.reason)})`
    case 'would-fail':
      return `fail ${from} (${line.code})`
  }
}

function value(text: string | undefined): string {
  return text === undefined ? '(none)' : `"${printable(text)}"`
}

/** So many lines of a kind are examples. */
const EXAMPLES = 3

interface ExampleLine {
  readonly key: string
  readonly line: ProspectLine
}

/** The first lines of each kind, by key, of what would be done or fail. */
export class ProspectExamples {
  private readonly first = new Map<string, ExampleLine[]>()

  /** Goes on from `before`. */
  constructor(before: readonly ExampleState[] = []) {
    for (const { kind, order, ...line } of before) {
      this.first.set(kind, [...(this.first.get(kind) ?? []), { key: order, line: line as ProspectLine }])
    }
  }

  /** Whether a line of an object would be among them by now: of most it need not be made. */
  wants({ kind }: Prospect, key: string): boolean {
    if (kind === 'skipped') return false
    const found = this.first.get(kind)
    const last = found?.[EXAMPLES - 1]
    return last === undefined || compareKeys(key, last.key) < 0
  }

  /** Takes in a line that is wanted; they come in any order. */
  add({ kind }: Prospect, key: string, line: ProspectLine): void {
    const found = [...(this.first.get(kind) ?? []), { key, line }]
    found.sort((a, b) => compareKeys(a.key, b.key))
    this.first.set(kind, found.slice(0, EXAMPLES))
  }

  /** As they are kept. */
  state(): readonly ExampleState[] {
    return [...this.first].flatMap(([kind, lines]) =>
      lines.map(({ key: order, line }): ExampleState => ({ kind, order, ...line })),
    )
  }

  /** Those of all kinds, as far as there are any. */
  all(): readonly ProspectLine[] {
    return [...this.first.values()].flat().map(({ line }) => line)
  }
}
