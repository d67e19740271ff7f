import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { listOf, type WriteJob } from '../../job/kinds.js'
import type { OpenStores } from '../../storage/open.js'
import { exceptParts, FEW_ATTEMPTS, type SetAside, type UnlikeOthers } from '../../storage/set-aside.js'
import { entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { ListRanges } from '../../sources/files-from/list-ranges.js'
import type { Complete } from '../../sources/named-object.js'
import { RetrySource } from '../../sources/retry-source.js'
import type { Tally } from '../../sources/tally.js'
import { actOf, decisionOf } from '../actions/actions.js'
import type { ActionContext, UploadLog } from '../actions/context.js'
import { streamMemory } from '../actions/copy-streamed.js'
import { actingOnNamed, lookingUp, unlessKnown } from '../actions/look-up-listed.js'
import { unclearBetween, type Unclear } from '../actions/manifests.js'
import { NameLocks } from '../actions/name-locks.js'
import { SpotChecks } from '../actions/spot-checks.js'
import type { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import type { Action, Decide } from '../lanes/lane.js'
import type { Pacer } from '../lanes/pacer.js'
import { attempting } from './retry-one.js'
import type { SessionParts } from './session-state.js'
import type { WaitingOptions } from './waiting.js'

/** What the actions of a session need of it. */
export interface SessionActionsOptions {
  readonly job: WriteJob
  readonly ends: OpenStores
  /** Those of looks at objects that were only named. */
  readonly slots: ConcurrencyLimit
  readonly unlikeOthers: UnlikeOthers
  readonly stop: AbortSignal
  readonly fail: (error: unknown) => void
}

/** What the main thread does to objects, wherever they come from. */
export class SessionActions {
  private readonly common: Pick<ActionContext, 'settings' | 'memory' | 'stop' | 'turns'>
  private readonly isUnclear: Unclear | undefined
  private readonly checks: SpotChecks
  private readonly checksOfLarge: ReturnType<SpotChecks['lane']>

  constructor(private readonly options: SessionActionsOptions) {
    const { ends, stop, fail } = options
    const { settings, notice, source, destination = source } = ends
    const turns = new NameLocks(settings.nameLocks, stop)
    this.common = { settings, memory: streamMemory(settings), stop, turns }
    this.isUnclear = unclearBetween(source.store, destination.store)
    this.checks = new SpotChecks({ strict: settings.onLoss === 'fail', notice, fail })
    this.checksOfLarge = this.checks.lane()
  }

  /** What is read from a ledger of failures and from a list, as far as that was before. */
  sources(folder: string, { retry, list }: WriteCheckpoint, tally: Tally): Pick<SessionParts, 'again' | 'list'> {
    const { job, unlikeOthers, ends, fail } = this.options
    const complete = this.completing(unlikeOthers)
    const keyList = listOf(job)
    return {
      again: retry && new RetrySource(folder, retry, job.source.prefix, tally, complete),
      list: keyList && list && new ListRanges(keyList, entryNeedsOf(job, ends.listFiles), { begun: list, fail }),
    }
  }

  /** The context of a lane. */
  readonly contextFor = (pacer: Pacer): ActionContext =>
    this.context(this.options.unlikeOthers, this.checks.lane(), pacer)

  /** The action of a lane on objects that were read by their names. */
  onNamed(pacer: Pacer): Action {
    const { job } = this.options
    const act = actOf(job, this.contextFor(pacer))
    return listOf(job) === undefined ? act : actingOnNamed(act, job.source.prefix)
  }

  /** What is decided about them without a request. */
  decideNamed(): Decide {
    const { job, ends } = this.options
    return unlessKnown(decisionOf(job, { ...ends, isUnclear: this.isUnclear }, 'act'))
  }

  /** The action on a large object, of whose upload somebody keeps account. */
  onLarge(uploads: UploadLog): Action {
    const { job, unlikeOthers } = this.options
    return actOf(job, { ...this.context(exceptParts(unlikeOthers), this.checksOfLarge), uploads })
  }

  /** One attempt at an object that was set aside. */
  attempt(): WaitingOptions['attempt'] {
    const { job, ends } = this.options
    const ways = this.context(FEW_ATTEMPTS, this.checks.lane())
    return attempting({ job, ways, ends, complete: this.completing(FEW_ATTEMPTS) })
  }

  private completing(setAside: SetAside): Complete {
    const { job, ends, slots, stop } = this.options
    return lookingUp({ job, storeFor: (pacer) => ends.source.storeFor(pacer, setAside), slots, stop })
  }

  private context(setAside: SetAside, checks: ActionContext['checks'], pacer?: Pacer): ActionContext {
    const { source, destination } = this.options.ends
    if (destination === undefined) throw new Error('there is no destination to write to')
    return {
      ...{ source: source.storeFor(pacer, setAside), destination: destination.storeFor(pacer, setAside) },
      ...{ ...this.common, checks },
    }
  }
}
