import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Announcement } from '../../../src/fleet/announcement.js'
import { jobConnection, readAnnouncement } from '../../../src/fleet/announcement.js'
import { whyNot, type Allowed } from '../../../src/fleet/lendable.js'
import { fromLent, fromMember, onWire, toLent, toMember } from '../../../src/fleet/message.js'
import { Outbox, readEntry } from '../../../src/fleet/wire.js'
import { noTotals } from '../../../src/job/totals.js'
import { NO_VERDICTS } from '../../../src/job/verdicts.js'
import { Mismatch } from '../../../src/job/schema.js'
import type { MoveJob } from '../../../src/job/move.js'
import type { SetHeadersJob } from '../../../src/job/set-headers.js'
import type { Task } from '../../../src/engine/workers/worker-pool.js'

const job: SetHeadersJob = { kind: 'set-headers', source: { bucket: 'b', prefix: '' }, rules: [], folderMarkers: false }
const writing: Extract<Task, { kind: 'write' }> = { kind: 'write', job, watched: true }
const any = fc.string({ unit: 'binary' })
const odd = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 })
  .map((units) => String.fromCharCode(...units))

const DATE = '2024-01-01T00:00:00.000Z'
const OBJECT = { key: 'k', size: 1, etag: 'e', lastModified: DATE, storageClass: 'STANDARD' }

/** What arrives of what one side says. */
function across(message: object): unknown {
  const outbox = new Outbox('m')
  outbox.say(1, message)
  return readEntry(outbox.seal(0, 0)).d[0]?.[1]
}

describe('messages between hosts', () => {
  test('any string, lone surrogates and control characters too, comes back the same', () => {
    fc.assert(
      fc.property(fc.oneof(any, odd), (key) => {
        const facts = { count: 1, truncated: true, inDoubt: false, first: key, last: undefined, samples: [key] }
        const page = { type: 'page', grant: 1, facts } as const
        expect(fromLent(writing)(across(onWire(page)), '')).toEqual(page)
        const failure = { key, operation: 'CopyObject', code: key, message: key, attempts: 1, time: 't' }
        const gain = {
          totals: noTotals(),
          added: 1,
          failures: [failure],
          deferred: [],
          waiting: [],
          deferredDeletes: [],
        }
        const product = { gain, seen: [{ type: 'copied', key, bytes: 1 }] }
        const delivery = { type: 'delivery', cursors: [[1, key, 1]], product } as const
        expect(fromLent(writing)(across(onWire(delivery as never)), '')).toEqual(delivery)
        const grant = { type: 'grant', grant: 3, after: key, until: undefined } as const
        expect(toLent(across(grant), '')).toEqual(grant)
        const upload = { id: key, partSize: 1, etag: key, lastModified: key }
        const object = { key, size: 6e9, etag: key, lastModified: key, storageClass: key }
        const lend = { type: 'lend', at: 7, object, upload } as const
        expect(toMember(across(lend), '')).toEqual(lend)
        const begun = { type: 'begun', at: 7, upload } as const
        expect(fromMember(across(begun), '')).toEqual(begun)
        const deferredDelete = { key, size: 1, etag: key, lastModified: DATE, copy: key }
        const outcomes = [
          { kind: 'copied', etag: key, manifest: { size: 1, etag: key, lastModified: key } },
          { kind: 'failed', failure, later: true, restoring: true },
          { kind: 'delete-deferred', deferredDelete },
          { kind: 'skipped', reason: 'exists' },
          { kind: 'deleted' },
        ] as const
        for (const outcome of [undefined, ...outcomes]) {
          const done = { type: 'done', at: 7, ...(outcome === undefined ? {} : { outcome }) } as const
          expect(fromMember(across(done), '')).toEqual(done)
        }
      }),
    )
  })

  test.each([
    [{ type: 'lend', at: -1, object: {} }],
    [{ type: 'lend', at: 1, object: { key: 'k', size: 1, etag: 'e', lastModified: DATE } }],
    [{ type: 'lend', at: 1, object: OBJECT, upload: { id: 'u' } }],
    [{ type: 'lend', at: 1, object: OBJECT, bucket: 'another' }],
  ])('of a large object %j is not understood', (told) => {
    expect(() => toMember(across(told), 'd')).toThrow(Mismatch)
  })

  test('lines of verify come back byte by byte', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const task = { kind: 'comparison' } as unknown as Task
        const delivery = { type: 'delivery', cursors: [], product: { gain: NO_VERDICTS, bytes } } as const
        expect(fromLent(task)(across(onWire(delivery)), '')).toEqual(delivery)
      }),
    )
  })

  test.each([
    [{ type: 'shell', command: 'rm' }],
    [{ type: 'claim', more: 1 }],
    [{ type: 'release', grant: -1 }],
    [{ type: 'delivery', cursors: [[1, 'k', 1]], product: { gain: {}, seen: [] } }],
    [null],
  ])('what is not known is not taken in: %j', (message) => {
    expect(() => fromLent(writing)(message, 'd')).toThrow()
  })

  test('of an error only its words are sent', () => {
    const details = { severity: 'stop-run', code: 'c', operation: 'o', bucket: 'b', hint: 'h', key: 'k' } as const
    const said = onWire({ type: 'failed', error: { kind: 'storage', message: 'm', details, attempts: 1 } })
    expect(said).toEqual({ type: 'failed', message: 'm', hint: 'h' })
  })

  test('an entry that is too long, or none, is refused', () => {
    expect(() => readEntry('x'.repeat(4 * 1024 * 1024 + 1))).toThrow('characters')
    expect(() => readEntry('{')).toThrow('no JSON')
    expect(() => readEntry('{"m":"m","n":0,"h":0,"d":[]}')).toThrow('n should be')
  })
})

describe('an announcement', () => {
  const base: Announcement = {
    ...{ format: 1, program: 's3move 1', name: 'n', session: 's', task: writing, retryFor: 1 },
    connection: {},
  }

  test('comes back as it was, and has nothing that belongs to a machine', () => {
    const machine = { profile: 'p', caBundle: '/ca', noVerifySsl: true, connectTimeout: 1, readTimeout: 1, minRate: 1 }
    const connection = jobConnection({
      ...machine,
      ...{ endpointUrl: 'http://e', region: 'r', requestPayer: true },
      source: { profile: 'q', region: 'r2' },
    })
    expect(connection).toEqual({ endpointUrl: 'http://e', region: 'r', requestPayer: true, source: { region: 'r2' } })
    expect(readAnnouncement(JSON.stringify({ ...base, connection }))).toEqual({ ...base, connection })
    expect(() => readAnnouncement(JSON.stringify({ ...base, task: { kind: 'usage', job } }))).toThrow()
    expect(() => readAnnouncement(JSON.stringify({ ...base, connection: machine }))).toThrow()
  })

  const move = {
    ...{
      kind: 'move',
      source: { bucket: 'a', prefix: 'in/' },
      destination: { bucket: 'b', prefix: '' },
      attributes: {},
    },
  } as unknown as MoveJob
  const all: Allowed = {
    ...{
      places: [
        { bucket: 'a', prefix: 'in/' },
        { bucket: 'b', prefix: '' },
      ],
      endpoints: ['http://e'],
      deletes: true,
    },
  }
  const asked = (more: object, connection = {}) => ({
    ...base,
    task: { ...writing, job: { ...move, ...more } },
    connection,
  })

  test.each([
    [{}, {}, all, undefined],
    [{}, { endpointUrl: 'http://e/' }, all, undefined],
    [{}, { endpointUrl: 'http://other' }, all, 'it is done at http://other, which no --allow-endpoint names'],
    [{}, { destination: { endpointUrl: 'http://x' } }, all, 'it is done at http://x, which no --allow-endpoint names'],
    [{ source: { bucket: 'a', prefix: 'i' } }, {}, all, 'it works on s3://a/i, which no --allow names'],
    [{ source: { bucket: 'a', prefix: 'in/b/' } }, {}, all, undefined],
    [{ destination: { bucket: 'c', prefix: '' } }, {}, all, 'it works on s3://c/, which no --allow names'],
    [{}, {}, { ...all, deletes: false }, 'it deletes objects, which takes --allow-delete'],
    [{ source: { bucket: '/tmp', prefix: '' } }, {}, all, 'file:///tmp is a folder, which other hosts do not have'],
    [
      { list: { file: '/l', format: 'keys' } },
      {},
      all,
      'the list of --files-from is dealt out to the threads of one process',
    ],
    [{ attributes: { keyFile: '/k' } }, {}, all, 'keys of SSE-C are never given to other hosts'],
  ])('of a job with %j at %j is for a host that allows it', (more, connection, allowed, why) => {
    expect(whyNot(asked(more, connection) as Announcement, allowed)).toBe(why)
  })
})
