import { Writable } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RunEvent, Snapshot } from '../../../src/job/events.js'
import type { Failure } from '../../../src/job/outcome.js'
import { createProgress } from '../../../src/report/progress.js'
import { COLOURED } from '../../../src/report/paint.js'
import type { Progress, ProgressOptions } from '../../../src/report/progress.js'
import { faultOfLine } from '../../support/json-schema.js'

const NOW = '2026-03-04T05:06:07.000Z'
const DIR = '.s3move/a-to-b'

beforeEach(() => {
  // The rest stays real, for streams tell of errors with it.
  vi.useFakeTimers({ now: new Date(NOW), toFake: ['setTimeout', 'clearTimeout', 'Date'] })
})
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0)
  vi.useRealTimers()
})

/** A stream that keeps what was written, with a terminal's screen when it has columns. */
class Sink extends Writable {
  text = ''
  readonly isTTY: boolean
  readonly screen: Screen

  constructor(readonly columns = 0) {
    super({ decodeStrings: false })
    this.isTTY = columns > 0
    this.screen = new Screen(columns)
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk
    if (this.isTTY) this.screen.write(chunk)
    done()
  }
}

/** As much of a terminal as the bar needs; any other control sequence is an error. */
class Screen {
  rows = ['']
  widest = 0
  /** Colours are no error; they take no column. */
  coloured = false
  #row = 0
  #column = 0

  constructor(readonly columns: number) {}

  write(text: string): void {
    for (const [, escape, character] of text.matchAll(/\x1b\[([?0-9]*[A-Za-z])|([^])/gu)) {
      if (escape !== undefined) this.#control(escape)
      else if (character === '\n') this.#newRow()
      else this.#put(character!)
    }
  }

  // A cursor that is hidden, saved or restored would be an error too: whatever ends the program leaves it so.
  #control(escape: string): void {
    const up = /^(\d+)A$/.exec(escape)?.[1]
    if (escape === '1G') this.#column = 0
    else if (escape === '0K') this.rows[this.#row] = this.rows[this.#row]!.slice(0, this.#column)
    else if (escape === '0J') this.rows.splice(this.#row, Infinity, this.rows[this.#row]!.slice(0, this.#column))
    else if (up !== undefined) this.#row -= Number(up)
    else if (this.coloured && /^\d+m$/.test(escape)) return
    else throw new Error(`unexpected escape sequence ${JSON.stringify(escape)}`)
    if (this.#row < 0) throw new Error('it writes above its first line')
  }

  #newRow(): void {
    this.#row++
    this.#column = 0
    if (this.#row === this.rows.length) this.rows.push('')
  }

  #put(character: string): void {
    if (/\p{Cc}/u.test(character)) throw new Error(`raw control character ${JSON.stringify(character)}`)
    if (this.#column === this.columns) this.#newRow()
    const row = this.rows[this.#row]!
    this.rows[this.#row] = row.slice(0, this.#column) + character + row.slice(this.#column + 1)
    this.#column++
    this.widest = Math.max(this.widest, this.#column)
  }

  /** Whether the cursor is at the beginning of an empty last line. */
  get atRest(): boolean {
    return this.#row === this.rows.length - 1 && this.#column === 0 && this.rows[this.#row] === ''
  }
}

interface Told {
  readonly progress: Progress
  readonly out: Sink
  readonly err: Sink
  readonly tell: (...events: readonly RunEvent[]) => void
}

function begin(options: Partial<ProgressOptions> & { readonly columns?: number } = {}): Told {
  const out = new Sink()
  const err = new Sink(options.columns)
  err.screen.coloured = options.paint !== undefined
  const progress = createProgress({ stdout: out, stderr: err, json: false, quiet: false, verbose: false, ...options })
  const tell = (...events: readonly RunEvent[]): void => {
    for (const event of events) progress.event(event)
  }
  return { progress, out, err, tell }
}

const start: RunEvent = {
  type: 'start',
  job: { kind: 'copy', source: { bucket: 'a', prefix: 'in/' }, destination: { bucket: 'b', prefix: '' } },
  checkpoint: DIR,
  resumed: false,
  pace: { concurrency: 256, lanes: 16 },
}
const startText = `copying s3://a/in/ to s3://b/
at most 256 objects in flight, 16 ranges listed at once; checkpoint ${DIR}
`

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    totals: {
      copied: 1_234_560,
      bytes: 1.5 * 1024 ** 3,
      skipped: { gone: 4 },
      failed: { AccessDenied: 2, NoSuchKey: 1 },
    },
    listed: 1_300_000,
    listingEnded: false,
    inFlight: 256,
    throttled: 17,
    retried: 20,
    requests: { CopyObject: 1_234_587, ListObjectsV2: 1300 },
    settledHere: 1_234_567,
    elapsed: 100_000,
    ...changes,
  }
}

const clean = { copied: 1_234_567, bytes: 1024, skipped: {}, failed: {} }

function progressOf(changes: Partial<Snapshot> = {}): RunEvent {
  return { type: 'progress', snapshot: snapshot(changes) }
}

function summaryOf(
  changes: Partial<Snapshot> = {},
  rest: Partial<Extract<RunEvent, { type: 'summary' }>> = {},
): RunEvent {
  const ended = snapshot({ listingEnded: true, inFlight: 0, ...changes })
  return {
    type: 'summary',
    end: 'finished',
    exitCode: 0,
    snapshot: ended,
    checkpoint: DIR,
    ledger: `${DIR}/failures.ndjson`,
    ...rest,
  }
}

function failed(changes: Partial<Failure> = {}, answered = true): RunEvent {
  const failure = {
    key: 'in/x',
    size: 1,
    etag: '"e"',
    storageClass: 'STANDARD',
    lastModified: NOW,
    operation: 'CopyObject',
    ...(answered ? { status: 403 } : {}),
    code: 'AccessDenied',
    message: 'Access Denied',
    attempts: 1,
    time: NOW,
    ...changes,
  }
  return { type: 'failed', failure }
}

const HOSTILE = 'k\n\x1b[2J\x9b1A\u202e\r\x07'
const HOSTILE_SHOWN = 'k\\n\\x1b[2J\\x9b1A\\u{202e}\\r\\x07'

describe('a log, as stderr is no terminal', () => {
  test('begins with what is copied where, how fast at most, and the checkpoint', () => {
    const { tell, err, out } = begin()
    tell(start)
    expect(err.text).toBe(startText)
    tell({ ...start, resumed: true })
    expect(err.text.slice(startText.length)).toMatch(/^resuming: copying s3:\/\/a\/in\/ to s3:\/\/b\/\n/)
    expect(out.text).toBe('')
  })

  test('has a line of progress every ten seconds of the session and no more', () => {
    const { tell, err } = begin()
    tell(start)
    for (let elapsed = 250; elapsed <= 30_000; elapsed += 250) {
      tell(progressOf({ elapsed, settledHere: elapsed, totals: { ...clean, copied: elapsed } }))
    }
    const lines = err.text.slice(startText.length).split('\n')
    expect(lines).toEqual([
      'copying 10,000 done · 1,000/s · 256 in flight · 0 failed · 17 throttled · listing (1,300,000 so far)',
      'copying 20,000 done · 1,000/s · 256 in flight · 0 failed · 17 throttled · listing (1,300,000 so far)',
      'copying 30,000 done · 1,000/s · 256 in flight · 0 failed · 17 throttled · listing (1,300,000 so far)',
      '',
    ])
  })

  test('has a last line of progress when the run ends between two', () => {
    const { tell, err } = begin()
    tell(start, progressOf({ elapsed: 250 }), summaryOf({ elapsed: 500 }))
    expect(err.text.slice(startText.length).split('\n').slice(0, 2)).toEqual([
      'copying 94% · 1,234,567 of 1,300,000 done · 2,469,134/s · 0.0 s left · 0 in flight · 3 failed · 17 throttled',
      'finished with failures: 1,234,560 objects copied, 4 skipped, 3 failed',
    ])
  })

  test('does not say the last line of progress twice', () => {
    const { tell, err } = begin()
    tell(progressOf({ elapsed: 10_000 }), summaryOf({ elapsed: 10_000 }))
    expect(err.text.match(/^working/gm)).toHaveLength(1)
  })

  test('has the last line of progress when the run dies without a summary', () => {
    const { tell, err, progress } = begin()
    tell(progressOf({ elapsed: 250 }))
    progress.close()
    progress.close()
    expect(err.text.split('\n')).toHaveLength(2)
  })

  test('says of a rehearsal that objects are seen and would fail, and leaves the last numbers to its result', () => {
    const { tell, progress, err } = begin({ rehearsal: true })
    for (let elapsed = 250; elapsed <= 12_000; elapsed += 250) {
      tell(
        progressOf({ elapsed, settledHere: elapsed, totals: { ...clean, copied: elapsed, failed: { NoNameLeft: 1 } } }),
      )
    }
    progress.close()
    expect(err.text).toBe(
      'rehearsing 10,001 seen · 1,000/s · 256 in flight · 1 would fail · 17 throttled · listing (1,300,000 so far)\n',
    )
  })

  test('tells the rate of the last ten seconds, not the average', () => {
    const { tell, err } = begin()
    for (let second = 1; second <= 60; second++) {
      // Fast for half a minute, then slow.
      const settledHere = Math.min(second, 30) * 10_000 + Math.max(0, second - 30) * 50
      tell(progressOf({ elapsed: second * 1000, settledHere }))
    }
    const rates = err.text.match(/[\d,]+\/s/g)
    expect(rates).toEqual(['10,000/s', '10,000/s', '10,000/s', '50/s', '50/s', '50/s'])
  })

  test('gives neither percentage nor time left while the listing goes on, and both afterwards', () => {
    const { tell, err } = begin()
    tell(progressOf({ elapsed: 10_000, settledHere: 10_000 }))
    expect(err.text).not.toMatch(/%|left/)
    tell(progressOf({ elapsed: 20_000, settledHere: 20_000, listingEnded: true }))
    expect(err.text).toContain('94% · 1,234,567 of 1,300,000 done · 1,000/s · 1 min 05 s left ·')
  })

  test('gives no time left when nothing moves', () => {
    const { tell, err } = begin()
    tell(progressOf({ elapsed: 10_000, settledHere: 0, listingEnded: true }))
    expect(err.text).toBe('working 94% · 1,234,567 of 1,300,000 done · 0/s · 256 in flight · 3 failed · 17 throttled\n')
  })

  test('says 100 % only when every object is settled', () => {
    const { tell, err } = begin()
    tell(progressOf({ elapsed: 10_000, listingEnded: true, listed: 1_234_568 }))
    tell(progressOf({ elapsed: 20_000, listingEnded: true, listed: 1_234_567 }))
    expect(err.text.match(/\d+%/g)).toEqual(['99%', '100%'])
  })

  test('warns at once, and keeps notes to itself unless asked for them', () => {
    const note: RunEvent = { type: 'note', level: 'info', message: 'region is eu-west-1' }
    const warning: RunEvent = { type: 'note', level: 'warning', message: `odd key ${HOSTILE}` }
    const plain = begin()
    plain.tell(note, warning)
    expect(plain.err.text).toBe(`warning: odd key ${HOSTILE_SHOWN}\n`)
    const verbose = begin({ verbose: true })
    verbose.tell(note, warning)
    expect(verbose.err.text).toBe(`region is eu-west-1\nwarning: odd key ${HOSTILE_SHOWN}\n`)
  })

  test('shows the first failure of each code only', () => {
    const { tell, err } = begin()
    tell(failed(), failed({ key: 'in/y' }), failed({ key: HOSTILE, code: `No\x1bKey`, message: 'a\nb', status: 404 }))
    expect(err.text).toBe(
      'failed in/x: CopyObject AccessDenied 403: Access Denied (more with this code are counted, not shown)\n' +
        `failed ${HOSTILE_SHOWN}: CopyObject No\\x1bKey 404: a\\nb (more with this code are counted, not shown)\n`,
    )
  })

  test('has a line for each object when verbose, in order, not later than the next progress', () => {
    const { tell, err } = begin({ verbose: true })
    tell(
      { type: 'copied', key: HOSTILE, bytes: 1536 },
      { type: 'skipped', key: 'in/gone', reason: 'gone' },
      { type: 'skipped', key: 'in/', reason: 'prefix-marker' },
      failed(),
      failed({ code: 'ECONNRESET', message: 'reset' }, false),
      progressOf({ elapsed: 250 }),
    )
    expect(err.text).toBe(
      `copied ${HOSTILE_SHOWN} (1.5 KiB)\n` +
        'skipped in/gone: deleted after being listed\n' +
        'skipped in/: folder marker named like the source prefix\n' +
        'failed in/x: CopyObject AccessDenied 403: Access Denied\n' +
        'failed in/x: CopyObject ECONNRESET: reset\n',
    )
  })

  test('has every line for an object once, however many come before the next progress', () => {
    const { tell, err, progress } = begin({ verbose: true })
    const keys = Array.from({ length: 1234 }, (_, i) => `k${i}`)
    tell(...keys.map((key): RunEvent => ({ type: 'copied', key, bytes: 0 })))
    progress.close()
    expect(err.text).toBe(keys.map((key) => `copied ${key} (0 B)\n`).join(''))
  })

  test('says why it stops and how many objects it waits for', () => {
    const { tell, err } = begin()
    tell(start, progressOf({ elapsed: 250 }), { type: 'stopping', reason: 'Ctrl-C' }, progressOf({ elapsed: 10_000 }))
    const lines = err.text.slice(startText.length).split('\n')
    expect(lines[0]).toBe('stopping: Ctrl-C; waiting for 256 in flight')
    expect(lines[1]).toMatch(/^stopping 1,234,567 done/)
  })
})

describe('the summary', () => {
  function summarized(event: RunEvent, options: Partial<ProgressOptions> = {}, first: RunEvent = start): string {
    const { tell, err, out } = begin(options)
    tell(first, event)
    expect(out.text).toBe('')
    // Behind the lines of the start and the last one of progress.
    return err.text.split('\n').slice(3).join('\n')
  }

  test('of a run without failures says so with counts, and nothing is left to run', () => {
    expect(summarized(summaryOf({ totals: clean, throttled: 0 }))).toBe(
      `finished: 1,234,567 objects copied, none skipped, none failed
  copied    1,234,567 objects, 1.0 KiB
  time      1 min 40 s, on average 12,346/s, 10 B/s
`,
    )
  })

  test('names failures by code, skips by reason, the ledger and the command to try again', () => {
    expect(summarized(summaryOf())).toBe(
      `finished with failures: 1,234,560 objects copied, 4 skipped, 3 failed
  copied    1,234,560 objects, 1.5 GiB
  skipped   4 objects: 4 deleted after being listed
  failed    3 objects: 2 AccessDenied, 1 NoSuchKey
  time      1 min 40 s, on average 12,346/s, 15.4 MiB/s
  throttled asked to slow down 17 times
  failures  see s3move failures ${DIR}
  next      s3move resume --only-failed ${DIR}
`,
    )
  })

  test('of an interrupted run says that it is unfinished, why, and how to go on', () => {
    const event = summaryOf(
      { totals: clean, throttled: 1 },
      { end: 'interrupted', reason: 'Ctrl-C', hint: 'All is saved.' },
    )
    expect(summarized(event)).toBe(
      `interrupted before it finished (Ctrl-C): 1,234,567 objects copied, none skipped, none failed
  copied    1,234,567 objects, 1.0 KiB
  time      1 min 40 s, on average 12,346/s, 10 B/s
  throttled asked to slow down once
  hint      All is saved.
  next      s3move resume ${DIR}
`,
    )
  })

  test('of a stopped run with failures goes on with all of it, not only with the failed', () => {
    const text = summarized(summaryOf({}, { end: 'stopped', reason: `bad ${HOSTILE}`, hint: `see ${HOSTILE}` }))
    expect(text).toContain(
      `stopped before it finished (bad ${HOSTILE_SHOWN}): 1,234,560 objects copied, 4 skipped, 3 failed\n`,
    )
    expect(text).toContain(`  hint      see ${HOSTILE_SHOWN}\n`)
    expect(text).toContain(`  next      s3move resume ${DIR}\n`)
    expect(text).toContain(`  failures  see s3move failures ${DIR}\n`)
  })

  test('of an empty source says plainly that there are no objects', () => {
    const nothing = { copied: 0, bytes: 0, skipped: {}, failed: {} }
    expect(summarized(summaryOf({ totals: nothing, listed: 0, settledHere: 0, elapsed: 300, throttled: 0 }))).toBe(
      `finished: s3://a/in/ has no objects, so nothing was copied; are bucket and prefix right?
  time      0.3 s, on average 0/s, 0 B/s
`,
    )
  })

  test('of an interrupted run that had listed nothing does not call the source empty', () => {
    const nothing = { copied: 0, bytes: 0, skipped: {}, failed: {} }
    const text = summarized(summaryOf({ totals: nothing, listed: 0, settledHere: 0 }, { end: 'interrupted' }))
    expect(text).toMatch(/^interrupted before it finished: 0 objects copied, none skipped, none failed\n/)
  })

  test('of a resumed run gives the speed of this session alone', () => {
    const text = summarized(summaryOf({ settledHere: 1000 }), {}, { ...start, resumed: true })
    expect(text).toContain('  time      1 min 40 s in this session, on average 10/s\n')
  })

  test('tells the requests, which cost money, when verbose', () => {
    expect(summarized(summaryOf(), { verbose: true })).toContain(
      '  requests  1,234,587 CopyObject, 1,300 ListObjectsV2; 20 of them sent again\n',
    )
  })

  test('quotes the folder for the shell, and shows hostile codes escaped', () => {
    const totals = { ...clean, failed: { '\x1b[31mBad': 1 } }
    const rest = { checkpoint: 'my run\n', ledger: 'my run\n/failures.ndjson' }
    const text = summarized(summaryOf({ totals }, rest))
    expect(text).toContain(`  failed    1 object: 1 \\x1b[31mBad\n`)
    expect(text).toContain(`  failures  see s3move failures $'my run\\012'\n`)
    expect(text).toContain(`  next      s3move resume --only-failed $'my run\\012'\n`)
  })
})

describe('quiet', () => {
  const everything: readonly RunEvent[] = [
    start,
    { type: 'note', level: 'info', message: 'n' },
    progressOf({ elapsed: 60_000 }),
    { type: 'copied', key: 'k', bytes: 1 },
    { type: 'skipped', key: 'k', reason: 'gone' },
  ]

  test('means nothing at all when nothing is wrong, on a terminal too', () => {
    for (const columns of [0, 80]) {
      const { tell, err, out, progress } = begin({ quiet: true, columns })
      tell(...everything, summaryOf({ totals: clean }))
      progress.close()
      expect(err.text + out.text).toBe('')
    }
  })

  test('still tells warnings, failures, why it stops, and what is left to do', () => {
    const { tell, err } = begin({ quiet: true })
    tell(...everything, { type: 'note', level: 'warning', message: 'w' }, failed(), failed())
    tell({ type: 'stopping', reason: 'Ctrl-C' }, summaryOf({}, { end: 'interrupted', hint: 'h' }))
    expect(err.text).toBe(
      `warning: w
failed in/x: CopyObject AccessDenied 403: Access Denied (more with this code are counted, not shown)
stopping: Ctrl-C
interrupted before it finished: 1,234,560 objects copied, 4 skipped, 3 failed
failures: ${DIR}/failures.ndjson
hint: h
next: s3move resume ${DIR}
`,
    )
  })

  test('does not hold failures back, although progress is not shown', () => {
    const verbose = begin({ quiet: true, verbose: true })
    verbose.tell(failed(), progressOf())
    expect(verbose.err.text).toBe('failed in/x: CopyObject AccessDenied 403: Access Denied\n')
    const json = begin({ quiet: true, json: true })
    json.tell(failed(), progressOf())
    expect(json.out.text).toMatch(/^[^\n]*"type":"failed"[^\n]*\n$/)
  })

  test('tells of failures at the end of a finished run', () => {
    const { tell, err } = begin({ quiet: true })
    tell(summaryOf())
    expect(err.text).toBe(
      `finished with failures: 1,234,560 objects copied, 4 skipped, 3 failed
failures: ${DIR}/failures.ndjson
next: s3move resume --only-failed ${DIR}
`,
    )
  })

  test('leaves warnings, failures, the stop and the summary in JSON', () => {
    const { tell, out } = begin({ quiet: true, json: true })
    tell(
      ...everything,
      { type: 'note', level: 'warning', message: 'w' },
      failed(),
      { type: 'stopping', reason: 'r' },
      summaryOf(),
    )
    const types = out.text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as RunEvent).type)
    expect(types).toEqual(['note', 'failed', 'stopping', 'summary'])
  })
})

describe('JSON', () => {
  test('is a record of the event, as the schema has it, on stdout alone', () => {
    const { tell, out, err } = begin({ json: true, columns: 80 })
    tell(start, progressOf({ held: { lanes: 2, rate: 10, prefix: 'a' } }), failed(), summaryOf())
    const lines = out.text.trimEnd().split('\n')
    expect(lines.map(faultOfLine)).toEqual([undefined, undefined, undefined, undefined])
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({
        schema: 's3move/1',
        time: NOW,
        type: 'start',
        source: 's3://a/in/',
        destination: 's3://b/',
      }),
      expect.objectContaining({
        type: 'progress',
        elapsedMs: 100_000,
        held: { lanes: 2, objectsPerSecond: 10, prefix: 'a' },
      }),
      expect.objectContaining({ type: 'failed' }),
      expect.objectContaining({ type: 'summary', exitCode: 0, objectsPerSecond: 12_346 }),
    ])
    expect(lines[3]).toContain(
      '"deleted":0,"deletedBytes":0,"skipped":{"gone":4},"failed":{"AccessDenied":2,"NoSuchKey":1},"failedObjects":3}',
    )
    expect(err.text).toBe('')
  })

  test('has one line of progress a second at most', () => {
    const { tell, out } = begin({ json: true })
    for (let elapsed = 250; elapsed <= 5000; elapsed += 250) tell(progressOf({ elapsed }))
    const told = out.text.trimEnd().split('\n')
    expect(told.map((line) => (JSON.parse(line) as { elapsedMs: number }).elapsedMs)).toEqual([
      250, 1250, 2250, 3250, 4250,
    ])
  })

  test('gives back any key exactly, one line each, without a character that a terminal acts on', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const keys = [HOSTILE, '\u2028\u{e0001}\ud800', ...texts]
        const { progress, tell, out } = begin({ json: true })
        tell(...keys.map((key): RunEvent => ({ type: 'copied', key, bytes: 1 })))
        progress.close()
        expect(out.text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        const read = out.text
          .trimEnd()
          .split('\n')
          .map((line) => (JSON.parse(line) as { key: string }).key)
        expect(read).toEqual(keys)
      }),
    )
  })

  test('goes out with the next progress, also when none is told of it', () => {
    const { tell, out } = begin({ json: true })
    tell(progressOf({ elapsed: 250 }), { type: 'copied', key: 'k', bytes: 1 }, progressOf({ elapsed: 500 }))
    expect(out.text.trimEnd().split('\n')).toHaveLength(2)
  })
})

describe('a stream that breaks', () => {
  function broken(code: string): Writable {
    const error = Object.assign(new Error(`write ${code}`), { code })
    return new Writable({ autoDestroy: false, write: (_chunk, _encoding, done) => done(error) })
  }

  async function settleStreams(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  test('as its reader has gone away is no error of the run, and nothing more is written to it', async () => {
    const stdout = broken('EPIPE')
    const write = vi.spyOn(stdout, 'write')
    const { tell, err } = begin({ json: true, stdout })
    tell(start)
    await settleStreams()
    tell(failed(), summaryOf())
    await settleStreams()
    expect(write).toHaveBeenCalledTimes(1)
    expect(err.text).toBe('')
  })

  test('for another reason is told on stderr, once', async () => {
    const { tell, err } = begin({ json: true, stdout: broken('ENOSPC') })
    tell(start, progressOf())
    await settleStreams()
    tell(summaryOf())
    await settleStreams()
    expect(err.text).toBe('warning: events can no longer be written to standard output: write ENOSPC\n')
  })

  test('is no error of the run when it is stderr, terminal or not', async () => {
    for (const terminal of [false, true]) {
      const stderr = Object.assign(broken('EIO'), { isTTY: terminal, columns: 80 })
      const { tell, progress } = begin({ stderr })
      tell(start, progressOf(), failed())
      await settleStreams()
      tell(progressOf(), summaryOf())
      progress.close()
      await settleStreams()
      expect(stderr.destroyed).toBe(false)
    }
  })
})

describe('a terminal', () => {
  function barOf(columns: number, changes: Partial<Snapshot>, before: Partial<Snapshot> = {}): string {
    const { tell, err, progress } = begin({ columns })
    tell(start)
    tell(progressOf({ elapsed: 90_000, settledHere: 1_111_111, ...before }), progressOf(changes))
    const bar = err.screen.rows.at(-2)!
    expect(err.screen.atRest).toBe(true)
    progress.close()
    return bar
  }

  test('shows all of it when it is wide', () => {
    expect(barOf(120, {})).toBe(
      'copying 1,234,567 done · 12,346/s · 256 in flight · 3 failed · 17 throttled · listing (1,300,000 so far)',
    )
  })

  test('drops zeros before it rounds', () => {
    expect(barOf(80, { totals: clean, throttled: 0 })).toBe(
      '1,234,567 done · 12,346/s · 256 in flight · listing (1,300,000 so far)',
    )
  })

  test('tells of objects that wait to be tried again, with their errors, the most frequent first', () => {
    const errors = { '502 BadGateway': 2, '500 InternalError': 17, ECONNRESET: 1, ETIMEDOUT: 1 }
    const waiting = { objects: 21, errors }
    expect(barOf(200, { waiting })).toContain(
      ' · 21 waiting to be tried again (500 InternalError, 502 BadGateway, ECONNRESET, …) · 3 failed',
    )
    expect(barOf(100, { waiting })).toContain('21 waiting · ')
    expect(barOf(100, { waiting: { objects: 2, errors: { '500 InternalError': 2 } } })).toContain(
      '2 waiting (500 InternalError) · ',
    )
    expect(
      barOf(200, { listingEnded: true, listed: 10, totals: { copied: 8, bytes: 8, skipped: {}, failed: {} }, waiting }),
    ).not.toContain('left')
    expect(barOf(200, { waiting: { objects: 1, errors: { 'Bad\u001bCode': 1 } } })).not.toContain('\u001b')
  })

  test('rounds numbers when 80 columns do not hold them', () => {
    expect(barOf(200, { large: { underWay: 4, waiting: 1200 } })).toContain(
      ' · 256 in flight · 4 large in parts, 1,200 waiting · 3 failed',
    )
    expect(barOf(200, { large: { underWay: 1, waiting: 0 } })).toContain(' · 1 large in parts · 3 failed')
    expect(barOf(80, {})).toBe('1.23M done · 12.3k/s · 256 in flight · 3 failed · 17 throttled · 1.30M listed')
  })

  test('keeps done, rate and failed in 40 columns', () => {
    expect(barOf(40, {})).toBe('1.23M done · 12.3k/s · 3 failed')
  })

  test('draws a bar with percentage, total and time left once the listing has ended', () => {
    expect(barOf(120, { listingEnded: true })).toBe(
      '[================-] 94% · 1,234,567 of 1,300,000 done · 12,346/s · 5.3 s left · 256 in flight · 3 failed · 17 throttled',
    )
    expect(barOf(80, { listingEnded: true, totals: clean, throttled: 0 })).toBe(
      '[===========-] 94% · 1.23M of 1.30M done · 12.3k/s · 5.3 s left · 256 in flight',
    )
    expect(barOf(40, { listingEnded: true })).toBe('94% · 1.23M done · 12.3k/s · 3 failed')
  })

  test('never has a line in its last column, whatever the numbers', () => {
    const big = fc.integer({ min: 0, max: 2 ** 45 })
    const counts = fc.record({
      columns: fc.integer({ min: 2, max: 200 }),
      copied: big,
      failedCount: big,
      listed: big,
      listingEnded: fc.boolean(),
      inFlight: fc.integer({ min: 0, max: 100_000 }),
      throttled: big,
      settledHere: big,
      elapsed: fc.integer({ min: 0, max: 10 ** 10 }),
    })
    fc.assert(
      fc.property(counts, ({ columns, copied, failedCount, ...changes }) => {
        const { tell, err, progress } = begin({ columns })
        tell(progressOf({ totals: { copied, bytes: 0, skipped: {}, failed: { E: failedCount } }, ...changes }))
        expect(err.screen.widest).toBeLessThan(columns)
        expect(err.screen.rows).toHaveLength(2)
        expect(err.screen.atRest).toBe(true)
        const plain = [...err.screen.rows]
        progress.close()
        const coloured = begin({ columns, paint: { stderr: COLOURED } })
        coloured.tell(progressOf({ totals: { copied, bytes: 0, skipped: {}, failed: { E: failedCount } }, ...changes }))
        const seen = [...coloured.err.screen.rows]
        coloured.progress.close()
        expect(seen).toEqual(plain)
      }),
    )
  })

  test('shows failures, warnings and the end in colours, whose places no key can choose', () => {
    const { tell, err, progress } = begin({ columns: 80, paint: { stderr: COLOURED } })
    tell(start, failed({ key: HOSTILE }), progressOf(), { type: 'note', level: 'warning', message: HOSTILE })
    tell(summaryOf())
    progress.close()
    expect(err.text).toContain(`\x1b[31mfailed\x1b[39m ${HOSTILE_SHOWN}: `)
    expect(err.text).toContain(` · \x1b[31m3 failed\x1b[39m · \x1b[33m17 throttled\x1b[39m`)
    expect(err.text).toContain(`\x1b[33mwarning:\x1b[39m ${HOSTILE_SHOWN}\n`)
    expect(err.text).toContain('\x1b[31mfinished with failures: ')
  })

  test('is told in a log without colours', () => {
    const log = new Sink()
    const { tell, progress } = begin({ columns: 80, paint: { stderr: COLOURED }, log, verbose: true })
    tell(start, failed(), progressOf(), { type: 'note', level: 'warning', message: 'a' }, summaryOf())
    progress.close()
    expect(log.text).toContain('finished with failures: ')
    expect(log.text).not.toContain('\x1b')
  })

  test('keeps text above the bar, which stays one line', () => {
    const { tell, err, progress } = begin({ columns: 60, verbose: true })
    tell(start, progressOf())
    tell({ type: 'note', level: 'warning', message: `longer than the terminal is wide: ${HOSTILE} and so on` })
    tell({ type: 'copied', key: 'k', bytes: 1 }, failed(), progressOf({ elapsed: 101_000 }))
    vi.advanceTimersByTime(3000)
    expect(err.screen.rows).toEqual([
      'copying s3://a/in/ to s3://b/',
      'at most 256 objects in flight, 16 ranges listed at once; che',
      `ckpoint ${DIR}`,
      'warning: longer than the terminal is wide: k\\n\\x1b[2J\\x9b1A\\',
      'u{202e}\\r\\x07 and so on',
      'copied k (1 B)',
      'failed in/x: CopyObject AccessDenied 403: Access Denied',
      '1.23M done · 12.2k/s · 3 failed · 17 throttled',
      '',
    ])
    progress.close()
  })

  test('has its cursor at the beginning of a line of its own while there is a bar, and is as it was after close', () => {
    const { tell, err, progress } = begin({ columns: 80 })
    tell(progressOf())
    expect(err.screen.atRest).toBe(true)
    expect(process.listenerCount('SIGTSTP')).toBe(1)
    progress.close()
    expect(process.listenerCount('SIGTSTP')).toBe(0)
    expect(err.screen.rows).toEqual([''])
    const { text } = err
    progress.close()
    vi.advanceTimersByTime(5000)
    expect(err.text).toBe(text)
  })

  test('ends with the summary in the place of the bar', () => {
    const { tell, err } = begin({ columns: 80 })
    tell(progressOf(), summaryOf({ totals: clean, throttled: 0 }))
    expect(err.screen.rows).toEqual([
      'finished: 1,234,567 objects copied, none skipped, none failed',
      '  copied    1,234,567 objects, 1.0 KiB',
      '  time      1 min 40 s, on average 12,346/s, 10 B/s',
      '',
    ])
  })

  describe('with the busiest prefixes', () => {
    const BUSIEST: Snapshot['busiest'] = [
      { prefix: 'photos/2024/', perSecond: 12_345, throttled: 17, failed: 0 },
      { prefix: 'a', perSecond: 7.25, throttled: 0, failed: 3 },
      { prefix: `${HOSTILE}/`, perSecond: 0, throttled: 0, failed: 12_345_678 },
    ]

    test('has a table of them below its line', () => {
      const { tell, err, progress } = begin({ columns: 80 })
      tell(progressOf({ busiest: BUSIEST }))
      expect(err.screen.rows.slice(1)).toEqual([
        '  busiest prefixes                     rate  throttled  failed',
        '  photos/2024/                      12.3k/s         17       0',
        '  a…                                  7.3/s          0       3',
        `  ${HOSTILE_SHOWN}/       0/s          0   12.3M`,
        '',
      ])
      // As many lines as there is something to tell of.
      tell(progressOf({ elapsed: 101_000, busiest: [] }))
      expect(err.screen.rows).toHaveLength(2)
      tell(progressOf({ elapsed: 102_000, busiest: BUSIEST.slice(0, 1) }))
      expect(err.screen.rows).toHaveLength(4)
      tell({ type: 'note', level: 'warning', message: 'above it' })
      expect(err.screen.rows.slice(-3)).toEqual([
        '  busiest prefixes      rate  throttled  failed',
        '  photos/2024/       12.3k/s         17       0',
        '',
      ])
      progress.close()
      expect(err.screen.rows.join('\n')).toBe('warning: above it\n')
    })

    test('cuts their beginnings where it is narrow, and leaves them away where it is low', () => {
      const { tell, err, progress } = begin({ columns: 46 })
      const busiest = [{ prefix: 'photos/of/the/year/2024/', perSecond: 1, throttled: 1, failed: 1 }]
      tell(progressOf({ busiest }))
      expect(err.screen.rows.slice(-2)).toEqual(['  …he/year/2024/     1.0/s          1       1', ''])
      Object.assign(err, { rows: 3 })
      tell(progressOf({ elapsed: 101_000, busiest }))
      expect(err.screen.rows).toHaveLength(2)
      progress.close()
    })

    test('never has a line in its last column, whatever their names and numbers', () => {
      const activity = fc.record({
        prefix: fc.string({ unit: 'binary', maxLength: 100 }),
        perSecond: fc.double({ min: 0, max: 1e7, noNaN: true }),
        throttled: fc.nat(1e9),
        failed: fc.nat(1e9),
      })
      fc.assert(
        fc.property(fc.integer({ min: 2, max: 150 }), fc.array(activity, { maxLength: 5 }), (columns, busiest) => {
          const { tell, err, progress } = begin({ columns })
          tell(progressOf({ busiest }))
          expect(err.screen.widest).toBeLessThan(columns)
          expect(err.screen.rows).toHaveLength(busiest.length === 0 ? 2 : busiest.length + 3)
          progress.close()
        }),
      )
    })

    test('gives wide characters the two columns that they take', () => {
      const { tell, err, progress } = begin({ columns: 46 })
      const busiest = [{ prefix: `${'写'.repeat(30)}/`, perSecond: 1, throttled: 0, failed: 0 }]
      tell(progressOf({ busiest }))
      expect(err.screen.rows.at(-2)).toBe(`  …${'写'.repeat(6)}/     1.0/s          0       0`)
      progress.close()
    })

    test('names them in a line of a log, with what was throttled and failed there, and in JSON', () => {
      const { tell, err, progress } = begin()
      tell(start, progressOf({ busiest: BUSIEST }))
      progress.close()
      expect(err.text).toContain(
        `\nbusiest prefixes: photos/2024/ 12,345/s, 17 throttled · a… 7.3/s, 3 failed · ${HOSTILE_SHOWN}/ 0/s, 12,345,678 failed\n`,
      )
      const json = begin({ json: true })
      json.tell(progressOf({ busiest: BUSIEST }))
      json.progress.close()
      expect(faultOfLine(json.out.text)).toBeUndefined()
      expect(JSON.parse(json.out.text)).toMatchObject({
        busiest: [{ prefix: 'photos/2024/', objectsPerSecond: 12_345, throttled: 17, failed: 0 }, {}, {}],
      })
    })
  })

  test('follows its width when that changes', () => {
    const { tell, err, progress } = begin({ columns: 120 })
    tell(progressOf())
    Object.assign(err, { columns: 40 })
    tell(progressOf({ elapsed: 101_000 }))
    expect(err.screen.rows).toEqual(['1.23M done · 12.2k/s · 3 failed', ''])
    progress.close()
  })
})
