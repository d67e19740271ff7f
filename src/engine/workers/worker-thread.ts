import { parentPort } from 'node:worker_threads'
import { Gate } from '../lanes/gate.js'
import { openWorkshop, type WorkerTask } from './tasks.js'
import { createMeter, retrying, type StoreFor } from '../../storage/retry.js'
import type { Notice } from '../../storage/notice.js'
import type { FromDescriptor } from '../../storage/backend.js'
import { loadStores } from '../../storage/backends.js'
import type { Credentials, CredentialSource, Renewal } from '../../storage/credential-source.js'
import { keepThreadPoolAwake } from '../../libuv-wakeups.js'
import {
  toImage,
  type FromThread,
  type StoreForThread,
  type StoreRole,
  type ThreadStart,
  type ToThread,
} from './messages.js'
import { PortRanges } from '../../sources/ranges/remote-ranges.js'

/**
 * How long what is settled may wait to be sent, in milliseconds. A kill loses sight of it, and it is done again. A census is as much to
 * send however little was counted, and what is repeated of a listing costs little.
 */
const FLUSH_INTERVAL = { write: 25, lines: 100, rows: 100, usage: 200, comparison: 100 }
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

function keptCredentials(side: StoreRole, reach: StoreForThread | undefined): KeptCredentials {
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

/** One task, from its start to its end. Requests and answers go by `port`, in order. */
class TaskInThread {
  private readonly credentials: Readonly<Record<StoreRole, KeptCredentials>>
  private readonly drain = new AbortController()
  private readonly gate = new Gate()
  private readonly meter = createMeter()
  private readonly ranges = new PortRanges(send, () => this.flush())
  private readonly work: WorkerTask
  /** Deliveries that are on their way. */
  private unsettled = 0
  private waiting: (() => void)[] = []

  constructor(
    private readonly start: ThreadStart,
    private readonly storeFrom: FromDescriptor,
  ) {
    const { task, settings, source, destination, inventory } = start
    this.credentials = {
      source: keptCredentials('source', source),
      destination: keptCredentials('destination', destination),
      inventory: keptCredentials('inventory', inventory),
    }
    this.work = openWorkshop({
      ...{ task, settings, notice, ranges: this.ranges, gate: this.gate, stop: this.drain.signal },
      source: this.open('source', source),
      destination: destination === undefined ? undefined : this.open('destination', destination),
      inventory: inventory === undefined ? undefined : this.open('inventory', inventory),
      fail: (error) => {
        send({ type: 'failed', error: toImage(error) })
        this.drain.abort()
      },
      flush: () => this.flush(),
      // Pages in order wait for those before them, however many there are; the keyspace bounds them then.
      room: () =>
        (task.kind === 'lines' && task.job.sorted) || this.unsettled < MOST_UNSETTLED
          ? undefined
          : new Promise<void>((resolve) => this.waiting.push(resolve)),
    })
  }

  async run(): Promise<void> {
    port.on('message', (message: ToThread) => this.received(message))
    const { task, flushEvery } = this.start
    const timer = setInterval(() => this.flush(), flushEvery ?? FLUSH_INTERVAL[task.kind])
    await this.work.run()
    clearInterval(timer)
    this.flush()
    send({ type: 'ended' })
  }

  private open(side: StoreRole, reach: StoreForThread): StoreFor {
    const { settings } = this.start
    const giveUp = this.drain.signal
    const policy = { retryFor: settings.retryFor, giveUp }
    const store = this.storeFrom(reach, this.credentials[side], settings, notice, giveUp)
    // What is asked where there is no server counts as no request.
    const meter = store.host === undefined ? createMeter() : this.meter
    return (pressure, setAside) => retrying(store, policy, meter, pressure, setAside)
  }

  private flush(): void {
    const { meter, work } = this
    const cursors = this.ranges.takeCursors()
    if (cursors.length > 0) {
      const { product, transfer } = work.collect()
      this.unsettled++
      send({ type: 'delivery', cursors, product }, transfer)
    }
    send({ type: 'pulse', meter, inFlight: work.inFlight, held: work.held, refused: work.takeRefused() })
    meter.throttled = 0
    meter.retried = 0
    for (const operation of Object.keys(meter.requests)) meter.requests[operation] = 0
  }

  private received(message: ToThread): void {
    const { gate } = this
    switch (message.type) {
      case 'start':
        throw new Error('a thread was started twice')
      case 'drain':
        this.drain.abort()
        // What waits to be begun is passed over then.
        gate.resume()
        // Nothing waits for room any more: there will be no further page.
        this.unsettled = -Infinity
        this.makeRoom()
        return
      case 'gate':
        if (!this.drain.signal.aborted) gate[message.action]()
        return
      case 'probe':
        gate.probe(message.count)
        return
      case 'credentials':
        this.credentials[message.side].current = message.current
        return
      case 'refreshed':
        this.credentials[message.side].refreshed(message.renewal)
        return
      case 'settled':
        this.unsettled--
        this.makeRoom()
        return
      case 'grant':
      case 'none':
      case 'verdict':
        this.ranges.answered(message)
    }
  }

  private makeRoom(): void {
    if (this.unsettled >= MOST_UNSETTLED) return
    const told = this.waiting
    this.waiting = []
    for (const resolve of told) resolve()
  }
}

function notice(notice: Notice): void {
  send({ type: 'notice', notice })
}

// What is told to the thread meanwhile waits until it is listened to. Nothing is awaited at the top: the single file loads this as a script.
void loadStores().then((storeFrom) => {
  port.once('message', (message: ToThread) => {
    if (message.type !== 'start') throw new Error('a thread was told something before it was started')
    void new TaskInThread(message, storeFrom).run()
  })
})
