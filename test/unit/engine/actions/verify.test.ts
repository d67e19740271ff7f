import { describe, expect, test } from 'vitest'
import { ConcurrencyLimit } from '../../../../src/engine/lanes/concurrency-limit.js'
import { differenceLine } from '../../../../src/engine/output/verify-lines.js'
import { createReport, verifying } from '../../../../src/engine/actions/verify.js'
import { StorageError, type Severity } from '../../../../src/errors.js'
import type { VerifyJob } from '../../../../src/job/verify.js'
import { readHead } from '../../../../src/storage/s3/object-head.js'
import type { ObjectHead, ObjectSummary, Reading, Storage } from '../../../../src/storage/storage.js'

const JOB: VerifyJob = {
  kind: 'verify',
  source: { bucket: 'a', prefix: 'in/' },
  destination: { bucket: 'b', prefix: '' },
  ...{ deep: false, bytes: false, fix: false, verbose: true },
}
const MD5 = { one: '0123456789abcdef0123456789abcdef', two: 'fedcba9876543210fedcba9876543210' }

/** An object of a store that does not exist; `fails` names operations and the errors that they end in. */
interface Made {
  readonly size?: number
  readonly etag?: string
  readonly head?: Partial<ObjectHead>
  readonly tags?: string
  readonly content?: string
  readonly fails?: Readonly<Record<string, readonly [code: string, severity?: Severity]>>
  /** The listing goes on showing it. */
  readonly onlyListed?: boolean
}

interface World {
  readonly source?: Made
  readonly destination?: Made
}

interface Line {
  readonly key: string
  readonly verdict: string
  readonly differs?: string[]
  readonly code?: string
  readonly fixed?: boolean
  readonly error?: { readonly code: string; readonly message: string }
}

function summary(made: Made): ObjectSummary {
  const { size = 5, etag = MD5.one } = made
  return { key: 'k', size, etag, lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' }
}

/** Compares one pair; answers its line, or undefined when there is none, and the requests that it took. */
async function compared(options: Partial<VerifyJob>, world: World, key = 'k') {
  const job = { ...JOB, ...options }
  const asked: string[] = []
  const there: { source?: Made | undefined; destination?: Made | undefined } = { ...world }
  const storeOf = (side: 'source' | 'destination'): Storage => {
    const ask = async <T>(operation: string, value: (made: Made) => T): Promise<T> => {
      asked.push(`${operation} ${side}`)
      await Promise.resolve()
      const made = there[side]
      const [code, severity = 'fail-object'] =
        made === undefined ? (['NoSuchKey', 'skip'] as const) : (made.fails?.[operation] ?? [undefined])
      if (code !== undefined)
        throw new StorageError(`no ${operation}`, { severity, code, operation, bucket: side, key })
      return value(made!)
    }
    const head = (made: Made): ObjectHead => ({
      ...{ ...summary(made), headers: new Map(), carried: [], tags: 0, unshown: 0, archived: false, locked: false },
      ...{ checksums: new Map(), plainEtag: true },
      ...made.head,
    })
    return {
      place: job[side],
      list: () => {
        const made = there[side]
        const shown = made?.onlyListed === true ? [{ ...summary(made), key }] : []
        return Promise.resolve({ objects: shown, truncated: false })
      },
      copyFrom: () =>
        ask('copy', () => undefined)
          .catch((error: unknown) => {
            if (!(error instanceof StorageError) || error.code !== 'NoSuchKey') throw error
          })
          .then(() => {
            there.destination = there.source
            return ''
          }),
      reading: {
        head: () => ask('head', head),
        tagging: () => ask('tagging', ({ tags = '' }) => ({ header: tags, xml: '' })),
        digest: () => ask('digest', ({ content = '' }) => content),
      } as unknown as Reading,
    }
  }
  const report = createReport(job, (difference) => differenceLine('json', difference))
  const ended: unknown[] = []
  const take = verifying(job, {
    ...{
      source: storeOf('source'),
      destination: storeOf('destination'),
      settings: { streamed: false },
      slots: new ConcurrencyLimit(4),
      report,
    },
    ...{ stop: new AbortController().signal, fail: (error: unknown) => ended.push(error) },
  })
  const of = (made: Made | undefined) => (made === undefined ? undefined : { ...summary(made), key })
  let settled = 0
  await take([{ key, source: of(world.source), destination: of(world.destination) }], (count) => (settled += count))
  const { text, gain } = report.collect()
  const line = text === '' ? undefined : (JSON.parse(text) as Line)
  return { line, verdict: line?.verdict ?? (settled === 1 ? 'same' : undefined), gain, asked, settled, ended }
}

const kms = { plainEtag: false }
const crc = (value: string) => ({ checksums: new Map([['crc64nvme', value]]) })

describe('comparing an object with the one of its name', () => {
  test.each<[string, string, World, string[]]>([
    ['equal ETags', 'same', { source: {}, destination: {} }, []],
    ['nothing but the source', 'missing', { source: {} }, []],
    ['nothing but the destination', 'extra', { destination: {} }, []],
    ['unequal sizes', 'different', { source: { size: 1 }, destination: { size: 2 } }, []],
    ['no byte', 'same', { source: { size: 0 }, destination: { size: 0, etag: MD5.two } }, []],
    ['an ETag of parts', 'same-size', { source: { etag: `${MD5.one}-2` }, destination: {} }, []],
    ['equal ETags of parts', 'same', { source: { etag: 'x-2' }, destination: { etag: 'x-2' } }, []],
    ['no ETags', 'same-size', { source: { etag: '' }, destination: { etag: '' } }, []],
    ['an ETag that is no MD5', 'same-size', { source: {}, destination: { etag: 'abc' } }, []],
    ['unequal ETags', 'different', { source: {}, destination: { etag: MD5.two } }, ['head']],
    ['unequal ETags, KMS', 'same-size', { source: {}, destination: { etag: MD5.two, head: kms } }, ['head']],
    [
      'unequal ETags, KMS, equal checksums',
      'same',
      { source: { head: crc('x') }, destination: { etag: MD5.two, head: { ...kms, ...crc('x') } } },
      ['head'],
    ],
    [
      'unequal ETags, KMS, unequal checksums',
      'different',
      { source: { head: crc('x') }, destination: { etag: MD5.two, head: { ...kms, ...crc('y') } } },
      ['head'],
    ],
    [
      'unequal ETags, a key of the customer’s',
      'same-size',
      { source: {}, destination: { etag: MD5.two, fails: { head: ['SSE-C'] } } },
      ['head'],
    ],
    [
      'unequal ETags, and no permission to look',
      'unknown',
      { source: {}, destination: { etag: MD5.two, fails: { head: ['AccessDenied'] } } },
      ['head'],
    ],
    [
      'unequal ETags, gone from the destination meanwhile',
      'missing',
      { source: {}, destination: { etag: MD5.two, fails: { head: ['NoSuchKey', 'skip'] } } },
      ['head'],
    ],
    [
      'unequal ETags, gone from the source meanwhile',
      'extra',
      { source: { fails: { head: ['NoSuchKey', 'skip'] } }, destination: { etag: MD5.two } },
      ['head'],
    ],
    [
      'unequal ETags, listed at the source and not found there',
      'unknown',
      { source: { fails: { head: ['NoSuchKey', 'skip'] }, onlyListed: true }, destination: { etag: MD5.two } },
      ['head'],
    ],
    [
      'unequal ETags, listed at the destination and not found there',
      'unknown',
      { source: {}, destination: { etag: MD5.two, fails: { head: ['NoSuchKey', 'skip'] }, onlyListed: true } },
      ['head'],
    ],
  ])('%s: %s', async (_title, verdict, world, requests) => {
    const found = await compared({}, world)
    expect(found.verdict).toBe(verdict)
    expect(found.asked).toEqual(requests.flatMap((name) => [`${name} source`, `${name} destination`]))
    expect(found.settled).toBe(1)
  })

  test('a marker of the folder that is compared has no name left in an empty prefix, and is not missing', async () => {
    expect((await compared({}, { source: { size: 0 } }, '')).verdict).toBe('same')
    expect((await compared({}, { source: { size: 1 } }, '')).verdict).toBe('missing')
    expect((await compared({}, { destination: { size: 0 } }, '')).verdict).toBe('extra')
  })

  test('what ends the run ends it, and what the end of a run leaves undone is not settled', async () => {
    const world = (severity: Severity): World => ({
      source: { fails: { head: ['Broken', severity] } },
      destination: { etag: MD5.two },
    })
    const stopped = await compared({}, world('stop-run'))
    expect([stopped.settled, stopped.ended]).toEqual([0, [expect.objectContaining({ code: 'Broken' })]])
    expect(await compared({}, world('retry'))).toMatchObject({ settled: 0, ended: [] })
  })
})

describe('comparing with --deep', () => {
  const headers = (...pairs: [string, string][]): Made => ({ head: { headers: new Map(pairs) } })
  test.each<[string, World, string[]]>([
    [
      'a header',
      { source: headers(['cache-control', 'x']), destination: headers(['cache-control', 'y']) },
      ['cache-control'],
    ],
    ['metadata that one side lacks', { source: headers(['x-amz-meta-a', '1']), destination: {} }, ['x-amz-meta-a']],
    [
      'the website redirect',
      { source: { head: { carried: [['x-amz-website-redirect-location', '/x']] } }, destination: {} },
      ['x-amz-website-redirect-location'],
    ],
    ['the number of tags', { source: { head: { tags: 1 } }, destination: {} }, ['tags']],
    [
      'a tag',
      { source: { head: { tags: 2 }, tags: 'a=1&b=2' }, destination: { head: { tags: 2 }, tags: 'b=2&a=3' } },
      ['tags'],
    ],
    [
      'checksums where the ETags are of parts',
      { source: { etag: 'x-2', head: crc('x') }, destination: { head: crc('y') } },
      ['content'],
    ],
  ])('%s differs', async (_title, world, differs) => {
    expect((await compared({ deep: true }, world)).line).toMatchObject({ key: 'in/k', verdict: 'different', differs })
  })

  test('tags in another order are the same, and equal checksums settle what ETags cannot', async () => {
    const tags = { source: { head: { tags: 2 }, tags: 'a=1&b=2' }, destination: { head: { tags: 2 }, tags: 'b=2&a=1' } }
    expect((await compared({ deep: true }, tags)).verdict).toBe('same')
    const parts = { source: { etag: 'x-2', head: crc('x') }, destination: { head: crc('x') } }
    expect((await compared({ deep: true }, parts)).verdict).toBe('same')
    expect((await compared({ deep: true }, { source: { etag: 'x-2' }, destination: {} })).verdict).toBe('same-size')
  })

  test('metadata that cannot be seen, and objects that cannot be looked at, are not called the same', async () => {
    const hidden = { head: { unshown: 1 } }
    expect((await compared({ deep: true }, { source: hidden, destination: hidden })).line).toMatchObject({
      ...{ verdict: 'unknown', code: 'MetadataNotShown' },
    })
    const secret: Made = { fails: { head: ['SSE-C'] } }
    expect((await compared({ deep: true }, { source: secret, destination: secret })).verdict).toBe('unknown')
  })
})

describe('comparing with --bytes', () => {
  test('finds a flipped byte though the ETags are equal, and equal content though they are not', async () => {
    const flipped = await compared({ bytes: true }, { source: { content: 'a' }, destination: { content: 'b' } })
    expect(flipped.line).toMatchObject({ verdict: 'different', differs: ['content'] })
    const parts = { source: { content: 'a', etag: 'x-2' }, destination: { content: 'a' } }
    const equal = await compared({ bytes: true }, parts)
    expect([equal.verdict, equal.asked]).toEqual(['same', ['digest source', 'digest destination']])
  })

  test('tells of an object that was written to meanwhile, and of one that cannot be read', async () => {
    const written: Made = { fails: { digest: ['PreconditionFailed'] } }
    expect((await compared({ bytes: true }, { source: {}, destination: written })).line).toMatchObject({
      ...{ verdict: 'different', differs: ['changed'] },
    })
    const archived: Made = { fails: { digest: ['InvalidObjectState'] } }
    const unknown = await compared({ bytes: true }, { source: archived, destination: {} })
    expect(unknown.line).toMatchObject({ verdict: 'unknown', code: 'InvalidObjectState' })
    expect(unknown.gain).toMatchObject({ unknown: 1, same: 0 })
  })
})

describe('comparing with --fix', () => {
  test.each<[string, World]>([
    ['missing', { source: {} }],
    ['different', { source: {}, destination: { size: 7 } }],
  ])('copies what is %s, and looks at it again', async (verdict, world) => {
    const { line, gain } = await compared({ fix: true }, world)
    expect(line).toMatchObject({ verdict, fixed: true })
    expect(gain).toMatchObject({ [verdict]: 1, fixed: 1 })
  })

  test('leaves alone what is extra or unknown', async () => {
    expect((await compared({ fix: true }, { destination: {} })).line).not.toHaveProperty('fixed')
    const denied: World = { source: {}, destination: { etag: MD5.two, fails: { head: ['AccessDenied'] } } }
    expect((await compared({ fix: true }, denied)).line).not.toHaveProperty('fixed')
  })

  test('says why a copy failed', async () => {
    const world = { source: {}, destination: { size: 7, fails: { copy: ['AccessDenied'] } } } as const
    const { line, gain } = await compared({ fix: true }, world)
    expect(line).toMatchObject({ fixed: false, error: { code: 'AccessDenied' } })
    expect(gain.fixed).toBe(0)
  })
})

describe('HEAD', () => {
  const read = (...fields: string[]): ObjectHead => {
    const head = ['HTTP/1.1 200 OK', 'ETag: "e"', 'Content-Length: 7', ...fields].join('\r\n')
    return readHead({ status: 200, head }, { operation: 'HeadObject', bucket: 'b', key: 'k' }) as ObjectHead
  }

  test('tells the size, and checksums of all of the content, not those made of the checksums of parts', () => {
    const crc32 = 'x-amz-checksum-crc32: AAAAAA=='
    expect([read(crc32).size, read(crc32).checksums]).toEqual([7, new Map([['crc32', 'AAAAAA==']])])
    expect(read(crc32, 'x-amz-checksum-type: FULL_OBJECT').checksums.size).toBe(1)
    expect(read(crc32, 'x-amz-checksum-type: COMPOSITE').checksums.size).toBe(0)
    expect(read('x-amz-checksum-sha256: AAAA-2').checksums.size).toBe(0)
  })

  test.each([
    [['Content-Encoding: aws-chunked'], undefined],
    [['content-encoding: AWS-Chunked '], undefined],
    [['Content-Encoding: gzip,aws-chunked'], 'gzip'],
    [['Content-Encoding: aws-chunked, br'], 'br'],
    [['Content-Encoding: gzip, aws-chunked ,br'], 'gzip,br'],
    [['Content-Encoding: aws-chunked', 'Content-Encoding: gzip'], 'gzip'],
    [['Content-Encoding: zstd', 'Content-Encoding:', 'Content-Encoding: aws-chunked,aws-chunked'], 'zstd'],
    [['Content-Encoding: gzip , br'], 'gzip , br'],
    [['Content-Encoding: x-aws-chunked'], 'x-aws-chunked'],
  ])('takes aws-chunked, which is how a body was sent, for no coding of the content: %j', (fields, expected) => {
    expect(read(...fields).headers.get('content-encoding')).toBe(expected)
  })

  test('tells whether an ETag may be the MD5 of the content', () => {
    expect(read().plainEtag).toBe(true)
    expect(read('x-amz-server-side-encryption: AES256').plainEtag).toBe(true)
    expect(read('x-amz-server-side-encryption: aws:kms').plainEtag).toBe(false)
    expect(read('x-amz-server-side-encryption: aws:kms:dsse').plainEtag).toBe(false)
    expect(read('x-amz-server-side-encryption-customer-algorithm: AES256').plainEtag).toBe(false)
  })
})
