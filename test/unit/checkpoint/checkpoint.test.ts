import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError, checkpointError } from '../../../src/checkpoint/checkpoint-error.js'
import { FORMAT, parseCheckpoint, serializeCheckpoint } from '../../../src/checkpoint/checkpoint.js'
import type { Checkpoint, RateSample, RetryState } from '../../../src/checkpoint/checkpoint.js'
import {
  createFolder,
  findRuns,
  hasCheckpoint,
  readCheckpoint,
  saveCheckpoint,
} from '../../../src/checkpoint/checkpoint-file.js'
import { addSample, HISTORY_LENGTH } from '../../../src/checkpoint/rate-samples.js'
import { defaultFolderName, differences, jobHash } from '../../../src/checkpoint/job-name.js'
import { UserError } from '../../../src/errors.js'
import type { CopyJob } from '../../../src/job/copy.js'
import { noTotals, settled, sum } from '../../../src/job/totals.js'
import { compareKeys, type KeyRange } from '../../../src/keys.js'
import { fill, smallDisk, unprivileged } from '../../support/checkpoint-disk.js'

const job: CopyJob = {
  kind: 'copy',
  source: { bucket: 'photos', prefix: 'in/' },
  destination: { bucket: 'archive', prefix: '' },
}
const sample: Checkpoint = {
  format: FORMAT,
  program: 's3move 0.1.0',
  job,
  connection: { region: 'eu-west-1' },
  pace: { concurrency: 64, lanes: 8, maxErrors: 10 },
  state: 'unfinished',
  startedAt: '2026-01-02T03:04:05.678Z',
  savedAt: '2026-01-02T04:04:05.678Z',
  activeMs: 3_600_000.25,
  sessions: 2,
  ranges: [{ until: 'a' }, { after: 'm\n\u001b[31m', until: 'n' }, { after: 'z' }],
  listed: 14,
  totals: { ...noTotals(), copied: 9, bytes: 900, skipped: { gone: 1 }, failed: { AccessDenied: 4 } },
  ledger: { bytes: 321, entries: 2, sha256: 'ab' },
  retry: { bytes: 10, entries: 1, of: 3, ledger: { bytes: 500, entries: 3, sha256: 'cd' } },
  history: [{ activeMs: 60_000, settled: 3, bytes: 300, throttled: 0 }],
}

// Any string that JavaScript can hold, halves of surrogate pairs included.
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.constantFrom('', '__proto__', 'constructor', '\u2028', '\u0085', '\u202e', '\\u0000', '"', '\u{e0001}'),
)
const count = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 53, 1e21))
const smallCount = fc.nat({ max: 1_000_000 })
/** Ranges in order, apart from each other, the outer ends perhaps open. */
const anyRanges: fc.Arbitrary<KeyRange[]> = fc
  .tuple(fc.uniqueArray(anyText, { maxLength: 8 }), fc.boolean(), fc.boolean())
  .map(([keys, fromStart, toEnd]) => {
    const ends: (string | undefined)[] = keys.sort(compareKeys)
    if (fromStart) ends.unshift(undefined)
    if (toEnd) ends.push(undefined)
    const ranges: KeyRange[] = []
    for (let at = 0; at + 1 < ends.length; at += 2) {
      const [after, until] = [ends[at], ends[at + 1]]
      ranges.push({ ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) })
    }
    return ranges
  })
const time = fc
  .date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString())
const place = fc.record({ bucket: anyText, prefix: anyText })
const optional = { requiredKeys: [] as [] }
const anyCheckpoint: fc.Arbitrary<Checkpoint> = fc
  .record(
    {
      format: fc.constant(FORMAT),
      program: anyText,
      job: fc.record({ kind: fc.constant('copy' as const), source: place, destination: place }),
      connection: fc.record(
        {
          endpointUrl: anyText,
          region: anyText,
          profile: anyText,
          pathStyle: fc.boolean(),
          requestPayer: fc.boolean(),
          noSignRequest: fc.boolean(),
          caBundle: anyText,
          noVerifySsl: fc.boolean(),
        },
        optional,
      ),
      pace: fc.record(
        { concurrency: fc.integer({ min: 1 }), lanes: fc.integer({ min: 1 }), maxErrors: count },
        { requiredKeys: ['concurrency', 'lanes'] },
      ),
      startedAt: time,
      savedAt: time,
      activeMs: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs),
      sessions: fc.integer({ min: 1 }),
      ranges: anyRanges,
      listed: count,
      totals: fc.record({
        copied: smallCount,
        bytes: count,
        skipped: fc.record({ gone: smallCount, 'prefix-marker': smallCount }, optional),
        failed: fc.array(fc.tuple(anyText, smallCount)).map((pairs) => Object.fromEntries(pairs)),
      }),
      tried: smallCount,
      sourceFolder: fc.record({
        names: fc.constantFrom('literal' as const, 'exact' as const, 'folded' as const),
        ...{ device: anyText, inode: anyText },
      }),
      history: fc.array(fc.record({ activeMs: smallCount, settled: count, bytes: count, throttled: count }), {
        maxLength: 5,
      }),
    },
    { noNullPrototype: true },
  )
  .chain(({ tried, sourceFolder, ...drawn }) => {
    // What is drawn must add up: failures are in the ledger, and settled objects were listed.
    const failed = sum(drawn.totals.failed)
    const entries = Math.max(0, failed - tried)
    const all = settled(drawn.totals)
    const fitting = (retry: RetryState | undefined): Checkpoint => {
      const inLedger = retry === undefined ? failed : entries
      const done = drawn.ranges.length === 0 && retry === undefined
      return {
        ...drawn,
        state: done ? 'finished' : 'unfinished',
        listed: drawn.ranges.length === 0 ? all : Math.max(all, drawn.listed),
        ledger: { bytes: inLedger * 100, entries: inLedger },
        ...(retry === undefined ? {} : { retry }),
      }
    }
    const retry = { bytes: 7, entries: 5, of: 5 + failed - entries }
    return fc.constantFrom(fitting(undefined), { ...fitting(retry), sourceFolder })
  })

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3move-checkpoint-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function problemOf(text: string | Uint8Array): UserError {
  try {
    parseCheckpoint(text, 'runs/x/checkpoint.json')
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
  throw new Error('the text was taken for a checkpoint')
}

/** The sample as JSON, with one field set to a value, or removed when that is undefined. */
function edited(path: string, value: unknown): string {
  const document = JSON.parse(serializeCheckpoint(sample)) as Record<string, unknown>
  const names = path.split('.')
  let parent = document
  for (const name of names.slice(0, -1)) parent = parent[name] as Record<string, unknown>
  parent[names.at(-1)!] = value
  return JSON.stringify(document)
}

describe('the text of a checkpoint', () => {
  it('reads back as the same checkpoint, whatever the keys', () => {
    fc.assert(
      fc.property(anyCheckpoint, (checkpoint) => {
        const text = serializeCheckpoint(checkpoint)
        expect(parseCheckpoint(text, 'x')).toEqual(checkpoint)
        expect(parseCheckpoint(Buffer.from(text), 'x')).toEqual(checkpoint)
      }),
    )
  })

  it('holds no character that could play tricks on a terminal', () => {
    fc.assert(
      fc.property(anyCheckpoint, (checkpoint) => {
        const text = serializeCheckpoint(checkpoint)
        expect(text.endsWith('}\n')).toBe(true)
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
      }),
    )
  })

  it('is refused wherever it is cut', () => {
    fc.assert(
      fc.property(anyCheckpoint, fc.double({ min: 0, max: 1, noNaN: true }), (checkpoint, where) => {
        const bytes = Buffer.from(serializeCheckpoint(checkpoint))
        // Without its last newline it is still whole.
        const cut = bytes.subarray(0, Math.floor(where * (bytes.length - 2)))
        expect(() => parseCheckpoint(cut, 'x')).toThrow(UserError)
      }),
    )
    const whole = serializeCheckpoint(sample)
    for (let length = 0; length < whole.length - 1; length++) {
      expect(() => parseCheckpoint(whole.slice(0, length), 'x')).toThrow(UserError)
    }
  })

  it('is refused with any other value in the place of a field, and never crashes the reader', () => {
    const document = JSON.parse(serializeCheckpoint(sample)) as unknown
    const paths = leaves(document, [])
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const text = edited(path.join('.'), value)
        if (isDeepStrictEqual(JSON.parse(text), document)) return
        expect(() => parseCheckpoint(text, 'x')).toThrow(UserError)
      }),
    )
  })

  it('is refused with any bit flipped, or reads as the very same', () => {
    const whole = Buffer.from(serializeCheckpoint(sample))
    let harmless = 0
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Buffer.from(whole)
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
      let read: Checkpoint | undefined
      try {
        read = parseCheckpoint(flipped, 'x')
      } catch (error) {
        expect(error).toBeInstanceOf(UserError)
        continue
      }
      harmless++
      expect(read).toEqual(sample)
    }
    // A hexadecimal digit of an escape may change its case.
    expect(harmless).toBeLessThan(5)
  })

  it('reads as the same when another program has laid it out anew', () => {
    const document = JSON.parse(serializeCheckpoint(sample)) as Record<string, unknown>
    const reversed = Object.fromEntries(Object.entries(document).reverse())
    expect(parseCheckpoint(JSON.stringify(reversed), 'x')).toEqual(sample)
  })

  it.each<[title: string, changes: Partial<Checkpoint>, message: string]>([
    [
      'nothing left to list, and too few settled',
      { ranges: [], listed: 99 },
      'listed is 99, nothing is left to list, but 14',
    ],
    [
      'a range that is reversed',
      { ranges: [{ until: 'a' }, { after: 'n', until: 'm' }] },
      'ranges[1] ends before it begins',
    ],
    ['a range of no key', { ranges: [{ after: 'n', until: 'n' }] }, 'ranges[0] ends before it begins'],
    ['ranges that overlap', { ranges: [{ until: 'm' }, { after: 'k' }] }, 'ranges[1] does not begin behind'],
    [
      'ranges of which one has no end before the next',
      { ranges: [{ after: 'a' }, { after: 'k' }] },
      'ranges[1] does not',
    ],
    ['an end of a run of which something remains', { state: 'finished' }, 'state is "finished", but work remains'],
    ['more failures than the ledger has', { ledger: { bytes: 321, entries: 1 } }, 'totals.failed adds up to 4, but 3'],
    ['more objects settled than listed', { listed: 13 }, 'listed is 13, but 14 objects are settled'],
    [
      'more tried again than there are',
      { retry: { bytes: 10, entries: 4, of: 3 } },
      'retry.entries is more than there are',
    ],
    ['a ledger of lines without bytes', { ledger: { bytes: 0, entries: 2 } }, 'ledger has bytes without entries'],
    [
      'a large object that was not begun',
      { large: { ledger: { bytes: 9, entries: 1 }, begun: { bytes: 0, entries: 0 }, open: [{ at: 0 }] } },
      'large.open has an object that was not begun',
    ],
    [
      'more deleted than is to be',
      { removals: { bytes: 9, entries: 1, done: { bytes: 19, entries: 2 } } },
      'removals.done.entries is more than there are',
    ],
    [
      'what is settled ahead in a list overlapping what is before it',
      { list: { entries: 2, ahead: [{ from: 1, to: 3 }], of: 9, size: 1, modified: 1, sha256: '' } },
      'list.ahead is not in order',
    ],
    [
      'more settled ahead in a list than it has',
      { list: { entries: 2, ahead: [{ from: 5, to: 12 }], of: 9, size: 1, modified: 1, sha256: '' } },
      'list.ahead is more than there are',
    ],
    [
      'open rows that overlap',
      {
        list: {
          ...{ entries: 0, size: 1, modified: 1, sha256: '', next: { file: 2, row: 0 } },
          open: [
            { file: 0, row: 0 },
            { file: 0, row: 9 },
          ],
        },
      },
      'list.open is not in order',
    ],
    [
      'open rows behind what nobody has begun',
      {
        list: {
          ...{ entries: 0, size: 1, modified: 1, sha256: '', next: { file: 1, row: 5 } },
          open: [{ file: 1, row: 2, until: 6 }],
        },
      },
      'list.open is not in order',
    ],
    [
      'a list that the job does not have',
      { list: { entries: 0, of: 1, size: 1, modified: 1, sha256: '' } },
      'list is there',
    ],
  ])('of an older format, without a checksum, is refused with %s', (_title, changes, message) => {
    const older = { ...sample, ...changes, format: 1, history: [] }
    expect(parseCheckpoint(JSON.stringify({ ...sample, format: 1, history: [{ at: 'then' }] }), 'x').sessions).toBe(2)
    expect(problemOf(JSON.stringify(older)).message).toContain(message)
    expect(() => serializeCheckpoint({ ...sample, ...changes })).toThrow(message)
  })

  it('of an older format is read with its ranges in whatever order', () => {
    const shuffled = { ...sample, format: 1, ranges: sample.ranges.toReversed(), history: [] }
    expect(parseCheckpoint(JSON.stringify(shuffled), 'x')).toEqual({ ...sample, history: [] })
  })

  it('is refused when bytes of it are not UTF-8, since a key with a character replaced is another key', () => {
    const bytes = Buffer.from(serializeCheckpoint({ ...sample, ranges: [{ after: 'é' }] }))
    bytes[bytes.indexOf(Buffer.from('é'))] = 0xff
    expect(problemOf(bytes).message).toContain('damaged')
  })

  it('is refused with the newer version named, even if nothing else is understood', () => {
    const problem = problemOf('{"format":3,"ranges":"elsewhere"}')
    expect(problem.message).toBe(
      'checkpoint runs/x/checkpoint.json was written by a newer s3move (format 3; this one reads formats up to 2)',
    )
    expect(problem.hint).toContain('newer')
  })

  it.each<[title: string, path: string, value: unknown, message: string]>([
    ['a missing field', 'listed', undefined, 'listed is missing'],
    ['a missing field inside', 'job.source.prefix', undefined, 'job.source.prefix is missing'],
    ['a negative count', 'totals.copied', -1, 'totals.copied should be a whole number, zero or more, but is -1'],
    ['a fraction', 'ledger.bytes', 1.5, 'ledger.bytes should be a whole number, zero or more, but is 1.5'],
    ['a wrong type', 'ranges.1.after', 7, 'ranges[1].after should be a string, but is 7'],
    ['a list for an object', 'connection', [], 'connection should be an object, but is []'],
    ['an object for a list', 'history', {}, 'history should be a list, but is {}'],
    ['an unknown state', 'state', 'done', 'state should be "unfinished" or "finished", but is "done"'],
    [
      'an unknown kind of job',
      'job.kind',
      'paint',
      'job.kind should be "copy" or "sync" or "move" or "set-headers" or "set-tags" or "set-storage-class" or "set-encryption" or "delete" or "ls" or "du" or "verify", but is "paint"',
    ],
    ['an unknown option', 'job.acl', 'x', 'job.acl is not a field that this version knows'],
    ['an unknown reason', 'totals.skipped.bored', 1, 'totals.skipped.bored is not a field that this version knows'],
    [
      'a count by a hostile name',
      'totals.failed.a\nb',
      null,
      String.raw`totals.failed.a\nb should be a whole number, zero or more, but is null`,
    ],
    ['a long value', 'listed', 'x'.repeat(500), 'listed should be a whole number, zero or more, but is "xxx'],
    ['no concurrency', 'pace.concurrency', 0, 'pace.concurrency should be a whole number, one or more, but is 0'],
    ['a day that is no time', 'savedAt', 'yesterday', 'savedAt should be a time'],
    ['an old format', 'format', 0, 'format should be 2, but is 0'],
    ['no checksum', 'checksum', undefined, 'checksum is missing'],
    ['no format', 'format', undefined, 'format is missing'],
  ])('names the damaged field: %s', (_title, path, value, message) => {
    const problem = problemOf(edited(path, value))
    expect(problem.message).toContain(`checkpoint runs/x/checkpoint.json is damaged: ${message}`)
    expect(problem.message.length).toBeLessThan(240)
    expect(problem.hint).toBeDefined()
  })

  it.each(['', ' \n', 'null', '[]', '7', '"x"', '{', '\u0000\u0000'])('is refused when it is %j', (text) => {
    expect(problemOf(text).message).toContain('checkpoint runs/x/checkpoint.json')
  })

  it('is not made from a checkpoint that could not be read back', () => {
    expect(() => serializeCheckpoint({ ...sample, listed: Number.NaN })).toThrow('listed should be')
    expect(() => serializeCheckpoint({ ...sample, activeMs: Infinity })).toThrow('activeMs should be')
    expect(() => serializeCheckpoint({ ...sample, sessions: 0 })).toThrow('sessions should be')
  })
})

function leaves(value: unknown, path: readonly string[]): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  const below = Object.entries(value).flatMap(([name, item]) => leaves(item, [...path, name]))
  return path.length === 0 ? below : [path, ...below]
}

describe('the history of rates', () => {
  function history(length: number, step: (index: number) => number): readonly RateSample[] {
    let at = 0
    let samples: readonly RateSample[] = []
    for (let index = 0; index < length; index++) {
      samples = addSample(samples, { activeMs: at, settled: index, bytes: 0, throttled: 0 })
      at += step(index)
    }
    return samples
  }

  it('never exceeds its bound, keeps its order and its first sample', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20_000 }), { minLength: 1, maxLength: 2000 }), (steps) => {
        const samples = history(steps.length, (index) => steps[index]!)
        expect(samples.length).toBeLessThanOrEqual(HISTORY_LENGTH)
        expect(samples[0]?.settled).toBe(0)
        const settled = samples.map((one) => one.settled)
        expect(settled).toEqual([...settled].sort((a, b) => a - b))
      }),
    )
  })

  it.each([
    [1000, 10_000],
    [250, 20_000],
    [997, 5_000],
    [10_000, 5_000],
  ])('covers the whole run evenly when asked every %i ms, %i times', (step, times) => {
    const samples = history(times, (index) => step + (index % 7) - 3)
    expect(samples.length).toBeGreaterThanOrEqual(HISTORY_LENGTH / 4)
    const gaps = samples.slice(1).map((one, index) => one.activeMs - samples[index]!.activeMs)
    expect(Math.max(...gaps) / Math.min(...gaps)).toBeLessThan(3)
    const end = step * times
    expect(end - (samples.at(-1)!.activeMs - samples[0]!.activeMs)).toBeLessThan(2 * Math.max(...gaps))
  })
})

describe('the name of a job', () => {
  it('is the same whatever the order of fields, the credentials and the region', () => {
    const reordered: CopyJob = {
      destination: { prefix: '', bucket: 'archive' },
      source: { prefix: 'in/', bucket: 'photos' },
      kind: 'copy',
    }
    expect(jobHash(job, {})).toMatch(/^[0-9a-f]{8}$/)
    expect(jobHash(reordered, { region: 'x', profile: 'y', noVerifySsl: true })).toBe(jobHash(job, {}))
    expect(defaultFolderName(job, {})).toBe(`photos_in-to-archive-${jobHash(job, {})}`)
  })

  it('differs for another place or endpoint, but not for a slash at the end of the endpoint', () => {
    const hashes = [
      jobHash(job, {}),
      jobHash({ ...job, source: { bucket: 'photos', prefix: 'in' } }, {}),
      jobHash({ ...job, source: job.destination, destination: job.source }, {}),
      jobHash(job, { endpointUrl: 'http://localhost:9000' }),
      jobHash(job, { endpointUrl: 'http://localhost:9001' }),
    ]
    expect(new Set(hashes).size).toBe(hashes.length)
    expect(jobHash(job, { endpointUrl: 'http://localhost:9000/' })).toBe(hashes[3])
  })

  it('is a safe name for a folder, whatever the prefixes', () => {
    fc.assert(
      fc.property(place, place, (source, destination) => {
        const name = defaultFolderName({ kind: 'copy', source, destination }, {})
        expect(name).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,172}$/)
      }),
    )
  })

  it('is told apart from another job line by line, with nothing raw of a key', () => {
    const other: CopyJob = { ...job, destination: { bucket: 'archive', prefix: 'x\n\u001b[2J' } }
    expect(differences({ job, connection: {} }, { job, connection: { region: 'x' } })).toEqual([])
    expect(
      differences(
        { job, connection: { endpointUrl: 'http://a' } },
        { job: other, connection: { endpointUrl: 'http://b' } },
      ),
    ).toEqual([
      String.raw`destination: checkpoint has s3://archive/, command has s3://archive/x\n\x1b[2J`,
      'endpoint: checkpoint has http://a, command has http://b',
    ])
    expect(differences({ job, connection: {} }, { job, connection: { endpointUrl: 'http://b' } })).toEqual([
      'endpoint: checkpoint has none, command has http://b',
    ])
  })

  it('finds no difference exactly when the hash is the same', () => {
    const unlisted = {
      kind: 'copy',
      source: { bucket: 'a', prefix: '' },
      destination: { bucket: 'b', prefix: '' },
    } as const
    const near = fc.record({ bucket: fc.constantFrom('a', 'b'), prefix: fc.constantFrom('', 'x', '\\n', '\n') })
    const one = fc.record({
      job: fc.record(
        {
          ...{ kind: fc.constant('copy' as const), source: near, destination: near },
          list: fc.constantFrom({ file: 'x' }, { file: 'y' }),
        },
        { requiredKeys: ['kind', 'source', 'destination'] },
      ),
      connection: fc.record({ endpointUrl: fc.constantFrom('http://a', 'http://a/', 'b') }, optional),
    })
    fc.assert(
      fc.property(one, one, (a, b) => {
        expect(differences(a, b).length === 0).toBe(jobHash(a.job, a.connection) === jobHash(b.job, b.connection))
      }),
      {
        examples: [
          [
            { job: unlisted, connection: {} },
            { job: { ...unlisted, list: { file: 'x' } as const }, connection: {} },
          ],
        ],
      },
    )
  })
})

describe('the file of a checkpoint', () => {
  it('is read by its folder or its own path, and only its owner may read it', async () => {
    const run = join(folder, '.s3move', 'run')
    await createFolder(run)
    await saveCheckpoint(run, sample)
    expect(await readCheckpoint(run)).toEqual({ folder: run, checkpoint: sample })
    expect(await readCheckpoint(join(run, 'checkpoint.json'))).toEqual({ folder: run, checkpoint: sample })
    expect((await stat(run)).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, '.s3move'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(run, 'checkpoint.json'))).mode & 0o777).toBe(0o600)
    expect(await readdir(run)).toEqual(['checkpoint.json'])
  })

  it('is replaced by each save, and stays private even if it was not', async () => {
    await saveCheckpoint(folder, sample)
    await chmod(join(folder, 'checkpoint.json'), 0o644)
    await saveCheckpoint(folder, { ...sample, listed: 77 })
    expect((await readCheckpoint(folder)).checkpoint.listed).toBe(77)
    expect((await stat(join(folder, 'checkpoint.json'))).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['checkpoint.json'])
  })

  it('is whole whenever it is read while it is being saved', async () => {
    await saveCheckpoint(folder, sample)
    const saving = { now: true }
    const saves = (async () => {
      for (let listed = 15; listed < 100; listed++) await saveCheckpoint(folder, { ...sample, listed })
    })().finally(() => {
      saving.now = false
    })
    const seen: number[] = []
    while (saving.now) seen.push((await readCheckpoint(folder)).checkpoint.listed)
    await saves
    const later = seen.slice(seen.lastIndexOf(sample.listed) + 1)
    expect(later).toEqual([...later].sort((a, b) => a - b))
    expect((await readCheckpoint(folder)).checkpoint.listed).toBe(99)
  })

  it('is taken as it is at the call, though the totals go on changing', async () => {
    const totals = { ...sample.totals, copied: 1 }
    const saved = saveCheckpoint(folder, { ...sample, totals })
    totals.copied = 2
    await saved
    expect((await readCheckpoint(folder)).checkpoint.totals.copied).toBe(1)
  })

  it('is missed with a hint, by folder and by path', async () => {
    for (const path of [folder, join(folder, 'checkpoint.json'), join(folder, 'nowhere'), join(folder, 'a', 'b')]) {
      const problem = await readCheckpoint(path).catch((error: unknown) => error)
      expect(problem).toBeInstanceOf(UserError)
      expect(problem).toMatchObject({ message: expect.stringContaining('there is no checkpoint at') as string })
      expect((problem as UserError).hint).toContain('folder of the run')
    }
    expect(await hasCheckpoint(folder)).toBe(false)
    expect(await hasCheckpoint(join(folder, 'nowhere'))).toBe(false)
    await writeFile(join(folder, 'other.json'), serializeCheckpoint(sample))
    await expect(readCheckpoint(join(folder, 'other.json'))).rejects.toThrow('is not a checkpoint')
  })

  it('cannot have a folder where a file is', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(createFolder(join(folder, 'file'))).rejects.toThrow(UserError)
    await expect(createFolder(join(folder, 'file', 'below'))).rejects.toThrow('a file is in the way')
  })

  it('leaves nothing behind when it cannot be replaced', async () => {
    await mkdir(join(folder, 'checkpoint.json', 'x'), { recursive: true })
    await expect(saveCheckpoint(folder, sample)).rejects.toThrow(CheckpointError)
    expect(await readdir(folder)).toEqual(['checkpoint.json'])
  })

  it('tells that the folder is gone', async () => {
    await expect(saveCheckpoint(join(folder, 'gone'), sample)).rejects.toMatchObject({
      name: 'CheckpointError',
      message: `cannot save ${join(folder, 'gone', 'checkpoint.json')}: it does not exist, or was removed`,
    })
  })

  it('keeps the old text when the folder must not be written', async () => {
    await saveCheckpoint(folder, sample)
    await chmod(folder, 0o555)
    await chmod(join(folder, 'checkpoint.json'), 0o644)
    try {
      const problem = await unprivileged(() => saveCheckpoint(folder, { ...sample, listed: 99 }))
      expect(problem).toBeInstanceOf(CheckpointError)
      expect(problem).toMatchObject({
        message: `cannot save ${join(folder, 'checkpoint.json')}: permission denied`,
        hint: 'Run as the owner of the folder, or give yourself the permission to write in it, then resume the run.',
      })
    } finally {
      await chmod(folder, 0o755)
    }
    expect((await readCheckpoint(folder)).checkpoint).toEqual(sample)
    expect(await readdir(folder)).toEqual(['checkpoint.json'])
  })

  it('is refused in words when it must not be read', async () => {
    await chmod(folder, 0o755)
    await saveCheckpoint(folder, sample)
    await chmod(join(folder, 'checkpoint.json'), 0o000)
    const problem = await unprivileged(() => readCheckpoint(folder))
    expect(problem).toBeInstanceOf(UserError)
    expect(problem).toMatchObject({ message: `cannot read ${join(folder, 'checkpoint.json')}: permission denied` })
  })

  it('keeps the old text when the disk is full (where a small one can be mounted)', async ({ skip }) => {
    const disk = (await smallDisk()) ?? skip('needs the superuser of a Linux')
    try {
      await saveCheckpoint(disk.path, sample)
      await fill(disk.path)
      await expect(saveCheckpoint(disk.path, { ...sample, listed: 99 })).rejects.toMatchObject({
        name: 'CheckpointError',
        message: `cannot save ${join(disk.path, 'checkpoint.json')}: the disk is full`,
        hint: 'Free some space, then resume the run.',
      })
      expect((await readdir(disk.path)).sort()).toEqual(['ballast', 'checkpoint.json'])
      expect((await readCheckpoint(disk.path)).checkpoint).toEqual(sample)
      await rm(join(disk.path, 'ballast'))
      await saveCheckpoint(disk.path, { ...sample, listed: 99 })
      expect((await readCheckpoint(disk.path)).checkpoint.listed).toBe(99)
    } finally {
      await disk.remove()
    }
  })

  it('tells a system error that it does not know in the words of the system', () => {
    expect(checkpointError('save', 'a\nb', new Error('odd\u001b')).message).toBe(String.raw`cannot save a\nb: odd\x1b`)
    expect(checkpointError('save', 'x', 'text').message).toBe('cannot save x: text')
  })
})

describe('the runs of a working directory', () => {
  it('are none when nothing was run there', async () => {
    expect(await findRuns(folder)).toEqual([])
    await mkdir(join(folder, '.s3move', 'empty'), { recursive: true })
    await writeFile(join(folder, '.s3move', 'file'), '')
    expect(await findRuns(folder)).toEqual([])
  })

  it('come newest first, those that cannot be read last, with the problem', async () => {
    const times = { b: '2026-01-01T00:00:00.000Z', a: '2026-03-01T00:00:00.000Z', c: '2026-02-01T00:00:00.000Z' }
    for (const [name, savedAt] of Object.entries(times)) {
      await createFolder(join(folder, '.s3move', name))
      await saveCheckpoint(join(folder, '.s3move', name), { ...sample, savedAt })
    }
    await createFolder(join(folder, '.s3move', '0'))
    await writeFile(join(folder, '.s3move', '0', 'checkpoint.json'), '{')
    const runs = await findRuns(folder)
    expect(runs.map((run) => run.folder)).toEqual(['a', 'c', 'b', '0'].map((name) => join(folder, '.s3move', name)))
    expect(runs[0]).toMatchObject({ checkpoint: { savedAt: times.a } })
    expect(runs[3]).toMatchObject({ problem: { name: 'UserError' } })
  })
})
