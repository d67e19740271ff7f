import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../../src/errors.js'
import { MemoryBudget } from '../../../../src/engine/actions/memory-budget.js'
import { streaming } from '../../../../src/engine/actions/copy-streamed.js'
import type { CopyJob } from '../../../../src/job/copy.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Storage } from '../../../../src/storage/storage.js'
import type { Part, Uploading } from '../../../../src/storage/parts.js'

const JOB: CopyJob = {
  kind: 'copy',
  source: { bucket: 'src', prefix: 'a/' },
  destination: { bucket: 'dst', prefix: '' },
}
const LIMITS = { part: 100, whole: 200, piped: 600, apart: 1000 }
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

interface Held {
  body: Buffer<ArrayBuffer>
  etag: string
}

const fault = (code: string, key: string): StorageError =>
  new StorageError(code, { severity: 'fail-object', code, operation: 'GetObject', bucket: 'src', key })

/** A source with one object. `spoil` may change bytes that are read, `before` is called before each request. */
function sourceOf(
  object: Held,
  {
    spoil = (bytes) => bytes,
    before,
    plainEtag = true,
  }: { spoil?: (bytes: Buffer<ArrayBuffer>) => Buffer<ArrayBuffer>; before?: () => void; plainEtag?: boolean } = {},
): Storage {
  const headNow = (): ObjectHead => ({
    ...{ size: object.body.length, etag: object.etag, lastModified: object.etag, storageClass: 'STANDARD' },
    ...{ headers: new Map([['content-type', 'text/x']]), carried: [], tags: 0, checksums: new Map() },
    ...{ plainEtag, unshown: 0, archived: false, locked: false },
  })
  const never = () => Promise.reject(new Error('not asked for'))
  const read = (key: string, etag: string, first: number, last: number, room?: Buffer): Buffer => {
    before?.()
    if (etag !== object.etag) throw fault('PreconditionFailed', key)
    const bytes = spoil(Buffer.from(object.body.subarray(first, last + 1)))
    if (room?.length !== bytes.length) return bytes
    room.set(bytes)
    return room
  }
  return {
    place: JOB.source,
    list: never,
    reading: {
      ...{ tagging: never, grants: never, digest: never },
      head: () => Promise.resolve(headNow()),
      open: async ({ key, etag, size }, room) =>
        Promise.resolve({ bytes: read(key, etag, 0, size - 1, room), head: headNow() }),
      read: async ({ key, etag }, first, last, room) => Promise.resolve(read(key, etag, first, last, room)),
    },
  }
}

/** A destination that keeps what it is given, in parts if it takes `parts`. */
function destinationOf(parts: boolean) {
  const objects = new Map<string, { body: Buffer; fields: HeaderFields }>()
  const uploads = new Map<string, { fields: HeaderFields; parts: Map<number, Buffer> }>()
  let sent = 0
  const never = () => Promise.reject(new Error('not asked for'))
  const part = (bytes: Buffer): Part => ({ etag: md5(bytes), size: bytes.length, checksum: '' })
  const uploading: Uploading = {
    copyPart: never,
    begin: (_key, fields) => {
      uploads.set('u', { fields, parts: new Map() })
      return Promise.resolve('u')
    },
    sendPart: async ({ number }, bytes) => {
      sent++
      await new Promise((resolve) => setTimeout(resolve, number % 3))
      uploads.get('u')!.parts.set(number, Buffer.from(bytes))
      return part(bytes)
    },
    streamPart: async ({ number }, content) => {
      sent++
      const pieces: Buffer[] = []
      for await (const piece of content.pieces()) pieces.push(Buffer.from(piece))
      const bytes = Buffer.concat(pieces)
      if (content.md5 !== undefined && content.md5.toString('hex') !== md5(bytes)) throw fault('BrokenContent', 'x')
      uploads.get('u')!.parts.set(number, bytes)
      return part(bytes)
    },
    parts: () => {
      const found = uploads.get('u')
      return Promise.resolve(found && new Map([...found.parts].map(([number, bytes]) => [number, part(bytes)])))
    },
    complete: (key) => {
      const { fields, parts: all } = uploads.get('u')!
      const bodies = [...all].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
      objects.set(key, { body: Buffer.concat(bodies), fields })
      uploads.delete('u')
      const digests = bodies.map((bytes) => Buffer.from(md5(bytes), 'hex'))
      return Promise.resolve(`${md5(Buffer.concat(digests))}-${bodies.length}`)
    },
    abort: () => {
      uploads.delete('u')
      return Promise.resolve()
    },
  }
  const storage: Storage = {
    ...{ place: JOB.destination, list: never },
    reading: { ...{ head: never, tagging: never, grants: never, digest: never, open: never, read: never } },
    writing: {
      async write(key, content, fields) {
        const pieces: Buffer[] = []
        for await (const piece of content.pieces()) pieces.push(Buffer.from(piece))
        const body = Buffer.concat(pieces)
        if (content.md5 !== undefined && content.md5.toString('hex') !== md5(body)) throw fault('BrokenContent', key)
        objects.set(key, { body, fields })
        return md5(body)
      },
    },
    ...(parts ? { uploading } : {}),
  }
  return { storage, objects, uploads, sent: () => sent }
}

const summary = ({ body, etag }: Held): ObjectSummary => ({
  ...{ key: 'x', size: body.length, etag, lastModified: etag, storageClass: 'STANDARD' },
})
const sizes = fc.oneof(fc.constantFrom(0, 1, 99, 100, 101, 200, 201, 600, 601), fc.integer({ min: 0, max: 2000 }))

describe('content that passes through this machine', () => {
  test('is put in its place byte for byte, with its headers, in one request, in parts or in pieces', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), fc.boolean(), async (size, parts, plain) => {
        const body = randomBytes(size)
        const object = { body, etag: plain ? md5(body) : 'made-of-parts-2' }
        const to = destinationOf(parts)
        const memory = new MemoryBudget(250)
        const act = streaming(
          JOB,
          { source: sourceOf(object), destination: to.storage, settings: { streamed: true }, memory },
          LIMITS,
        )
        expect(await act(summary(object))).toMatchObject({ kind: 'copied' })
        expect(to.objects.get('x')!.body.equals(body)).toBe(true)
        expect(to.objects.get('x')!.fields).toEqual([['content-type', 'text/x']])
        expect(to.uploads.size).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('is not taken for other content where its ETag looks like an MD5 and is none, since it is encrypted', async () => {
    for (const parts of [true, false]) {
      for (const size of [50, 150, 350, 950]) {
        const object = { body: randomBytes(size), etag: md5(randomBytes(9)) }
        const to = destinationOf(parts)
        const source = sourceOf(object, { plainEtag: false })
        const ways = { source, destination: to.storage, settings: { streamed: true }, memory: new MemoryBudget(250) }
        expect(await streaming(JOB, ways, LIMITS)(summary(object))).toMatchObject({ kind: 'copied' })
        expect(to.objects.get('x')!.body.equals(object.body)).toBe(true)
        expect(to.sent() > 0).toBe(parts && size > LIMITS.whole)
      }
    }
  })

  test('is sent as one object where it has an MD5 for an ETag, up to the size for that, and in parts where it has none', async () => {
    for (const [size, etag, inParts] of [
      [LIMITS.piped, undefined, false],
      [LIMITS.piped + 1, undefined, true],
      [LIMITS.part + 1, 'made-of-parts-2', true],
    ] as const) {
      const body = randomBytes(size)
      const object = { body, etag: etag ?? md5(body) }
      const to = destinationOf(true)
      const ways = {
        source: sourceOf(object),
        destination: to.storage,
        settings: { streamed: true },
        memory: new MemoryBudget(250),
      }
      const outcome = await streaming(JOB, ways, LIMITS)(summary(object))
      expect(to.sent() > 0).toBe(inParts)
      if (!inParts) expect(outcome).toEqual({ kind: 'copied', etag: object.etag })
    }
  })

  test('is put in its place only if it is what the source vouches for', async () => {
    for (const parts of [true, false]) {
      for (const size of [50, 150, 350, 950]) {
        const body = randomBytes(size)
        const object = { body, etag: md5(body) }
        const to = destinationOf(parts)
        const spoil = (bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> => {
          bytes[bytes.length - 1]! ^= 1
          return bytes
        }
        const source = sourceOf(object, { spoil })
        const act = streaming(
          JOB,
          { source, destination: to.storage, settings: { streamed: true }, memory: new MemoryBudget(250) },
          LIMITS,
        )
        const outcome = await act(summary(object))
        expect(outcome).toMatchObject({ kind: 'failed', failure: { key: 'a/x', code: 'BrokenContent', attempts: 3 } })
        expect([to.objects.size, to.uploads.size]).toEqual([0, 0])
      }
    }
  })

  test('is of one moment, however often somebody writes to it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sizes, { maxLength: 4 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        async (others, parts, every) => {
          const body = randomBytes(450)
          const object: Held = { body, etag: md5(body) }
          const listed = summary(object)
          const versions = [body]
          let requests = 0
          const before = (): void => {
            const size = ++requests % every === 0 ? others.shift() : undefined
            if (size === undefined) return
            object.body = randomBytes(size)
            object.etag = md5(object.body)
            versions.push(object.body)
          }
          const to = destinationOf(parts)
          const source = sourceOf(object, { before })
          const act = streaming(
            JOB,
            { source, destination: to.storage, settings: { streamed: true }, memory: new MemoryBudget(250) },
            LIMITS,
          )
          expect(await act(listed)).toMatchObject({ kind: 'copied' })
          const arrived = to.objects.get('x')!.body
          expect(versions.some((version) => version.equals(arrived))).toBe(true)
          expect(to.uploads.size).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('is sent while it is read where a part does not fit into memory, and is proven all the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 601, max: 2400 }),
        fc.constantFrom(126, 200, 450, 1000),
        fc.constantFrom('md5', 'nothing'),
        fc.boolean(),
        fc.boolean(),
        async (size, partSize, vouched, md5Etags, again) => {
          const body = randomBytes(size)
          const object = { body, etag: vouched === 'md5' ? md5(body) : 'made-of-parts-2' }
          const to = destinationOf(true)
          // A store that encrypts has other ETags for parts; then their MD5 is sent ahead, and it compares.
          const named: boolean[] = []
          const uploading: Uploading = {
            ...to.storage.uploading!,
            streamPart: async (part, content) => {
              named.push(content.md5 !== undefined)
              const made = await to.storage.uploading!.streamPart(part, content)
              return md5Etags ? made : { ...made, etag: 'f'.repeat(31) + String(part.number % 10) }
            },
            complete: async (...given) => {
              const etag = await to.storage.uploading!.complete(...given)
              return md5Etags ? etag : 'opaque'
            },
          }
          if (again) {
            const first = Buffer.from(body.subarray(0, partSize))
            to.uploads.set('u', { fields: [], parts: new Map([[1, first]]) })
          }
          const before = { id: 'u', partSize, etag: object.etag, lastModified: object.etag }
          const uploads = { before: again ? before : undefined, begun: () => Promise.resolve() }
          const memory = new MemoryBudget(250)
          const source = sourceOf(object)
          const ways = {
            source,
            destination: { ...to.storage, uploading },
            settings: { streamed: true },
            memory,
            uploads,
          }
          const limits = { ...LIMITS, piped: 600 }
          expect(await streaming({ ...JOB, partSize }, ways, limits)(summary(object))).toMatchObject({ kind: 'copied' })
          expect(to.objects.get('x')!.body.equals(body)).toBe(true)
          const parts = Math.ceil(size / partSize)
          expect(to.sent()).toBeGreaterThanOrEqual(parts - (again ? 1 : 0))
          if (!md5Etags && parts > (again ? 1 : 0)) expect(named.at(-1)).toBe(true)
        },
      ),
      { numRuns: 80 },
    )
  })

  test('of which a large part arrives broken is not put in its place', async () => {
    const body = randomBytes(1500)
    const object = { body, etag: md5(body) }
    const spoil = (bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> => {
      bytes[0]! ^= 1
      return bytes
    }
    const to = destinationOf(true)
    const ways = {
      ...{
        source: sourceOf(object, { spoil }),
        destination: to.storage,
        settings: { streamed: true },
        memory: new MemoryBudget(250),
      },
    }
    const outcome = await streaming({ ...JOB, partSize: 400 }, ways, LIMITS)(summary(object))
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'BrokenContent' } })
    expect([to.objects.size, to.uploads.size]).toEqual([0, 0])
  })

  test('goes on with the upload of before, and sends only the parts that are missing or others', async () => {
    const body = randomBytes(950)
    const object = { body, etag: md5(body) }
    const to = destinationOf(true)
    const bytes = (number: number): Uint8Array => body.subarray((number - 1) * 100, number * 100)
    const parts = new Map<number, Buffer>([1, 2, 5].map((number) => [number, Buffer.from(bytes(number))]))
    parts.set(7, randomBytes(100))
    to.uploads.set('u', { fields: [], parts })
    const uploads = {
      before: { id: 'u', partSize: 100, etag: object.etag, lastModified: object.etag },
      begun: () => Promise.reject(new Error('begun anew')),
    }
    const ways = {
      source: sourceOf(object),
      destination: to.storage,
      settings: { streamed: true },
      memory: new MemoryBudget(250),
      uploads,
    }
    expect(await streaming(JOB, ways, LIMITS)(summary(object))).toMatchObject({ kind: 'copied' })
    expect(to.objects.get('x')!.body.equals(body)).toBe(true)
    expect(to.sent()).toBe(7)
  })
})

describe('a budget', () => {
  test('never holds more bytes than its budget, and serves all in their turn, each with a room of its own', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(150), { maxLength: 40 }), fc.scheduler(), async (wanted, scheduler) => {
        const budget = new MemoryBudget(100)
        let held = 0
        const begun: number[] = []
        const spoilt: number[] = []
        const all = wanted.map((bytes, index) =>
          budget.holding(bytes, async (room) => {
            expect(room.length).toBe(bytes)
            room.fill(index)
            begun.push(index)
            held += Math.min(bytes, 100)
            expect(held).toBeLessThanOrEqual(100)
            await scheduler.schedule(Promise.resolve())
            held -= Math.min(bytes, 100)
            if (!room.every((byte) => byte === index)) spoilt.push(index)
            if (bytes % 7 === 0) throw new Error('failed')
          }),
        )
        await scheduler.waitFor(Promise.allSettled(all))
        expect(begun).toEqual(wanted.map((_, index) => index))
        expect(spoilt).toEqual([])
        // Nothing of it is lost in pieces.
        await budget.holding(100, (room) => Promise.resolve(room.fill(1)))
      }),
    )
  })
})
