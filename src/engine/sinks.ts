import type { ScanState } from '../checkpoint/checkpoint.js'
import type { DuJob, LsJob } from '../job.js'
import type { Keyspace } from '../work/keyspace.js'
import type { Grant } from '../work/work.js'
import type { Census } from './census.js'
import type { Outlet } from './outlet.js'
import type { Packing } from './pack.js'
import type { Sink } from './scan.js'
import type { LinesProduct } from './workshop.js'

/** Counts. `census` holds what was counted before, and afterwards all. */
export function duSink(job: DuJob, census: Census): Sink {
  return {
    task: { kind: 'du', depth: job.depth },
    deliver(product, settle) {
      census.merge(product as ReturnType<Census['take']>)
      settle()
    },
    moved: () => undefined,
    state: () => ({ census: census.data() }),
    sync: () => Promise.resolve(),
  }
}

/** How lines are to be made. */
export interface LinesOptions {
  readonly packing: Packing
  readonly terminal: boolean
}

/** Writes lines to `outlet`, as they come or in the order of the keys. */
export function lsSink(job: LsJob, { packing, terminal }: LinesOptions, outlet: Outlet, keyspace: Keyspace): Sink {
  const { format, sorted, source } = job
  const state = (): ScanState => (job.to === undefined ? {} : { bytes: outlet.bytes })
  const task: Sink['task'] = { kind: 'ls', format, packing, prefix: source.prefix, terminal, sorted }
  const common = { task, state, sync: () => outlet.sync() }
  if (!sorted) {
    const deliver: Sink['deliver'] = (product, settle) => outlet.write((product as LinesProduct).bytes, settle)
    return { ...common, deliver, moved: () => undefined }
  }

  // By grant, pages that wait until all keys before theirs are written.
  const waiting = new Map<Grant, { bytes: Uint8Array; settle: () => void }[]>()
  let writing = false
  const moved = (): void => {
    if (writing) return
    const front = keyspace.front()
    const pages = front === undefined ? undefined : waiting.get(front)
    const page = pages?.shift()
    if (front === undefined || pages === undefined || page === undefined) return
    if (pages.length === 0) waiting.delete(front)
    writing = true
    outlet.write(page.bytes, () => {
      page.settle()
      writing = false
      moved()
    })
  }
  const deliver: Sink['deliver'] = (product, settle, grant) => {
    if (grant === undefined) throw new Error('a page was delivered of no grant')
    const page = { bytes: (product as LinesProduct).bytes, settle }
    const pages = waiting.get(grant)
    if (pages === undefined) waiting.set(grant, [page])
    else pages.push(page)
    moved()
  }
  return { ...common, deliver, moved }
}
