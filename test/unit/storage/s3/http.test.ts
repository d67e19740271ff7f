import * as fc from 'fast-check'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openBandwidth, type Bandwidth } from '../../../../src/job/pace.js'
import { dialerFor, MOST_READ, type Dialer, type OnBytes } from '../../../../src/connections/connect.js'
import {
  createHttpPool,
  responseHeader,
  HttpError,
  type HttpPool,
  type HttpRequest,
  type Pieces,
} from '../../../../src/storage/s3/http.js'
import type { ReadLimits } from '../../../../src/storage/s3/least-rate.js'

const closing: (() => void)[] = []
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  for (const close of closing.splice(0)) close()
})

const GET: HttpRequest = { head: 'GET / HTTP/1.1\r\nhost: h\r\n\r\n', silence: { ms: 30_000, whole: 150000 } }
const HEAD: HttpRequest = { ...GET, head: 'HEAD / HTTP/1.1\r\nhost: h\r\n\r\n', bodiless: true }

/** A socket without a network, whose bytes the test decides. */
class Wire extends Duplex {
  sent = ''

  constructor(private readonly onBytes: OnBytes) {
    super({ allowHalfOpen: true })
  }

  override _read(): void {
    // Bytes come through `feed`.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.sent += chunk.toString('latin1')
    done()
  }

  feed(bytes: string): void {
    if (bytes !== '') this.onBytes(Buffer.from(bytes, 'latin1'), Buffer.byteLength(bytes, 'latin1'))
  }
}

/** Lets time pass in which no timer of this process runs. */
function stoppable(): (ms: number) => void {
  const now = performance.now.bind(performance)
  let stood = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now() + stood)
  return (ms) => (stood += ms)
}

function wired(limits?: ReadLimits, bandwidth?: Bandwidth, onExcess?: () => void) {
  const wires: Wire[] = []
  const dialer: Dialer = {
    host: 'h',
    open: (onBytes) => {
      const wire = new Wire(onBytes)
      wires.push(wire)
      return Promise.resolve(wire as unknown as Socket)
    },
  }
  const pool = createHttpPool(dialer, bandwidth, limits, onExcess)
  closing.push(() => pool.close())
  return { pool, wires }
}

/** As long as a connection rests between two requests. */
async function turn(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise<void>((resolve) => setImmediate(resolve))
}

interface Made {
  readonly bytes: string
  readonly status: number
  readonly body: string
  /** Ends with the connection. */
  readonly untilClose: boolean
}

const body = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.constantFrom('', '\r\n', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '<x/>'),
)
const fields = fc.subarray([
  'Server: x\r\n',
  'x-amz-request-id: R\r\n',
  'Date:\r\n',
  'X-Note: content-length 5 chunked close\r\n',
])
const answer: fc.Arbitrary<Made> = fc
  .record({
    way: fc.constantFrom('length', 'chunked', 'close'),
    status: fc.constantFrom(200, 206, 404, 500, 503),
    body,
    fields,
    interim: fc.subarray(['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n']),
    cuts: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
    extension: fc.constantFrom('', ';a=b', ' ; a="x"', '  '),
    trailer: fc.constantFrom('', 'x-trailer: 1\r\n', 'a: b\r\nc: d\r\n'),
    name: fc.constantFrom('Content-Length: ', 'content-length:', 'CONTENT-LENGTH:\t '),
  })
  .map(({ way, status, body, fields, interim, cuts, extension, trailer, name }) => {
    const start = `${interim.join('')}HTTP/1.1 ${status} Any Reason\r\n${fields.join('')}`
    if (way === 'close') return { bytes: `${start}\r\n${body}`, status, body, untilClose: true }
    if (way === 'length') {
      return { bytes: `${start}${name}${body.length}\r\n\r\n${body}`, status, body, untilClose: false }
    }
    let chunks = ''
    for (let at = 0, n = 0; at < body.length; n++) {
      const chunk = body.slice(at, at + cuts[n % cuts.length]!)
      chunks += `${n % 2 === 0 ? chunk.length.toString(16) : chunk.length.toString(16).toUpperCase()}${extension}\r\n${chunk}\r\n`
      at += chunk.length
    }
    const bytes = `${start}Transfer-Encoding: chunked\r\n\r\n${chunks}0${extension}\r\n${trailer}\r\n`
    return { bytes, status, body, untilClose: false }
  })
const splits = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 })

function feedIn(wire: Wire, bytes: string, sizes: readonly number[]): void {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length]!
    wire.feed(bytes.slice(at, at + size))
    at += size
  }
}

describe('an HTTP pool', () => {
  test('reads every well-formed answer, however its bytes are split', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(answer, splits), { minLength: 1, maxLength: 4 }), async (answers) => {
        const { pool, wires } = wired()
        let opened = 0
        for (const [made, sizes] of answers) {
          const sending = pool.send(GET)
          await turn()
          opened = Math.max(opened, 1)
          const wire = wires.at(-1)!
          feedIn(wire, made.bytes, sizes)
          if (made.untilClose) wire.push(null)
          wire.resume()
          const response = await sending
          expect([response.status, response.body]).toEqual([made.status, made.body])
        }
        // A new connection only after one whose end was the end of the answer.
        expect(wires.length).toBe(1 + answers.slice(0, -1).filter(([made]) => made.untilClose).length)
        pool.close()
      }),
      { numRuns: 300 },
    )
  })

  test('hands the body of a success to a sink as it comes, and that of an error to whoever asked', async () => {
    await fc.assert(
      fc.asyncProperty(answer, splits, async (made, sizes) => {
        const { pool, wires } = wired()
        let taken = ''
        const sending = pool.send({ ...GET, sink: (bytes) => (taken += Buffer.from(bytes).toString('latin1')) })
        await turn()
        feedIn(wires[0]!, made.bytes, sizes)
        if (made.untilClose) wires[0]!.push(null)
        wires[0]!.resume()
        const { status, body } = await sending
        const expected = made.status < 300 ? [made.body, ''] : ['', made.body]
        expect([status, taken, body]).toEqual([made.status, ...expected])
        pool.close()
      }),
      { numRuns: 200 },
    )
  })

  test('rejects an answer that was cut anywhere, and does not use its connection again', async () => {
    await fc.assert(
      fc.asyncProperty(answer, fc.nat(), async (made, cut) => {
        fc.pre(!made.untilClose)
        const { pool, wires } = wired()
        const sending = pool.send(GET)
        await turn()
        wires[0]!.feed(made.bytes.slice(0, cut % made.bytes.length))
        wires[0]!.push(null)
        wires[0]!.resume()
        await expect(sending).rejects.toMatchObject({ name: 'HttpError', code: 'ECONNRESET' })
        void pool.send(GET).catch(() => undefined)
        await turn()
        expect(wires).toHaveLength(2)
        expect(wires[0]!.destroyed).toBe(true)
        pool.close()
      }),
      { numRuns: 200 },
    )
  })

  describe('never takes what is behind an answer for the next one', () => {
    /** What a server may send though nobody asked: bytes, or what looks like an answer. */
    const excess = fc.oneof(
      fc.constantFrom(
        'x',
        '\r\n',
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong',
        'HTTP/1.1 200 OK\r\n\r\n',
        '0\r\n\r\n',
      ),
      fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    )
    const bodiless = fc
      .record({ status: fc.constantFrom(200, 204, 304, 404), length: fc.constantFrom('', 'Content-Length: 9\r\n') })
      .map(({ status, length }): Made => ({
        bytes: `HTTP/1.1 ${status} X\r\n${length}\r\n`,
        status,
        body: '',
        untilClose: false,
      }))
    const asked = fc.oneof(
      fc.tuple(
        answer.filter(({ untilClose }) => !untilClose),
        fc.constant(GET),
      ),
      fc.tuple(bodiless, fc.constant(HEAD)),
      fc.tuple(
        bodiless.filter(({ status }) => status === 204 || status === 304),
        fc.constant(GET),
      ),
    )

    async function nextIsRight(pool: HttpPool, wires: Wire[]): Promise<void> {
      const next = pool.send(GET)
      await turn()
      expect(wires).toHaveLength(2)
      expect(wires[0]!.destroyed).toBe(true)
      // Whatever still comes on the old one belongs to nobody.
      wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold')
      wires[1]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright')
      expect((await next).body).toBe('right')
      pool.close()
    }

    test('when it comes with the answer, however that is split', async () => {
      await fc.assert(
        fc.asyncProperty(asked, excess, splits, async ([made, request], more, sizes) => {
          const { pool, wires } = wired()
          const sending = pool.send(request).catch((error: unknown) => error)
          await turn()
          feedIn(wires[0]!, made.bytes + more, sizes)
          // Where the split was at its very end the answer is whole; else it is refused, and asked for again.
          const got = await sending
          if (got instanceof HttpError) expect(got.code).toBe('EPROTO')
          else expect(got).toMatchObject({ status: made.status, body: made.body })
          await nextIsRight(pool, wires)
        }),
        { numRuns: 500 },
      )
    })

    test('when it comes later, while the connection is idle', async () => {
      await fc.assert(
        fc.asyncProperty(asked, excess, splits, async ([made, request], more, sizes) => {
          const { pool, wires } = wired()
          const sending = pool.send(request)
          await turn()
          feedIn(wires[0]!, made.bytes, sizes)
          expect(await sending).toMatchObject({ status: made.status, body: made.body })
          await turn()
          feedIn(wires[0]!, more, sizes)
          await nextIsRight(pool, wires)
        }),
        { numRuns: 300 },
      )
    })

    test('when as much came at once as is read at once, so that more may wait', async () => {
      const { pool, wires } = wired()
      const sending = pool.send(GET)
      await turn()
      const head = 'HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n'
      wires[0]!.feed(head + 'a'.repeat(300_000 - MOST_READ))
      wires[0]!.feed('a'.repeat(MOST_READ))
      expect((await sending).body).toHaveLength(300_000)
      await nextIsRight(pool, wires)
    })

    test('when the answer tells its length and is chunked as well', async () => {
      const { pool, wires } = wired()
      const sending = pool.send(GET)
      await turn()
      wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
      expect((await sending).body).toBe('abc')
      await nextIsRight(pool, wires)
    })
  })

  test('takes no body from an answer to HEAD, nor from 204 and 304', async () => {
    const { pool, wires } = wired()
    for (const [request, status] of [
      [HEAD, 200],
      [GET, 204],
      [GET, 304],
      [HEAD, 404],
    ] as const) {
      const sending = pool.send(request)
      await turn()
      wires[0]!.feed(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`)
      expect(await sending).toMatchObject({ status, body: '' })
    }
    expect(wires).toHaveLength(1)
  })

  test.each([
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['Connection: Upgrade, Close', 'HTTP/1.1 200 OK\r\nConnection: Upgrade, Close\r\nContent-Length: 2\r\n\r\nok'],
  ])('opens a new connection after %s', async (_what, bytes) => {
    const { pool, wires } = wired()
    for (let n = 0; n < 2; n++) {
      const sending = pool.send(GET)
      await turn()
      wires[n]!.feed(bytes)
      expect((await sending).body).toBe('ok')
    }
    expect(wires).toHaveLength(2)
    expect(wires[0]!.destroyed).toBe(true)
  })

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['a status that is none', 'HTTP/1.1 999 What\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['binary garbage', `\x15\x03\x01\x00\x02\x02\r\n\r\n`],
    ['a head without an end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`],
    ['more than its Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\ncontent-length: 3\r\n\r\nok'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
    ['a chunk of a negative size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n'],
    ['a chunk longer than it says', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n'],
    [
      'bytes behind the last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    ],
    [
      'trailers without an end',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'x: y\r\n'.repeat(20_000)}`,
    ],
    ['a chunk size without an end', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1;a'.repeat(40_000)}`],
    ['a chunk without its end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n'],
    ['a chunk of 4 GiB', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nab'],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok'],
  ])('rejects %s and closes the connection', async (_what, bytes) => {
    const { pool, wires } = wired()
    const sending = pool.send(GET)
    const settled = sending.catch((error: unknown) => error)
    await turn()
    feedIn(wires[0]!, bytes, [65_536])
    // Nothing more comes, and it must not be waited for: the test would hang here.
    expect(await settled).toMatchObject({ name: 'HttpError', code: 'EPROTO' })
    expect(wires[0]!.destroyed).toBe(true)
  })

  test('reads a head of 60 KiB', async () => {
    const { pool, wires } = wired()
    const sending = pool.send(GET)
    await turn()
    const bytes = `HTTP/1.1 200 OK\r\nx-long: ${'y'.repeat(60 * 1024)}\r\nContent-Length: 2\r\n\r\nok`
    feedIn(wires[0]!, bytes, [1000])
    const response = await sending
    expect(responseHeader(response, 'x-long')).toHaveLength(60 * 1024)
    expect(responseHeader(response, 'content-length')).toBe('2')
    expect(responseHeader(response, 'long')).toBeUndefined()
  })

  test('closes an idle connection on which bytes come that nobody asked for', async () => {
    const { pool, wires } = wired()
    const sending = pool.send(GET)
    await turn()
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await sending
    wires[0]!.feed('HTTP/1.1 408 Request Timeout\r\n\r\n')
    expect(wires[0]!.destroyed).toBe(true)
    void pool.send(GET).catch(() => undefined)
    await turn()
    expect(wires).toHaveLength(2)
  })

  test.each([
    ['HEAD', HEAD, 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody'],
    ['304', GET, 'HTTP/1.1 304 Not Modified\r\n\r\n<p>Not Modified'],
  ])(
    'takes the answer to %s that has a body all the same, and closes the connection',
    async (_what, request, bytes) => {
      const { pool, wires } = wired()
      const sending = pool.send(request)
      await turn()
      wires[0]!.feed(bytes)
      expect((await sending).body).toBe('')
      expect(wires[0]!.destroyed).toBe(true)
    },
  )

  test('takes nothing that follows an answer for the beginning of the next, be it an answer by itself', async () => {
    const { pool, wires } = wired()
    const first = pool.send(GET)
    await turn()
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none')
    expect((await first).body).toBe('one')
    const second = pool.send(GET)
    // It was on its way already when the first was answered.
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong')
    await turn()
    expect([wires[0]!.destroyed, wires.length]).toEqual([true, 2])
    wires[1]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo')
    expect((await second).body).toBe('two')
  })

  test('waits for a connection that rests between two requests in place of opening another', async () => {
    const { pool, wires } = wired()
    for (let n = 0; n < 20; n++) {
      const both = [pool.send(GET), pool.send(GET)]
      await turn()
      for (const wire of wires) wire.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      await Promise.all(both)
    }
    expect(wires).toHaveLength(2)
  })

  test.each([
    ['behind an answer', 'x'],
    ['while idle', ''],
  ])(
    'uses each connection once after a server has sent more than an answer, %s, and tells it once',
    async (_when, more) => {
      let told = 0
      const { pool, wires } = wired(undefined, undefined, () => told++)
      const empty = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
      const both = [pool.send(GET), pool.send(GET), pool.send(GET)]
      const ends = Promise.allSettled(both)
      await turn()
      wires[0]!.feed(empty)
      await turn()
      wires[1]!.feed(empty + more)
      if (more === '') wires[1]!.feed('bytes of nobody')
      expect([wires[0]!.destroyed, wires[1]!.destroyed, wires[2]!.destroyed]).toEqual([true, true, false])
      wires[2]!.feed(empty)
      await ends
      expect(wires[2]!.destroyed).toBe(true)
      const next = pool.send(GET)
      await turn()
      wires[3]!.feed(empty)
      await next
      expect([wires[3]!.destroyed, told]).toEqual([true, 1])
    },
  )

  test('goes on using the other connections of a server that ends an idle one with 408', async () => {
    const { pool, wires } = wired()
    const both = [pool.send(GET), pool.send(GET)]
    await turn()
    for (const wire of wires) wire.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await Promise.all(both)
    wires[0]!.feed('HTTP/1.1 408 Request Timeout\r\n\r\n')
    expect(wires.map(({ destroyed }) => destroyed)).toEqual([true, false])
  })

  test('gives up an answer after its silence, each byte that comes starting it anew', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const { pool, wires } = wired()
    const sending = pool.send({ ...GET, silence: { ms: 5000, whole: 25000 } })
    const settled = sending.catch((error: unknown) => error)
    await turn()
    for (const byte of 'HTTP/1') {
      vi.advanceTimersByTime(4000)
      wires[0]!.feed(byte)
    }
    expect(wires[0]!.destroyed).toBe(false)
    vi.advanceTimersByTime(6000)
    expect(await settled).toMatchObject({ name: 'HttpError', code: 'ETIMEDOUT' })
    expect(wires[0]!.destroyed).toBe(true)
  })

  test('waits longer for the first byte of a connection, which the server may not have accepted yet', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const { pool, wires } = wired()
    const asked = { ...GET, silence: { ms: 1000, whole: 5000, first: 7000 } }
    const sending = pool.send(asked)
    await turn()
    vi.advanceTimersByTime(6500)
    expect(wires[0]!.destroyed).toBe(false)
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    expect(await sending).toMatchObject({ status: 200 })
    const settled = pool.send(asked).catch((error: unknown) => error)
    await turn()
    expect(wires).toHaveLength(1)
    vi.advanceTimersByTime(1500)
    expect(await settled).toMatchObject({ name: 'HttpError', code: 'ETIMEDOUT' })
  })

  test('gives up a server that sends a byte now and then, after the time for a whole answer', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const { pool, wires } = wired()
    const settled = pool.send({ ...GET, silence: { ms: 5000, whole: 25000 } }).catch((error: unknown) => error)
    await turn()
    for (const byte of 'HTTP/1.1 200 OK'.slice(0, 9)) {
      vi.advanceTimersByTime(3000)
      wires[0]!.feed(byte)
    }
    expect(await settled).toMatchObject({ name: 'HttpError', code: 'ETIMEDOUT' })
  })

  test('takes an answer that came while this process was stopped, and holds that time against no server', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const stopFor = stoppable()
    const { pool, wires } = wired()
    const requests = [
      pool.send({ ...GET, silence: { ms: 5000, whole: 25000 } }),
      pool.send({ ...GET, silence: { ms: 5000, whole: 25000 } }),
    ]
    const silent = requests[1]!.catch((error: unknown) => error)
    await turn()
    stopFor(30_000)
    vi.advanceTimersByTime(250)
    expect(wires.map((wire) => wire.destroyed)).toEqual([false, false])
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    expect(await requests[0]).toMatchObject({ status: 200 })
    vi.advanceTimersByTime(4000)
    expect(wires.map((wire) => wire.destroyed)).toEqual([false, false])
    vi.advanceTimersByTime(2000)
    expect(await silent).toMatchObject({ name: 'HttpError', code: 'ETIMEDOUT' })
  })

  test.each([3_600_000, -3_600_000])('measures silence by no clock that is set: by %i ms', async (by) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] })
    const { pool, wires } = wired()
    const settled = pool.send({ ...GET, silence: { ms: 5000, whole: 25000 } }).catch((error: unknown) => error)
    await turn()
    vi.setSystemTime(Date.now() + by)
    vi.advanceTimersByTime(4500)
    expect(wires[0]!.destroyed).toBe(false)
    vi.advanceTimersByTime(1000)
    expect(await settled).toMatchObject({ code: 'ETIMEDOUT' })
  })

  test('goes by a patience that has become less while the request is under way', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const { pool, wires } = wired()
    const silence = { ms: 60_000, whole: 300_000 }
    const settled = pool.send({ ...GET, silence }).catch((error: unknown) => error)
    await turn()
    vi.advanceTimersByTime(3000)
    expect(wires[0]!.destroyed).toBe(false)
    silence.ms = 1000
    vi.advanceTimersByTime(250)
    expect(await settled).toMatchObject({ name: 'HttpError', code: 'ETIMEDOUT' })
  })

  test('does not use a connection again that was idle for long', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const { pool, wires } = wired()
    const sending = pool.send(GET)
    await turn()
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await sending
    vi.advanceTimersByTime(12_000)
    expect(wires[0]!.destroyed).toBe(true)
    void pool.send(GET).catch(() => undefined)
    await turn()
    expect(wires).toHaveLength(2)
  })

  test('rejects what is under way when it is closed, and closes a connection that opens later', async () => {
    const { pool, wires } = wired()
    const first = pool.send(GET).catch((error: unknown) => error)
    await turn()
    const second = pool.send(GET).catch((error: unknown) => error)
    pool.close()
    for (const end of [first, second]) expect(await end).toMatchObject({ name: 'HttpError', code: 'ECANCELED' })
    expect(wires.map((wire) => wire.destroyed)).toEqual([true, true])
  })

  test('sends the head and the body of a request', async () => {
    const { pool, wires } = wired()
    const sending = pool.send({ ...GET, head: 'POST / HTTP/1.1\r\n\r\n', body: Buffer.from('ü') })
    await turn()
    expect(wires[0]!.sent).toBe('POST / HTTP/1.1\r\n\r\n\xc3\xbc')
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await sending
  })

  test('sends a body in pieces as they come, however long that takes, and uses the connection again', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const { pool, wires } = wired()
    const waiting: (() => void)[] = []
    const body: Pieces = {
      length: 6,
      async *[Symbol.asyncIterator]() {
        for (const piece of ['ab', 'cd', 'ef']) {
          await new Promise<void>((go) => waiting.push(go))
          yield Buffer.from(piece)
        }
      },
    }
    const sending = pool.send({ ...GET, head: 'PUT / HTTP/1.1\r\n\r\n', body, silence: { ms: 5000, whole: 25000 } })
    for (const sent of ['', 'ab', 'abcd', 'abcdef']) {
      await turn()
      expect(wires[0]!.sent).toBe(`PUT / HTTP/1.1\r\n\r\n${sent}`)
      vi.advanceTimersByTime(sent.length < 6 ? 60_000 : 3000)
      waiting.shift()?.()
      await turn()
    }
    wires[0]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    expect(await sending).toMatchObject({ status: 200 })
    void pool.send(GET).catch(() => undefined)
    await turn()
    expect(wires).toHaveLength(1)
    // All was sent, and from then on the server is waited for as ever.
    vi.advanceTimersByTime(3000)
    expect(wires[0]!.destroyed).toBe(false)
  })

  test('gives up a server that does not answer once the last piece of a body is sent', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const { pool } = wired()
    const body: Pieces = {
      length: 2,
      async *[Symbol.asyncIterator]() {
        yield await Promise.resolve(Buffer.from('ab'))
      },
    }
    const settled = pool.send({ ...GET, body, silence: { ms: 5000, whole: 25000 } }).catch((error: unknown) => error)
    await turn()
    vi.advanceTimersByTime(6000)
    expect(await settled).toMatchObject({ name: 'HttpError', code: 'ETIMEDOUT' })
  })

  test('rejects with the error of the pieces of a body, and closes the connection, on which half a request was sent', async () => {
    const { pool, wires } = wired()
    const body: Pieces = {
      length: 4,
      async *[Symbol.asyncIterator]() {
        yield await Promise.resolve(Buffer.from('ab'))
        throw new Error('the source is gone')
      },
    }
    await expect(pool.send({ ...GET, body })).rejects.toThrow('the source is gone')
    expect(wires[0]!.destroyed).toBe(true)
  })

  test('has an early answer only when nothing more comes of the pieces of the body, and does not use the connection again', async () => {
    const { pool, wires } = wired()
    let go: () => void = () => undefined
    let over = false
    const body: Pieces = {
      length: 4,
      async *[Symbol.asyncIterator]() {
        try {
          yield await Promise.resolve(Buffer.from('ab'))
          await new Promise<void>((resolve) => (go = resolve))
          yield Buffer.from('cd')
        } finally {
          over = true
        }
      },
    }
    let answered = false
    const sending = pool.send({ ...GET, body }).then((response) => {
      answered = true
      return response
    })
    await turn()
    wires[0]!.feed('HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n')
    await turn()
    expect([answered, over, wires[0]!.destroyed]).toEqual([false, false, true])
    go()
    expect(await sending).toMatchObject({ status: 503 })
    expect(over).toBe(true)
    expect(wires[0]!.sent).not.toContain('cd')
  })
})

/** A server that answers each request with `answer`, and the pool that talks to it. */
async function served(answer: (socket: Socket, request: number) => void, host = '127.0.0.1') {
  const sockets: Socket[] = []
  let requests = 0
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    let head = ''
    socket.on('data', (bytes) => {
      head += bytes.toString('latin1')
      for (let end = head.indexOf('\r\n\r\n'); end >= 0; end = head.indexOf('\r\n\r\n')) {
        head = head.slice(end + 4)
        answer(socket, requests++)
      }
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
  const { port } = server.address() as AddressInfo
  const url = new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}`)
  const pool: HttpPool = createHttpPool(dialerFor(url, {}))
  closing.push(() => {
    pool.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { pool, sockets, url }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function codeOf(sending: Promise<unknown>): Promise<string> {
  const error = await sending.then(
    () => expect.unreachable('an answer came'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Error)
  return error instanceof HttpError ? error.code : ((error as NodeJS.ErrnoException).code ?? 'none')
}

describe('an HTTP pool over a real socket', () => {
  test('reads an answer that comes byte by byte', async () => {
    const { pool } = await served((socket) => {
      const bytes = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
      void (async () => {
        for (const byte of bytes) {
          socket.write(byte)
          await turn()
        }
      })()
    })
    expect((await pool.send(GET)).body).toBe('abc')
  })

  test('reads a large answer', async () => {
    const large = 'x'.repeat(3_000_000)
    const { pool } = await served((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}`),
    )
    expect((await pool.send(GET)).body).toBe(large)
  })

  test('uses one connection for requests one after the other, and as many as there are at once', async () => {
    const { pool, sockets } = await served((socket) => socket.write(OK))
    for (let n = 0; n < 10; n++) await pool.send(GET)
    expect(sockets).toHaveLength(1)
    await Promise.all(Array.from({ length: 5 }, () => pool.send(GET)))
    expect(sockets).toHaveLength(5)
  })

  test('notices when the server closes an idle connection', async () => {
    const { pool, sockets } = await served((socket) => socket.write(OK))
    await pool.send(GET)
    const closed = new Promise((resolve) => sockets[0]!.once('close', resolve))
    sockets[0]!.end()
    await closed
    await turn()
    expect((await pool.send(GET)).body).toBe('ok')
    expect(sockets).toHaveLength(2)
  })

  test.each([
    ['before a byte', ''],
    ['in the head', 'HTTP/1.1 200 O'],
    ['in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
    ['in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab'],
  ])('rejects an answer whose connection is reset %s', async (_where, bytes) => {
    const { pool } = await served((socket) => {
      socket.write(bytes, () => setImmediate(() => socket.resetAndDestroy()))
    })
    expect(await codeOf(pool.send(GET))).toBe('ECONNRESET')
  })

  test('keeps an answer whose connection is reset after it', async () => {
    const { pool, sockets } = await served((socket, request) => {
      socket.write(OK)
      if (request === 0) setTimeout(() => socket.resetAndDestroy(), 5)
    })
    expect((await pool.send(GET)).body).toBe('ok')
    await new Promise((resolve) => sockets[0]!.once('close', resolve))
    await turn()
    expect((await pool.send(GET)).body).toBe('ok')
  })

  test('names the code when nobody listens', async () => {
    const { url } = await served(() => undefined)
    closing.splice(0).forEach((close) => close())
    const lonely = createHttpPool(dialerFor(url, {}))
    closing.push(() => lonely.close())
    expect(await codeOf(lonely.send(GET))).toBe('ECONNREFUSED')
  })

  test('names the code when the name does not exist', async () => {
    const pool = createHttpPool(dialerFor(new URL('http://s3move-test.invalid:80'), {}))
    closing.push(() => pool.close())
    expect(await codeOf(pool.send(GET))).toMatch(/^(?:ENOTFOUND|EAI_AGAIN)$/)
  })

  test('talks IPv6', async (context) => {
    const probe = createServer()
    const available = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen(0, '::1', () => resolve(true))
    })
    probe.close()
    context.skip(!available, 'this machine has no IPv6')
    const { pool } = await served((socket) => socket.write(OK), '::1')
    expect((await pool.send(GET)).body).toBe('ok')
  })

  test('leaves no socket open after it was closed', async () => {
    const { pool, sockets, url } = await served((socket, request) => (request < 2 ? socket.write(OK) : undefined))
    await Promise.all([pool.send(GET), pool.send(GET)])
    const waiting = codeOf(pool.send(GET))
    const silent = codeOf(pool.send(GET))
    await turn()
    const gone = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    pool.close()
    await Promise.all(gone)
    await Promise.allSettled([waiting, silent])
    const other = connect(Number(url.port), '127.0.0.1')
    other.destroy()
  })
})

describe('content that is read', () => {
  const LIMITS: ReadLimits = { minRate: 1000, window: 10_000 }
  const HEADED = 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n'

  async function reading(limits: ReadLimits = LIMITS, most?: number, bandwidth?: Bandwidth) {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const stopFor = stoppable()
    const { pool, wires } = wired(limits, bandwidth)
    let came = 0
    const sink = (bytes: Uint8Array): void => void (came += bytes.length)
    const request = { ...GET, sink, most, silence: { ms: 10_000, whole: 50_000 } }
    const settled = pool.send(request).catch((error: unknown) => error)
    await turn()
    return { wire: wires[0]!, settled, came: () => came, stopFor }
  }
  const trickle = (wire: Wire, seconds: number, bytes: number): void => {
    for (let second = 0; second < seconds && !wire.destroyed; second++) {
      vi.advanceTimersByTime(1000)
      wire.feed('x'.repeat(bytes))
    }
  }

  test.each([1, 300, 900])('is given up when it comes with %i bytes a second and 1000 are wanted', async (rate) => {
    const { wire, settled } = await reading()
    wire.feed(HEADED)
    trickle(wire, 12, rate)
    expect(await settled).toMatchObject({ code: 'ETIMEDOUT', answer: { status: 200 } })
  })

  test('is waited for as long as enough comes, in whatever bursts', async () => {
    const { wire } = await reading()
    wire.feed(HEADED)
    for (let burst = 0; burst < 10; burst++) {
      vi.advanceTimersByTime(5000)
      wire.feed('x'.repeat(11_000))
    }
    expect(wire.destroyed).toBe(false)
  })

  test('counts as coming while a large chunk is not whole yet', async () => {
    const { wire } = await reading()
    wire.feed('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n')
    trickle(wire, 30, 2000)
    expect(wire.destroyed).toBe(false)
  })

  test('may come as slowly as it likes where no rate is wanted, but not stop', async () => {
    const { wire, settled } = await reading({ ...LIMITS, minRate: 0 })
    wire.feed(HEADED)
    trickle(wire, 100, 1)
    expect(wire.destroyed).toBe(false)
    vi.advanceTimersByTime(11_000)
    expect(await settled).toMatchObject({ code: 'ETIMEDOUT' })
  })

  test('is not called slow for the time in which this process was stopped', async () => {
    const { wire, stopFor } = await reading()
    wire.feed(HEADED)
    trickle(wire, 9, 1500)
    stopFor(3_600_000)
    vi.advanceTimersByTime(250)
    trickle(wire, 9, 1500)
    expect(wire.destroyed).toBe(false)
  })

  test('is not called slow for our own pauses', async () => {
    // Each kilobyte takes a second.
    const { wire } = await reading({ minRate: 5000, window: 2000 }, undefined, openBandwidth(1024))
    wire.feed(HEADED)
    for (let burst = 0; burst < 5; burst++) wire.feed('x'.repeat(1024))
    vi.advanceTimersByTime(4500)
    expect(wire.destroyed).toBe(false)
  })

  test('that takes all its time over a refusal is given up', async () => {
    const { wire, settled } = await reading()
    wire.feed('HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\n')
    trickle(wire, 60, 2000)
    expect(await settled).toMatchObject({ code: 'ETIMEDOUT' })
  })

  test.each([
    ['that says so', HEADED],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n7\r\nabcdefg\r\n'],
    ['in one chunk that has only begun', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n'],
    ['without end', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(11)}`],
  ])('that is longer than wanted, %s, is given up at once, and the sink is not given more', async (_how, bytes) => {
    const { wire, settled, came } = await reading(LIMITS, 10)
    wire.feed(bytes)
    expect(wire.destroyed).toBe(true)
    expect(await settled).toMatchObject({ code: 'EMSGSIZE', answer: { status: 200 } })
    expect(came()).toBeLessThanOrEqual(10)
  })

  test('is waited for some seconds when the run ends, however well it comes', async () => {
    const stop = new AbortController()
    const { wire, settled } = await reading({ ...LIMITS, stop: stop.signal })
    wire.feed(HEADED)
    trickle(wire, 20, 5000)
    stop.abort()
    trickle(wire, 4, 5000)
    expect(wire.destroyed).toBe(false)
    trickle(wire, 3, 5000)
    expect(await settled).toMatchObject({ code: 'ECANCELED' })
  })
})

describe('bytes behind the content of an answer that may have some', () => {
  const answerOf = (content: string) => `HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n\r\n${content}`

  test.each([[['first-']], [['fir', 'st-and more']], [['first', '-']], [['', 'first-second']], [['first']]])(
    'are no part of it, and nothing else is asked over its connection: %j',
    async (pieces) => {
      const { pool, wires } = wired()
      let taken = ''
      const sink = (bytes: Uint8Array): void => void (taken += Buffer.from(bytes).toString('latin1'))
      const sending = pool.send({ ...GET, sink, most: 5, surplus: true })
      await turn()
      const [begun = '', ...more] = pieces
      wires[0]!.feed(answerOf(begun))
      for (const piece of more) wires[0]!.feed(piece)
      expect((await sending).status).toBe(206)
      expect([taken, wires[0]!.destroyed]).toEqual(['first', true])
      const next = pool.send(GET)
      await turn()
      expect(wires).toHaveLength(2)
      wires[1]!.feed('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      expect((await next).body).toBe('ok')
    },
  )

  test('are an error of any other', async () => {
    const { pool, wires } = wired()
    const sending = pool.send({ ...GET, sink: () => undefined, most: 50 })
    const refused = expect(sending).rejects.toMatchObject({ code: 'EPROTO' })
    await turn()
    wires[0]!.feed(answerOf('first-'))
    await refused
  })
})
