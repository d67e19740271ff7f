import type { WriteJob } from '../../job/kinds.js'
import type { OpenStores } from '../../storage/open.js'
import { addMeter, createMeter, type Meter } from '../../storage/retry.js'
import { TRIED_LATER, UnlikeOthers } from '../../storage/set-aside.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { Turnstile } from '../lanes/gate.js'
import type { LargeAtWork, LargeListener } from '../workers/large-hand.js'
import { SessionActions } from './session-actions.js'

/** Copies large objects for a session that another process keeps. */
export function largeForOthers(job: WriteJob, ends: OpenStores, { notice, fail }: LargeListener): LargeAtWork {
  const { meter, settings } = ends
  const stop = new AbortController()
  const turnstile = new Turnstile()
  // What this process cannot end, for whatever reason of its own, others can.
  let isKept = true
  const actions = new SessionActions({
    ...{ job, ends: { ...ends, notice }, slots: new ConcurrencyLimit(settings.concurrency, settings) },
    ...{ unlikeOthers: new UnlikeOthers(TRIED_LATER), stop: stop.signal, fail },
  })
  const shared = { isKept: () => isKept, pass: () => turnstile.pass() }
  return {
    copy: ({ object, uploads }) => actions.onLarge({ ...uploads, shared })(object),
    hold(isHeld) {
      if (isHeld && !stop.signal.aborted) turnstile.pause()
      else turnstile.resume()
    },
    stop(kept) {
      if (!stop.signal.aborted) isKept = kept
      stop.abort()
      turnstile.resume()
    },
    takeMeter: () => taken(meter),
  }
}

function taken(meter: Meter): Meter | undefined {
  const { requests } = meter
  const gain = createMeter()
  addMeter(gain, meter)
  for (const operation of Object.keys(requests)) requests[operation] = 0
  meter.throttled = 0
  meter.retried = 0
  return Object.values(gain.requests).every((count) => count === 0) ? undefined : gain
}
