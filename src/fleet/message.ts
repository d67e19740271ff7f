import { checkDeferredDelete } from '../checkpoint/deferred-delete-ledger.js'
import { FAILURE_FIELDS } from '../checkpoint/ledger-lines.js'
import type { ErrorImage, FromHand, ToHand } from '../engine/workers/messages.js'
import type { VerifyProduct } from '../engine/workers/readers.js'
import type { WriteProduct } from '../engine/workers/tasks.js'
import type { Task } from '../engine/workers/worker-pool.js'
import type { RunEvent, Throttle } from '../job/events.js'
import type { Failure, WaitingObject } from '../job/outcome.js'
import {
  checkCount,
  checkDuration,
  counts,
  flag,
  list,
  Mismatch,
  oneOf,
  positive,
  shape,
  text,
  tuple,
  type Check,
} from '../job/schema.js'
import { totalsShape } from '../job/totals.js'
import { verdictsShape } from '../job/verdicts.js'
import type { PageFacts } from '../sources/page-facts.js'
import type { Cursor } from '../sources/ranges/remote-ranges.js'
import type { TallyGain } from '../sources/tally.js'
import type { Notice } from '../storage/notice.js'
import type { Meter } from '../storage/retry.js'
import {
  FROM_LARGE,
  largeObjectShape,
  skipReasonShape,
  TO_LARGE,
  type FromLarge,
  type ToLarge,
} from './large-message.js'

/** Of what ends a host, for people. */
export type FailedOnWire = { readonly type: 'failed'; readonly message: string; readonly hint?: string }

/** What a member says of itself. */
export type FromMember =
  | {
      readonly type: 'join'
      readonly host: string
      readonly hands: number
      /** How many large objects it copies at once. */
      readonly large: number
      /** What the host was before, and is no more. */
      readonly instead?: string | undefined
    }
  /** All that it held is given back. */
  | { readonly type: 'leave' }
  | FromLarge
  /** What was requested for large objects since the last time. */
  | { readonly type: 'meter'; readonly meter: Meter }
  | { readonly type: 'notice'; readonly notice: Notice }
  /** It cannot go on. */
  | FailedOnWire

/** What a member is told. */
export type ToMember =
  | { readonly type: 'welcome' }
  /** It is a member no more: nothing that it says is taken in. With `dismissed` it is not to come again in this session. */
  | { readonly type: 'void'; readonly reason: string; readonly dismissed: boolean }
  /** Nothing is left to be done. */
  | { readonly type: 'over' }
  | ToLarge

/** What a hand that is lent says: what any hand says, and that it is no more. */
export type FromLent = FromHand | { readonly type: 'gone' }

/** What it is told. */
export type ToLent = ToHand | { readonly type: 'start' }

/** Messages by their type; what has another one is a `Mismatch`. */
function byType<T extends { readonly type: string }>(types: {
  readonly [K in T['type']]: Check<Extract<T, { readonly type: K }>>
}): Check<T> {
  const known = new Map(Object.entries<Check<T>>(types))
  return (value, at) => {
    const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
    const check = typeof type === 'string' ? known.get(type) : undefined
    if (check === undefined) throw new Mismatch(`${at} is no message that is known here`)
    return check(value, at)
  }
}

type FactsOnWire = Omit<PageFacts, 'first' | 'last'> & { readonly first?: string; readonly last?: string }
const factsOnWire = shape<FactsOnWire>(
  { count: checkCount, truncated: flag, inDoubt: flag, samples: list(text) },
  { first: text, last: text },
)
const facts: Check<PageFacts> = (value, at) => {
  const { first, last, ...rest } = factsOnWire(value, at)
  return { ...rest, first, last }
}

const gain = shape<TallyGain>(
  {
    totals: totalsShape,
    added: checkCount,
    failures: list(shape<Failure>(FAILURE_FIELDS.required, FAILURE_FIELDS.optional)),
    deferred: list(largeObjectShape),
    waiting: list(shape<WaitingObject>(FAILURE_FIELDS.required, { ...FAILURE_FIELDS.optional, copy: text })),
    deferredDeletes: list(checkDeferredDelete),
  },
  {},
)

type SkippedEvent = Extract<RunEvent, { readonly type: 'skipped' }>
type DoneEvent = Extract<RunEvent, { readonly bytes: number }>
const skipped = shape<SkippedEvent>({ type: oneOf('skipped'), key: text, reason: skipReasonShape }, {})
const done = shape<DoneEvent>(
  { type: oneOf('copied', 'rewritten', 'tagged', 'deleted', 'moved'), key: text, bytes: checkCount },
  {},
)
const seen: Check<RunEvent> = (value, at) =>
  typeof value === 'object' && value !== null && 'reason' in value ? skipped(value, at) : done(value, at)

const writeProduct = shape<WriteProduct>({ gain, seen: list(seen) }, {})

interface VerifyOnWire {
  readonly gain: VerifyProduct['gain']
  /** In base64. */
  readonly bytes: string
}
const verifyOnWire = shape<VerifyOnWire>({ gain: verdictsShape, bytes: text }, {})

function product(task: Task, value: unknown, at: string): unknown {
  if (task.kind === 'write') return writeProduct(value, at)
  const { gain, bytes } = verifyOnWire(value, at)
  const found: VerifyProduct = { gain, bytes: new Uint8Array(Buffer.from(bytes, 'base64')) }
  return found
}

/** What is sent of what a hand says. */
export function onWire(message: FromLent): object {
  if (message.type === 'delivery') {
    const { product } = message
    if (typeof product !== 'object' || product === null || !('bytes' in product)) return message
    const { bytes, ...rest } = product as VerifyProduct
    return { ...message, product: { ...rest, bytes: Buffer.from(bytes).toString('base64') } satisfies VerifyOnWire }
  }
  return message.type === 'failed' ? failedOnWire(message.error) : message
}

/** What is sent of what ends a host. */
export function failedOnWire(error: ErrorImage): FailedOnWire {
  const hint = error.kind === 'storage' ? error.details.hint : error.kind === 'user' ? error.hint : undefined
  return { type: 'failed', message: error.message, ...(hint === undefined ? {} : { hint }) }
}

const type = <const T extends string>(name: T): Check<T> => oneOf(name)

const meter = shape<Meter>({ requests: counts, throttled: checkCount, retried: checkCount }, {})
const throttle = shape<Throttle>({ lanes: checkCount, rate: checkDuration, prefix: text }, {})

type PulseOnWire = Omit<Extract<FromHand, { readonly type: 'pulse' }>, 'held' | 'refused'> & {
  readonly held?: Throttle
  readonly refused?: [string, number][]
}
const pulse = shape<PulseOnWire>(
  { type: type('pulse'), meter, inFlight: checkCount },
  { held: throttle, refused: list(tuple<[string, number]>(text, checkCount)) },
)

const NOTICE = /^(?:not-a-key|other-attributes|not-looked-at|(?:not-supported|sends-more|not-kept|not-told) .*)$/s
const noticeKind: Check<Notice['kind']> = (value, at) => {
  const kind = text(value, at)
  if (!NOTICE.test(kind)) throw new Mismatch(`${at} is no notice that is known here`)
  return kind as Notice['kind']
}

const failed = shape<FailedOnWire>({ type: type('failed'), message: text }, { hint: text })

const notice = shape<{ type: 'notice'; notice: Notice }>(
  { type: type('notice'), notice: shape<Notice>({ kind: noticeKind, message: text }, {}) },
  {},
)

const cursors = list(tuple<[number, string, number]>(positive, text, checkCount))

/** Reads what a hand says that has this task. Throws a `Mismatch` where it is not understood. */
export function fromLent(task: Task): Check<FromLent> {
  return byType<FromLent>({
    claim: shape({ type: type('claim') }, {}),
    page: shape({ type: type('page'), grant: positive, facts }, {}),
    trimmed: shape({ type: type('trimmed'), grant: positive, facts, from: facts }, {}),
    release: shape({ type: type('release'), grant: positive }, {}),
    delivery: (value, at) => {
      const delivery = shape<{ type: 'delivery'; cursors: Cursor[]; product: unknown }>(
        { type: type('delivery'), cursors, product: (one) => one },
        {},
      )(value, at)
      return { ...delivery, product: product(task, delivery.product, `${at}.product`) }
    },
    pulse: (value, at) => {
      const { held, refused, ...rest } = pulse(value, at)
      return { ...rest, held, refused }
    },
    notice,
    failed: (value, at) => {
      const { message, hint } = failed(value, at)
      return { type: 'failed', error: { kind: 'user', message, hint } }
    },
    ended: shape({ type: type('ended') }, {}),
    gone: shape({ type: type('gone') }, {}),
  })
}

type GrantOnWire = { readonly type: 'grant'; readonly grant: number; readonly after?: string; readonly until?: string }
const grant = shape<GrantOnWire>({ type: type('grant'), grant: positive }, { after: text, until: text })
const verdict = shape<{ readonly ended: boolean; readonly until?: string; readonly trim: boolean }>(
  { ended: flag, trim: flag },
  { until: text },
)

/** Reads what a hand is told. */
export const toLent: Check<ToLent> = byType<ToLent>({
  start: shape({ type: type('start') }, {}),
  grant: (value, at) => {
    const { after, until, ...rest } = grant(value, at)
    return { ...rest, after, until }
  },
  none: shape({ type: type('none') }, {}),
  verdict: (value, at) => {
    const answer = shape<{ type: 'verdict'; grant: number; verdict: ReturnType<typeof verdict> }>(
      { type: type('verdict'), grant: positive, verdict },
      {},
    )(value, at)
    const { ended, until, trim } = answer.verdict
    return { ...answer, verdict: { ended, until, trim } }
  },
  settled: shape({ type: type('settled') }, {}),
  drain: shape({ type: type('drain') }, {}),
  gate: shape({ type: type('gate'), action: oneOf('pause', 'resume') }, {}),
  probe: shape({ type: type('probe'), count: checkCount }, {}),
})

/** Reads what a member says of itself. */
export const fromMember: Check<FromMember> = byType<FromMember>({
  join: shape({ type: type('join'), host: text, hands: positive, large: checkCount }, { instead: text }),
  leave: shape({ type: type('leave') }, {}),
  ...FROM_LARGE,
  meter: shape({ type: type('meter'), meter }, {}),
  notice,
  failed,
})

/** Reads what a member is told. */
export const toMember: Check<ToMember> = byType<ToMember>({
  welcome: shape({ type: type('welcome') }, {}),
  void: shape({ type: type('void'), reason: text, dismissed: flag }, {}),
  over: shape({ type: type('over') }, {}),
  ...TO_LARGE,
})
