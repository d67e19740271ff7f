import { parentPort } from 'node:worker_threads'
import { Gate } from '../lanes/gate.js'
import { openWorkshop } from './tasks.js'
import { createMeter, retrying, type StoreFor } from '../../storage/retry.js'
import type { Side } from '../../job/place.js'
import type { Notice } from '../../storage/notice.js'
import { openRoute } from '../../storage/descriptor.js'
import type { Credentials, CredentialSource, Renewal } from '../../storage/credential-source.js'
import { keepThreadPoolAwake } from '../../libuv-wakeups.js'
import { toImage, type FromThread, type StoreForThread, type ThreadStart, type ToThread } from './messages.js'
import { PortRanges } from '../../sources/ranges/remote-ranges.js'

/**
 * How long what is settled may wait to be sent, in milliseconds. A kill loses sight of it, and it is done again. A census is as much to
 * send however little was counted, and what is repeated of a listing costs little.
 */
const FLUSH_INTERVAL = { write: 25, ls: 100, du: 200, verify: 100 }
/** Deliveries that may be on their way when a thread that reads works ahead. */
const MOST_UNSETTLED = 4

keepThreadPoolAwake()
if (parentPort === null) throw new Error('thread.js is not a program of its own')
const port = parentPort
const send = (message: FromThread, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(message, transfer)

/** The credentials of one side, which the main thread renews. */
interface KeptCredentials extends Pick<CredentialSource, 'refresh'> {
  current: Credentials | undefined
  refreshed(renewal: Renewal): void
}

function keptCredentials(side: Side, reach: StoreForThread | undefined): KeptCredentials {
  let waiting: ((renewal: Renewal) => void)[] = []
  return {
    current: reach?.credentials,
    refresh: () =>
      new Promise<Renewal>((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 1) send({ type: 'refresh', side })
      }),
    refreshed(renewal) {
      const told = waiting
      waiting = []
      for (const resolve of told) resolve(renewal)
    },
  }
}

// One task, from its start to its end. Requests and answers go by `port`, in order.
function work(start: ThreadStart): void {
  const { task, settings } = start
  const drain = new AbortController()
  const fail = (error: unknown): void => {
    send({ type: 'failed', error: toImage(error) })
    drain.abort()
  }

  const credentials = {
    source: keptCredentials('source', start.source),
    destination: keptCredentials('destination', start.destination),
  }
  const meter = createMeter()
  const policy = { retryFor: settings.retryFor, giveUp: drain.signal }
  const notice = (notice: Notice): void => send({ type: 'notice', notice })
  const open = (side: Side, reach: StoreForThread): StoreFor => {
    const store = openRoute(reach, credentials[side], settings, notice, drain.signal)
    // What a disk is asked counts as no request.
    const counts = 'folder' in reach ? createMeter() : meter
    return (pressure, setAside) => retrying(store, policy, counts, pressure, setAside)
  }

  const gate = new Gate()
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
    ...{ task, ranges, settings, gate, stop: drain.signal, fail, flush, notice },
    source: open('source', start.source),
    destination: start.destination === undefined ? undefined : open('destination', start.destination),
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
        // What waits to be begun is passed over then.
        gate.resume()
        // Nothing waits for room any more: there will be no further page.
        unsettled = -Infinity
        break
      case 'gate':
        if (!drain.signal.aborted) gate[message.action]()
        return
      case 'probe':
        gate.probe(message.count)
        return
      case 'credentials':
        credentials[message.side].current = message.current
        return
      case 'refreshed':
        credentials[message.side].refreshed(message.renewal)
        return
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
