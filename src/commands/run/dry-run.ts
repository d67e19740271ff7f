import type { ListState } from '../../checkpoint/checkpoint.js'
import type { Prospect } from '../../engine/actions/context.js'
import { rehearse } from '../../engine/session/rehearsal.js'
import type { Snapshot } from '../../job/events.js'
import { mapOf, type WriteJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import type { KeyRange } from '../../keys.js'
import { jsonRecord } from '../../report/json-records.js'
import type { Paint } from '../../report/paint.js'
import { heldLines, type Progress, type ProgressOptions } from '../../report/progress.js'
import { exampleLine } from '../../report/summary.js'
import { renamer } from '../../rules/rename.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { sayTo } from './attended.js'
import type { Example } from './example.js'
import { threadsFor, type Opened } from './open-and-run.js'
import { planFields, planLines } from './plan-report.js'
import { ProspectExamples, prospectLine, prospectRecord, prospectText } from './prospect-lines.js'
import { EXIT } from '../options/exit.js'
import { mayRedraw, unless, type CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'

/** What a dry run needs. */
export interface DryRunOptions {
  readonly job: WriteJob
  readonly pace: Pace
  readonly ranges: readonly KeyRange[]
  /** What remains of the list of the job. */
  readonly list: ListState | undefined
  /** What is told of names. */
  readonly example?: Example | undefined
  readonly opened: Opened
  readonly progress: Progress
  readonly telling: OutputOptions
  readonly io: CommandIo
}

/** How a rehearsal tells of its progress. */
export function rehearsing(
  io: CommandIo,
  { verbose, json }: OutputOptions,
): Pick<ProgressOptions, 'rehearsal' | 'redraws'> {
  return { rehearsal: true, redraws: mayRedraw(io, verbose && !json) }
}

/** Lists, decides about each object, and says what a run would do and which requests it would send. Writes nothing, here or there. */
export async function dryRun(options: DryRunOptions): Promise<number> {
  const { job, pace, ranges, list, example, opened, progress, telling, io } = options
  const { ends, drain } = opened
  if (ends.destination?.unwritable !== undefined) throw ends.destination.unwritable
  if (example !== undefined && !telling.json) sayTo(io, exampleLine(example))
  const nameOf = renamer(mapOf(job))
  const lines = heldLines((text) => {
    progress.giveWay()
    io.stdout.write(text)
  })
  const examples = new ProspectExamples()
  const tell = (object: ObjectSummary, prospect: Prospect): void => {
    // What stays as it is may be nearly all.
    if (prospect.kind === 'skipped' && prospect.reason === 'unchanged') return
    const wanted = examples.wants(prospect, object.key)
    if (!wanted && !telling.verbose) return
    const line = prospectLine(job, nameOf, object, prospect)
    if (wanted) examples.add(prospect, object.key, line)
    if (telling.verbose) lines.add(telling.json ? prospectRecord(line) : prospectText(job, line))
  }
  const told = (snapshot: Snapshot): void => {
    lines.flush()
    progress.event({ type: 'progress', snapshot })
  }
  const threads = threadsFor(job, pace)
  const work = rehearse({ job, pace, threads, ranges, list, ends, drain, tell, progress: told })
  const found = await unless(io.abandon, work)
  const complete = !drain.signal.aborted
  lines.flush()
  progress.close()
  const plan = { job, found, complete, example, examples: examples.all() }
  const shown = telling.verbose || telling.quiet ? { ...plan, examples: [] } : plan
  const text = (paint?: Paint): string => `${planLines(shown, paint).join('\n')}\n`
  io.stdout.write(telling.json ? `${jsonRecord('plan', planFields(plan))}\n` : text(io.paint?.stdout))
  io.log?.write(text())
  return complete ? EXIT.done : EXIT.interrupted
}
