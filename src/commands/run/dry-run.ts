import { resolve } from 'node:path'
import { savePlan, type SavedPlan } from '../../checkpoint/saved-plan.js'
import type { KeptRehearsal, RehearsalState } from '../../checkpoint/unfinished-rehearsal.js'
import type { Prospect, Requests } from '../../engine/actions/context.js'
import type { Sampling } from '../../engine/session/object-sampling.js'
import { rehearse, type Rehearsal } from '../../engine/session/rehearsal.js'
import { StoppedError } from '../../errors.js'
import type { Snapshot } from '../../job/events.js'
import { mapOf, type WriteJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import { settled } from '../../job/totals.js'
import { shellWord } from '../../report/format.js'
import { jsonRecord } from '../../report/json-records.js'
import type { Paint } from '../../report/paint.js'
import { heldLines, type Progress, type ProgressOptions } from '../../report/progress.js'
import { exampleLine } from '../../report/summary.js'
import { renamer } from '../../rules/rename.js'
import { boundariesOf, type KeyPortion } from '../../rules/shards.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { version } from '../../version.js'
import { sayTo, tell } from './attended.js'
import type { Example } from './example.js'
import { RehearsalKeeper, rehearsalFolder } from './kept-rehearsal.js'
import { threadsFor, type Opened } from './open-and-run.js'
import { checkOutput, writeResult } from './output-file.js'
import { isOfAws, plannedCostOf, pricesFrom } from './plan-cost.js'
import { planPage } from './plan-page.js'
import { goingOn, planFields, planLines, type RehearsedPlan } from './plan-report.js'
import { lossesOfSample, ObjectSample } from './plan-sample.js'
import { ProspectExamples, prospectLine, prospectRecord, prospectText } from './prospect-lines.js'
import { EXIT } from '../options/exit.js'
import { Interrupted, mayRedraw, unless, type CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'
import type { Planning } from '../options/plan-options.js'

/** What a dry run needs. */
export interface DryRunOptions {
  readonly job: WriteJob
  readonly pace: Pace
  /** Where it begins, or goes on. */
  readonly from: RehearsalState
  /** What is kept of it, where it goes on. */
  readonly before?: KeptRehearsal | undefined
  /** What was sent before it that a run sends too, where that is not all. */
  readonly begin?: Requests
  /** Where only a sample of the objects is looked at. */
  readonly sampling?: Sampling | undefined
  /** Puts a copy of the list of the job into a folder, where it is no file of this machine. */
  readonly keepList?: ((job: WriteJob, folder: string) => Promise<WriteJob>) | undefined
  /** What is told of names. */
  readonly example?: Example | undefined
  readonly opened: Opened
  readonly progress: Progress
  readonly telling: OutputOptions
  readonly io: CommandIo
}

/** So many objects of all are looked at for where the key space is to be cut, at so many places, if there are so many objects for each. */
const MARKED = 4_096
const MOST_MARKS = 127
const OBJECTS_A_MARK = 2_000

/** And so many for each shard: then these differ by an eighth of their size, as chance has it. */
const MARKED_A_SHARD = 64

function markedFor({ save, shards = 0 }: Planning): number {
  return save === undefined ? 0 : Math.max(MARKED, shards * MARKED_A_SHARD)
}

// All of it, whatever of it is told on standard output.
function formOf(plan: RehearsedPlan, format: 'text' | 'json' | 'html'): string {
  switch (format) {
    case 'text':
      return `${planLines(plan).join('\n')}\n`
    case 'json':
      return `${jsonRecord('plan', planFields(plan))}\n`
    case 'html':
      return planPage(plan)
  }
}

/** How a rehearsal tells of its progress. */
export function rehearsing(
  io: CommandIo,
  { verbose, json }: OutputOptions,
): Pick<ProgressOptions, 'rehearsal' | 'redraws'> {
  return { rehearsal: true, redraws: mayRedraw(io, verbose && !json) }
}

/** Lists, decides about each object, and says what a run would do and which requests it would send. Writes nothing there, and here only what it needs to go on after an interruption. */
export async function dryRun(options: DryRunOptions): Promise<number> {
  const { job, pace, from, before, begin, sampling, example, opened, progress, telling, io } = options
  const { planning } = io
  const { ends, drain } = opened
  const { prices: files = [] } = pace
  // What is wrong with them is worth an end before the listing.
  const prices = planning !== undefined || files.length > 0 || isOfAws(ends) ? await pricesFrom(files) : undefined
  if (planning?.to !== undefined) await checkOutput(planning.to.path)
  if (ends.destination?.unwritable !== undefined) throw ends.destination.unwritable
  if (example !== undefined && !telling.json) sayTo(io, exampleLine(example))
  const nameOf = renamer(mapOf(job))
  const lines = heldLines((text) => {
    progress.giveWay()
    io.stdout.write(text)
  })
  const examples = new ProspectExamples(before?.found.examples)
  const sample = new ObjectSample(planning?.sample ?? 0, before?.found.sample)
  const all = new ObjectSample(planning === undefined ? 0 : markedFor(planning), before?.found.marks)
  const tellOf = (object: ObjectSummary, prospect: Prospect): void => {
    sampling?.add(object, prospect)
    if (planning?.save !== undefined) all.add(object)
    if (planning !== undefined && prospect.kind === 'copied') sample.add(object)
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
  const threads = threadsFor(job, pace, from.list)
  let stateNow: (() => RehearsalState) | undefined
  const { connection, sourceFolder } = ends
  const folder = before?.folder ?? rehearsalFolder(job, connection)
  const keeper = new RehearsalKeeper({
    folder,
    keepList: (one) => options.keepList?.(one, folder) ?? Promise.resolve(one),
    warn: (message) => progress.event({ type: 'note', level: 'warning', message }),
    take: () =>
      stateNow && {
        ...{ job, connection, ...(sourceFolder === undefined ? {} : { sourceFolder }), pace },
        ...(planning === undefined ? {} : { planning: kept(planning, io.cwd) }),
        ...{ state: stateNow(), examples: examples.state(), sample: sample.state(), marks: all.state() },
      },
  })
  const keep = (state: () => RehearsalState): void => {
    // A sample is drawn anew as soon.
    if (sampling !== undefined) return
    stateNow = state
    keeper.start()
  }
  let found: Rehearsal
  try {
    const sampled = sampling?.from
    const work = rehearse({ job, pace, threads, from, ends, drain, begin, sampled, tell: tellOf, keep, progress: told })
    found = await unless(io.abandon, work)
  } catch (error) {
    keeper.stop()
    lines.flush()
    // What is wrong with all objects may be set right, and the rest be looked at then.
    const place = error instanceof StoppedError ? await keeper.keep() : undefined
    if (place !== undefined) tell(`what it has seen so far is kept; ${goingOn(place)}`, { telling, progress, io })
    throw error
  }
  const complete = !drain.signal.aborted
  lines.flush()
  if (sampling !== undefined && !complete) throw new Interrupted('interrupted')
  const { groups } = found
  const sampled = { sample: sample.objects(), stop: drain.signal }
  const cost =
    prices && (planning !== undefined || complete)
      ? await unless(io.abandon, plannedCostOf({ job, found, ends, prices, anyStore: files.length > 0, ...sampled }))
      : undefined
  const planned =
    planning && cost
      ? {
          ...{ groups, cost },
          losses: await unless(io.abandon, lossesOfSample(job, sampled.sample, ends, sampled.stop)),
        }
      : undefined
  const checkpoint = complete ? undefined : await keeper.keep()
  progress.close()
  const figures = sampling?.figures()
  const plan = { job, found, complete, figures, checkpoint, example, examples: examples.all(), planned, cost }
  const shown = telling.verbose || telling.quiet ? { ...plan, examples: [] } : plan
  const text = (paint?: Paint): string => `${planLines(shown, paint).join('\n')}\n`
  io.stdout.write(telling.json ? `${jsonRecord('plan', planFields(plan))}\n` : text(io.paint?.stdout))
  io.log?.write(text())
  if (planning?.save !== undefined && complete) {
    const { save, shards } = planning
    const portions = sampling?.portions ?? all.objects().map(({ key }) => ({ until: key, keys: 1 }))
    await savePlan(save, { job, connection, ...toSave(found, portions, shards) })
    const each = shards === undefined ? '' : ` --shard K/${shards}, with K from 1 to ${shards}`
    sayTo(io, `the plan is in ${shellWord(save)}; to run it, add --plan ${shellWord(save)}${each}`)
  }
  if (planning?.to !== undefined) await writeResult(planning.to.path, formOf(plan, planning.to.format))
  // Only now nothing of it is of use any more.
  if (complete) await keeper.end()
  return complete ? EXIT.done : EXIT.interrupted
}

function toSave(
  { totals }: Rehearsal,
  portions: readonly KeyPortion[],
  shards: number | undefined,
): Omit<SavedPlan, 'format' | 'job' | 'connection'> {
  const listed = settled(totals)
  const marks = boundariesOf(portions, Math.min(MOST_MARKS, Math.floor(listed / OBJECTS_A_MARK)) + 1)
  return {
    ...{ program: `s3move ${version()}`, madeAt: new Date().toISOString(), listed, totals, marks },
    ...(shards === undefined ? {} : { boundaries: boundariesOf(portions, shards) }),
  }
}

// Whoever goes on with it may be elsewhere.
function kept({ quick: _, ...planning }: Planning, cwd: string): Planning {
  return planning.save === undefined ? planning : { ...planning, save: resolve(cwd, planning.save) }
}
