import { resolve } from 'node:path'
import type { Argv } from './argv.js'
import { MOST_CONCURRENCY, MOST_LANES, type Pace } from '../../job/pace.js'
import {
  grouped,
  many,
  readAmount,
  readChoice,
  readDuration,
  readList,
  readRate,
  readWhole,
  textFlag,
  type Flags,
} from './flag-values.js'
import { readTuning } from './tune-file.js'

/** What is done when the flags do not say otherwise. */
export const DEFAULT_PACE: Pace = { concurrency: 256, lanes: 16 }

/** The same for deletions: with so many objects in flight to a lane, each request names a thousand. */
export const DELETE_PACE: Pace = { concurrency: 10_000, lanes: 8 }

const MOST_THREADS = 256

/** The heading of how fast. */
export const SPEED = 'Speed and failures:'

/** Flags of how fast. */
export function paceFlags(argv: Argv): Argv {
  return grouped(argv, SPEED, {
    concurrency: textFlag('N', 'objects in flight at once', `${DEFAULT_PACE.concurrency}`),
    lanes: textFlag('N', 'key ranges listed at once', `${DEFAULT_PACE.lanes}`),
    threads: textFlag('N', 'worker threads', 'what the machine and --concurrency can use'),
    'max-errors': textFlag(
      'N',
      'stop when more objects than this have failed',
      'when the first 1,000, or from some moment on nearly all, fail alike',
    ),
    'retry-for': RETRY_FOR,
    expect: EXPECT,
  })
}

/** Flag of the jobs by which content may pass through this machine. */
export function bandwidthFlag(argv: Argv): Argv {
  return grouped(argv, SPEED, {
    bandwidth: textFlag('SIZE', 'most bytes a second through this machine, each way; 500K, 50M, 1G', 'no limit'),
  })
}

/** Flag of the jobs that copy: what was measured says how fast. */
export function tuneFlag(argv: Argv): Argv {
  return grouped(argv, SPEED, {
    tune: textFlag('FILE', 'take what ‘s3move probe --tune FILE’ recommends, where no other flag says it'),
  })
}

/** Flags of what it may cost, and by which prices. */
export function costFlags(argv: Argv): Argv {
  return pricesFlag(
    grouped(argv, SPEED, {
      'max-cost': textFlag('USD', 'stop before requests, with what they read, cost more than this'),
    }),
  )
}

/** Flag of the prices. */
export function pricesFlag(argv: Argv): Argv {
  return grouped(argv, SPEED, {
    prices: many('FILE', 'prices in place of those that come along: index.json of the AWS price list; repeatable'),
  })
}

/** How much there is to do. */
export const EXPECT = textFlag(
  'N',
  'how many objects there are, about: for the time that is left',
  'what an earlier run counted, or estimated from the keys',
)

/** How long a transient error is retried. */
export const RETRY_FOR = textFlag('TIME', 'how long what may pass is tried again: 30s, 10m, 2h', '2h')

/** The pace that the flags ask for, `base` where they are silent. */
export function readPace(flags: Flags, base: Pace): Pace {
  const maxErrors = readWhole(flags, 'max-errors', 0, Number.MAX_SAFE_INTEGER) ?? base.maxErrors
  // Without threads it is others who work, so there must be some.
  const isLent = flags.fleet !== undefined
  const kept = base.threads === 0 && !isLent ? undefined : base.threads
  const threads = readWhole(flags, 'threads', isLent ? 0 : 1, MOST_THREADS) ?? kept
  const retryFor = readDuration(flags, 'retry-for', 0) ?? base.retryFor
  const bandwidth = readRate(flags, 'bandwidth') ?? base.bandwidth
  const onLoss = readOnLoss(flags) ?? base.onLoss
  const expect = readWhole(flags, 'expect', 1, Number.MAX_SAFE_INTEGER) ?? base.expect
  const maxCost = readAmount(flags, 'max-cost') ?? base.maxCost
  const tuned = readTuning(flags)
  const files = readList(flags, 'prices').map((file) => resolve(file))
  const prices = files.length > 0 ? files : base.prices
  return {
    concurrency: readWhole(flags, 'concurrency', 1, MOST_CONCURRENCY) ?? tuned.concurrency ?? base.concurrency,
    lanes: readWhole(flags, 'lanes', 1, MOST_LANES) ?? tuned.lanes ?? base.lanes,
    ...(threads === undefined ? {} : { threads }),
    ...(maxErrors === undefined ? {} : { maxErrors }),
    ...(retryFor === undefined ? {} : { retryFor }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(onLoss === 'fail' ? { onLoss } : {}),
    ...(expect === undefined ? {} : { expect }),
    ...(maxCost === undefined ? {} : { maxCost }),
    ...(prices === undefined ? {} : { prices }),
  }
}

/** Flag of what to do about losses. */
export function onLossFlag(otherwise?: string) {
  return textFlag('warn|fail', 'when a look shows that an object loses what it was to have: warn, or fail', otherwise)
}

/** What to do when objects lose something that they were to have; undefined when the flags do not say. */
export function readOnLoss(flags: Flags): 'warn' | 'fail' | undefined {
  return readChoice(flags, 'on-loss', ['warn', 'fail'])
}
