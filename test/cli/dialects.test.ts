import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { dialects } from '../../src/sandbox/wire/dialects.js'
import { contentOf, put, RICH, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { front } from '../support/cli-front.js'
import { refusal, run, workFolder, type Finished } from '../support/cli-program.js'

const MIB = 1024 ** 2
const NAMES = Object.keys(dialects)
const WITHOUT_TAGS = NAMES.filter((name) => dialects[name]!.includes('no-tagging'))
const WITHOUT_CHECKSUMS = NAMES.filter((name) => dialects[name]!.includes('no-checksums'))

const KEYS = ['a', 'a b', 'b/ü', 'b/x&y<z>', 'c/..//d', 'c\u0001', 'e%2Fe', 'f+f', 'g\n', 'ÿ/😀']
const { Tagging, ...UNTAGGED } = RICH

async function putInParts({ s3 }: TestSandbox, Bucket: string, Key: string, bodies: readonly Buffer[]): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ContentType: 'text/parts' }))
  const Parts = []
  for (const [index, Body] of bodies.entries()) {
    const PartNumber = index + 1
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
    Parts.push({ ETag, PartNumber })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

async function filled(dialect: string): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst', 'end'], dialect })
  for (const key of KEYS) await put(server, 'src', key, { ...UNTAGGED, Body: `content of ${key}` })
  await putInParts(server, 'src', 'parts', [Buffer.alloc(5 * MIB, 'one'), Buffer.from('two')])
  return server
}

async function s3move(args: readonly string[]): Promise<Finished> {
  return await run([...args, '--retry-for', '2s'], { cwd: await workFolder() })
}

/** Sizes by key: a copy of an object of parts may have another ETag. */
async function sizesIn(server: TestSandbox, bucket: string): Promise<Record<string, number>> {
  return Object.fromEntries([...(await contentOf(server, bucket))].map(([key, { size }]) => [key, size]))
}

const headOf = (server: TestSandbox, Bucket: string, Key: string) =>
  server.s3.send(new HeadObjectCommand({ Bucket, Key }))

describe.each(NAMES)('a store that speaks as %s does', (dialect) => {
  test('is copied, verified, has headers set, is mirrored, moved and emptied, and no key is lost', async () => {
    const server = await filled(dialect)
    const url = ['--endpoint-url', server.url]
    const all = await sizesIn(server, 'src')
    expect(Object.keys(all).length).toBe(KEYS.length + 1)

    const copied = await s3move(['copy', 's3://src', 's3://dst', ...url])
    expect([copied.code, await sizesIn(server, 'dst')], copied.stderr).toEqual([0, all])
    const { Metadata, CacheControl } = await headOf(server, 'dst', 'b/ü')
    expect([Metadata, CacheControl]).toEqual([RICH.Metadata, RICH.CacheControl])

    const verified = await s3move(['verify', 's3://src', 's3://dst', '--deep', '--bytes', ...url])
    expect([verified.code, verified.stdout + verified.stderr]).toEqual([0, expect.stringMatching(/same +11 objects/)])

    const set = await s3move(['set-headers', 's3://dst', '--cache-control', 'no-store', '--reset-acl', ...url])
    expect([set.code, await sizesIn(server, 'dst')], set.stderr).toEqual([0, all])
    for (const key of ['a', 'parts']) expect((await headOf(server, 'dst', key)).CacheControl).toBe('no-store')

    await server.s3.send(new DeleteObjectCommand({ Bucket: 'src', Key: 'a' }))
    await put(server, 'src', 'new', { Body: 'new' })
    const synced = await s3move(['sync', 's3://src', 's3://dst', '--delete', '--yes', ...url])
    const mirrored = await sizesIn(server, 'src')
    expect([synced.code, await sizesIn(server, 'dst')], synced.stderr).toEqual([0, mirrored])

    const moved = await s3move(['move', '--yes', 's3://src', 's3://end', ...url])
    const left = await sizesIn(server, 'src')
    expect([moved.code, left, await sizesIn(server, 'end')], moved.stderr).toEqual([0, {}, mirrored])

    const deleted = await s3move(['delete', 's3://end', '--yes', ...url])
    expect([deleted.code, await sizesIn(server, 'end')], deleted.stderr).toEqual([0, {}])
  })

  test('gets objects with tags from another store with their tags, or they fail by a name', async () => {
    const [source, destination] = [await sandbox({ buckets: ['src'] }), await sandbox({ buckets: ['dst'], dialect })]
    for (const key of ['a', 'b', 'c']) await put(source, 'src', key, { ...UNTAGGED, Body: key })
    for (const key of ['x', 'y']) await put(source, 'src', key, { ...UNTAGGED, Tagging, Body: key })
    const ends = ['s3://src', 's3://dst', '--source-endpoint-url', source.url, '--destination-endpoint-url']
    const { code, stderr } = await s3move(['copy', ...ends, destination.url])
    const there = Object.keys(await sizesIn(destination, 'dst'))
    if (WITHOUT_TAGS.includes(dialect)) {
      expect([code, there], stderr).toEqual([3, ['a', 'b', 'c']])
      expect(stderr).toContain('2 TagsNotSupported')
      const without = await s3move(['copy', ...ends, destination.url, '--no-preserve', 'tags', '--fresh'])
      expect([without.code, Object.keys(await sizesIn(destination, 'dst'))]).toEqual([0, ['a', 'b', 'c', 'x', 'y']])
    } else {
      expect([code, there], stderr).toEqual([0, ['a', 'b', 'c', 'x', 'y']])
      const { TagSet } = await destination.s3.send(new GetObjectTaggingCommand({ Bucket: 'dst', Key: 'x' }))
      expect(TagSet).toEqual([
        { Key: 'team', Value: 'red one' },
        { Key: 'sum', Value: '1+1' },
      ])
    }
  })
})

describe.each(WITHOUT_TAGS)('a store without tags (%s)', (dialect) => {
  const tagged = async () => {
    const [source, destination] = [await sandbox({ buckets: ['src'] }), await sandbox({ buckets: ['dst'], dialect })]
    await put(source, 'src', 'a', { Tagging, Body: 'a' })
    const ends = ['s3://src', 's3://dst', '--source-endpoint-url', source.url, '--destination-endpoint-url']
    return { source, destination, ends: [...ends, destination.url] }
  }

  test('is told of before the start where the first object has tags, which --on-loss fail refuses', async () => {
    const { destination, ends } = await tagged()
    const refused = await s3move(['copy', ...ends, '--on-loss', 'fail'])
    expect(refused.stderr).toMatch(/^s3move: .*would lose something: it has tags.*--no-preserve tags/m)
    expect([refused.code, await sizesIn(destination, 'dst')]).toEqual([2, {}])
    const warned = await s3move(['copy', ...ends])
    expect(warned.stderr).toMatch(/warning: of s3:\/\/src\/a.*it has tags, and the destination’s store keeps none/)
    expect([warned.code, await sizesIn(destination, 'dst')]).toEqual([3, {}])
  })

  test('refuses --tagging before the start, whether bytes pass through this machine or not', async () => {
    const { destination, ends } = await tagged()
    const inside = await sandbox({ buckets: ['src', 'dst'], dialect })
    await put(inside, 'src', 'a')
    for (const args of [ends, ['s3://src', 's3://dst', '--endpoint-url', inside.url]]) {
      const line = refusal(await s3move(['copy', ...args, '--tagging', 'team=web']))
      expect(line).toMatch(/the store of s3:\/\/dst does not know what --tagging asks for.*\n.*leave --tagging away/)
    }
    expect([await sizesIn(destination, 'dst'), await sizesIn(inside, 'dst')]).toEqual([{}, {}])
  })

  test('is written to from a folder: what has tags fails, all else is there', async () => {
    const { source, destination } = await tagged()
    await put(source, 'src', 'b', { Body: 'b' })
    const cwd = await workFolder()
    const [from, to] = ['--endpoint-url', source.url]
      .concat('|', '--endpoint-url', destination.url)
      .join(' ')
      .split(' | ')
    const down = await run(['copy', 's3://src', `file://${cwd}/kept/`, ...from!.split(' ')], { cwd })
    expect(down.code, down.stderr).toBe(0)
    const up = await run(['copy', `file://${cwd}/kept/`, 's3://dst', ...to!.split(' '), '--retry-for', '2s'], { cwd })
    expect([up.code, await sizesIn(destination, 'dst')], up.stderr).toEqual([3, { b: 1 }])
    expect(up.stderr).toContain('1 TagsNotSupported')
  })
})

test('a store with tags takes --tagging', async () => {
  const server = await sandbox({ buckets: ['src', 'dst'], dialect: 'oss' })
  await put(server, 'src', 'a')
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--tagging', 'team=web']
  expect((await s3move(args)).code).toBe(0)
  const { TagSet } = await server.s3.send(new GetObjectTaggingCommand({ Bucket: 'dst', Key: 'a' }))
  expect(TagSet).toEqual([{ Key: 'team', Value: 'web' }])
})

test.each(WITHOUT_CHECKSUMS)('%s refuses --checksum-algorithm before the start', async (dialect) => {
  const server = await sandbox({ buckets: ['src', 'dst'], dialect })
  await put(server, 'src', 'a')
  for (const algorithm of ['CRC64NVME', 'SHA256']) {
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checksum-algorithm', algorithm]
    expect(refusal(await s3move(args))).toMatch(/does not know what --checksum-algorithm asks for.*\n.*leave/)
  }
  expect(await sizesIn(server, 'dst')).toEqual({})
})

describe.each(WITHOUT_CHECKSUMS)('a store that takes no checksums with content (%s)', (dialect) => {
  test.each(['crc64nvme', 'crc32c', 'sha1'])(
    'gets objects that have a %s without, which is told once',
    async (algorithm) => {
      const [source, destination] = [await sandbox({ buckets: ['src'] }), await sandbox({ buckets: ['dst'], dialect })]
      for (const key of ['a', 'b', 'c']) await put(source, 'src', key, { ...UNTAGGED, Body: `content of ${key}` })
      const url = await front(source.url, {
        after({ method }, { headers }) {
          if (method !== 'GET' && method !== 'HEAD') return
          headers[`x-amz-checksum-${algorithm}`] = 'Zm9yIGEgdGVzdA=='
          headers['x-amz-checksum-type'] = 'FULL_OBJECT'
        },
      })
      const ends = ['--source-endpoint-url', url, '--destination-endpoint-url', destination.url]
      // It is not that of the content, so a store that took it would refuse it.
      const { code, stderr } = await s3move(['copy', 's3://src', 's3://dst', ...ends])
      expect([code, Object.keys(await sizesIn(destination, 'dst'))], stderr).toEqual([0, ['a', 'b', 'c']])
      const told = stderr.split('\n').filter((line) => line.includes(`does not support x-amz-checksum-${algorithm}`))
      expect(told).toEqual([expect.stringContaining('with PutObject (501 NotImplemented): requests go without it')])
    },
  )
})

test('a store that refuses x-amz-tagging-directive copies without tags all the same', async () => {
  for (const status of [400, 405, 501]) {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['a', 'b']) await put(server, 'src', key, { Body: key, Tagging: 'team=web' })
    const url = await front(server.url, {
      before({ headers }, response) {
        if (headers['x-amz-tagging-directive'] === undefined) return false
        response.writeHead(status, { 'content-type': 'application/xml' })
        response.end('<Error><Code>NotImplemented</Code><Message>no</Message></Error>')
        return true
      },
    })
    const { code, stderr } = await s3move([
      'copy',
      's3://src',
      's3://dst',
      '--endpoint-url',
      url,
      '--no-preserve',
      'tags',
    ])
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/does not support x-amz-tagging-directive with CopyObject/),
    ])
    // Nor are the tags there that such a copy brings along.
    for (const Key of ['a', 'b']) {
      const { TagSet } = await server.s3.send(new GetObjectTaggingCommand({ Bucket: 'dst', Key }))
      expect(TagSet).toEqual([])
    }
    // Tags that were asked for are never those of the source.
    const asked = await s3move(['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--tagging', 'team=db'])
    expect(refusal(asked)).toContain('--tagging')
  }
})

describe('--expected-bucket-owner', () => {
  const args = (url: string, owner: string) => [
    ...['copy', 's3://src', 's3://dst', '--endpoint-url', url],
    ...['--expected-bucket-owner', owner],
  ]

  test('of another account stops the command where the store goes by it', async () => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'a')
    expect(refusal(await s3move(args(server.url, '210987654321')))).toContain('AccessDenied')
    const right = await s3move(args(server.url, '123456789012'))
    expect([right.code, right.stderr]).toEqual([0, expect.not.stringContaining('guards nothing')])
  })

  test.each(['ceph', 'minio', 'swift'])('is said to guard nothing where the store ignores it (%s)', async (dialect) => {
    const server = await sandbox({ buckets: ['src', 'dst'], dialect })
    await put(server, 'src', 'a')
    for (const owner of ['210987654321', '000000000000']) {
      const { code, stderr } = await s3move([...args(server.url, owner), '--fresh'])
      const told = stderr.split('\n').filter((line) => line.includes('ignores --expected-bucket-owner'))
      expect([code, told.length, told[0]]).toEqual([0, 2, expect.stringMatching(/s3:\/\/src .*guards nothing/)])
    }
  })
})
