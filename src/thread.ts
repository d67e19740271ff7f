import { parentPort } from 'node:worker_threads'
import { openWorkshop } from './engine/workshop.js'
import { createMeter, retrying, type StoreFor } from './storage/retry.js'
import type { Renewal } from './storage/s3/account.js'
import type { Credentials } from './storage/s3/sign.js'
import { S3Store } from './storage/s3/store.js'
import { toImage, type FromThread, type Reach, type Start, type ToThread } from './threads.js'
import { PortRanges } from './work/port.js'

/**
 * How long what is settled may wait to be sent, in milliseconds. A kill loses sight of it, and it is done again. A census is as much to
 * send however little was counted, and what is repeated of a listing costs little.
 */
const FLUSH_INTERVAL = { write: 25, ls: 100, du: 200, verify: 100 }
/** Deliveries that may be on their way when a thread that reads works ahead. */
const MOST_UNSETTLED = 4

if (parentPort === null) throw new Error('thread.js is not a program of its own')
const port = parentPort
const send = (message: FromThread, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(message, transfer)

// One task, from its start to its end. Requests and answers go by `port`, in order.
function work(start: Start): void {
  const { task, concurrency, lanes, retryFor } = start
  const drain = new AbortController()
  const fail = (error: unknown): void => {
    send({ type: 'failed', error: toImage(error) })
    drain.abort()
  }

  let current: Credentials | undefined = start.credentials
  let refreshing: ((renewal: Renewal) => void)[] = []
  const credentials = {
    get current() {
      return current
    },
    refresh: () =>
      new Promise<Renewal>((resolve) => {
        refreshing.push(resolve)
        if (refreshing.length === 1) send({ type: 'refresh' })
      }),
  }
  const meter = createMeter()
  const policy = { retryFor, giveUp: drain.signal }
  const open = ({ place, address }: Reach): StoreFor => {
    const store = new S3Store(place, { ...address, credentials })
    return (pressure) => retrying(store, policy, meter, pressure)
  }

  let unsettled = 0
  let waiting: (() => void)[] = []
  const flush = (): void => {
    const cursors = ranges.takeCursors()
    if (cursors.length > 0) {
      const { product, transfer } = workshop.collect()
      unsettled++
      send({ type: 'delivery', cursors, product }, transfer)
    }
    send({ type: 'pulse', meter, inFlight: workshop.inFlight, held: workshop.held })
    meter.throttled = 0
    meter.retried = 0
    for (const operation of Object.keys(meter.requests)) meter.requests[operation] = 0
  }
  const ranges = new PortRanges(send, flush)
  const workshop = openWorkshop({
    ...{ task, ranges, concurrency, lanes, stop: drain.signal, fail, flush },
    source: open(start.source),
    destination: start.destination === undefined ? undefined : open(start.destination),
    // Pages in order wait for those before them, however many there are; the keyspace bounds them then.
    room: () =>
      (task.kind === 'ls' && task.sorted) || unsettled < MOST_UNSETTLED
        ? undefined
        : new Promise<void>((resolve) => waiting.push(resolve)),
  })

  port.on('message', (message: ToThread) => {
    switch (message.type) {
      case 'start':
        throw new Error('a thread was started twice')
      case 'drain':
        drain.abort()
        // Nothing waits for room any more: there will be no further page.
        unsettled = -Infinity
        break
      case 'credentials':
        ;({ current } = message)
        return
      case 'refreshed': {
        const told = refreshing
        refreshing = []
        for (const resolve of told) resolve(message.renewal)
        return
      }
      case 'settled':
        unsettled--
        break
      case 'grant':
      case 'none':
      case 'verdict':
        ranges.answered(message)
        return
    }
    if (unsettled >= MOST_UNSETTLED) return
    const told = waiting
    waiting = []
    for (const resolve of told) resolve()
  })
  const timer = setInterval(flush, FLUSH_INTERVAL[task.kind])
  void workshop.run().then(() => {
    clearInterval(timer)
    flush()
    send({ type: 'ended' })
  })
}

port.once('message', (message: ToThread) => {
  if (message.type !== 'start') throw new Error('a thread was told something before it was started')
  work(message)
})
