import { mkdir } from 'node:fs/promises'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { run, workFolder, type Finished } from '../support/cli-program.js'
import { decodedWords } from '../../src/rfc2047.js'

// One character a byte, as the SDK hands it out. Beside a body that is a string, Node would send two bytes for a character.
const asSent = (text: string): string => Buffer.from(text).toString('latin1')

const TEXTS: Readonly<Record<string, string>> = {
  a: 'Zürich',
  b: '東京 and a word',
  c: 'Ω'.repeat(50),
  d: 'plain',
  e: '😀 = ?',
}

async function filled(dialect: string): Promise<readonly [TestSandbox, TestSandbox]> {
  const source = await sandbox({ buckets: ['src'] })
  for (const [key, text] of Object.entries(TEXTS)) {
    await put(source, 'src', key, {
      Body: Buffer.from(key),
      CacheControl: 'no-store',
      Metadata: { text: asSent(text) },
    })
  }
  return [source, await sandbox({ buckets: ['src', 'dst'], dialect })]
}

async function textsIn({ s3 }: TestSandbox, Bucket: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {}
  for (const Key of Object.keys(TEXTS)) {
    const { Metadata } = await s3.send(new HeadObjectCommand({ Bucket, Key }))
    texts[Key] = Buffer.from(decodedWords(Metadata?.['text'] ?? ''), 'latin1').toString()
  }
  return texts
}

async function s3move(...args: readonly string[]): Promise<Finished> {
  return await run([...args, '--retry-for', '2s'], { cwd: await workFolder() })
}

describe.each(['latin1-metadata', 'rfc2047', 'aws', 'swift'])(
  'metadata beyond ASCII, to a store that speaks %s',
  (dialect) => {
    test.each(['1', '2'])('is the same text there, and compared as such, with %s threads', async (threads) => {
      const [source, destination] = await filled(dialect)
      const ends = ['--source-endpoint-url', source.url, '--destination-endpoint-url', destination.url]
      const copied = await s3move('copy', 's3://src', 's3://dst', ...ends, '--threads', threads)
      expect([copied.code, await textsIn(destination, 'dst')], copied.stderr).toEqual([0, TEXTS])
      const verified = await s3move('verify', '--deep', 's3://src', 's3://dst', ...ends)
      expect([verified.code, verified.stderr]).toEqual([0, expect.stringMatching(/same +5 objects/)])
    })

    test('is the same text with --no-clobber, and nothing that was there is replaced', async () => {
      const [source, destination] = await filled(dialect)
      await put(destination, 'dst', 'b', { Body: 'other', Metadata: { text: 'other' } })
      const ends = ['--source-endpoint-url', source.url, '--destination-endpoint-url', destination.url]
      const { code, stderr } = await s3move('copy', 's3://src', 's3://dst', ...ends, '--no-clobber', '--threads', '1')
      expect([code, await textsIn(destination, 'dst')], stderr).toEqual([0, { ...TEXTS, b: 'other' }])
    })

    test('is the same text when it goes to a folder and comes back', async () => {
      const [source, destination] = await filled(dialect)
      const cwd = await workFolder()
      await mkdir(`${cwd}/kept`)
      const down = await run(['copy', 's3://src', `file://${cwd}/kept/`, '--endpoint-url', source.url], { cwd })
      const up = await run(['copy', `file://${cwd}/kept/`, 's3://dst', '--endpoint-url', destination.url], { cwd })
      expect([down.code, up.code, await textsIn(destination, 'dst')], up.stderr).toEqual([0, 0, TEXTS])
    })

    test('stays the same text when other headers are set there, or it is copied inside with others', async () => {
      const [source, server] = await filled(dialect)
      const ends = ['--source-endpoint-url', source.url, '--destination-endpoint-url', server.url]
      expect((await s3move('copy', 's3://src', 's3://src', ...ends)).code).toBe(0)
      const url = ['--endpoint-url', server.url]
      const set = await s3move('set-headers', 's3://src', '--content-language', 'de', '--reset-acl', ...url)
      expect([set.code, await textsIn(server, 'src')], set.stderr).toEqual([0, TEXTS])
      const copied = await s3move('copy', 's3://src', 's3://dst', '--cache-control', 'no-cache', ...url)
      expect([copied.code, await textsIn(server, 'dst')], copied.stderr).toEqual([0, TEXTS])
    })
  },
)

test('a store that is known as Swift is never sent metadata beyond ASCII in another form than it keeps, in any thread', async () => {
  const [source, destination] = await filled('latin1-metadata,swift-ids')
  const ends = ['--source-endpoint-url', source.url, '--destination-endpoint-url', destination.url]
  const { code, stderr } = await s3move('copy', 's3://src', 's3://dst', ...ends, '--threads', '2', '--no-clobber')
  expect([code, await textsIn(destination, 'dst')], stderr).toEqual([0, TEXTS])
  expect(destination.stats().byOperation.PutObject).toBe(Object.keys(TEXTS).length)
})

describe('metadata with _ in its name, to a store that writes - for it', () => {
  test('is told before the start, and by verify as one thing with two names', async () => {
    const source = await sandbox({ buckets: ['src'] })
    await put(source, 'src', 'a', { Body: 'a', Metadata: { my_key: '1', other: '2' } })
    const destination = await sandbox({ buckets: ['dst'], dialect: 'ceph' })
    const ends = ['s3://src', 's3://dst', '--source-endpoint-url', source.url]
    const all = [...ends, '--destination-endpoint-url', destination.url]
    const refused = await s3move('copy', ...all, '--on-loss', 'fail')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('x-amz-meta-my_key')])
    const warned = await s3move('copy', ...all)
    expect(warned.stderr).toMatch(/warning: .*x-amz-meta-my_key would be x-amz-meta-my-key/)
    const verified = await s3move('verify', '--deep', ...all)
    expect([verified.code, verified.stdout]).toEqual([
      3,
      expect.stringContaining('"differs":["x-amz-meta-my_key as x-amz-meta-my-key"]'),
    ])
  })

  test('is no other metadata to move --map, which finds a copy of an earlier try there', async () => {
    const source = await sandbox({ buckets: ['src'] })
    await put(source, 'src', 'in/a', { Body: 'a', Metadata: { my_key: '1', other: '2' } })
    const destination = await sandbox({ buckets: ['dst'], dialect: 'ceph' })
    await put(destination, 'dst', 'a', { Body: 'a', Metadata: { 'my-key': '1', other: '2' } })
    const ends = ['--source-endpoint-url', source.url, '--destination-endpoint-url', destination.url]
    const { code, stderr } = await s3move('move', '--yes', 's3://src', 's3://dst', ...ends, '--map', 's|^in/||')
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 object moved')])
  })
})
