import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeleteObjectCommand, GetObjectAclCommand } from '@aws-sdk/client-s3'
import { contentOf, expectSame, put, RICH, traitsOf, type Server } from '../../support/cli-buckets.js'
import { refusal, run, start, until } from '../../support/cli-program.js'
import { oddLayout } from '../../../src/sandbox/buckets/odd-keys.js'
import { standIn, type Hooks, type Passing } from '../../support/stand-in.js'
import { KEYS_ENV, pair, url } from './ceph-buckets.js'

const IN_FLIGHT = ['--concurrency', '16', '--lanes', '4']

/** Puts many objects, some at a time. */
async function fillBucket(ceph: Server, bucket: string, keys: readonly string[]): Promise<void> {
  const rest = keys.entries()
  const worker = async (): Promise<void> => {
    for (const [index, key] of rest) {
      await put(ceph, bucket, key, {
        Body: key.endsWith('/') ? '' : `body ${index}`,
        ContentType: index % 2 === 0 ? 'text/plain; charset=utf-8' : 'image/jpeg',
        ...(index % 3 === 0 ? { CacheControl: 'public, max-age=31536000, immutable' } : {}),
        ...(index % 4 === 0 ? { Metadata: { owner: `team ${index}`, note: '"100%"; a=b+c' } } : {}),
        ...(index % 5 === 0 ? { Tagging: `team=red%20${index}&sum=1%2B1` } : {}),
        ...(index % 7 === 0 ? { ContentEncoding: 'gzip', ContentLanguage: 'de-CH' } : {}),
        ...(index % 9 === 0 ? { ContentDisposition: 'attachment; filename="a b.txt"' } : {}),
      })
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

const countedKeys = (count: number, prefix = ''): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index % 13}/${String(index).padStart(6, '0')}`)

describe('s3move copy s3://from s3://to, on Ceph', () => {
  test('odd keys arrive under the very same names, with headers, metadata and tags', async () => {
    const { ceph, from, to, as } = await pair()
    const layout = oddLayout(400, 5, 1024)
    const keys = Array.from({ length: layout.count }, (_, index) => layout.keyAt(index))
    await fillBucket(ceph, from, keys)
    const { code, stderr } = await run(['copy', `s3://${from}`, `s3://${to}`, '--endpoint-url', url], as)
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('400 objects copied, none skipped, none failed') as string,
    ])
    const source = await contentOf(ceph, from)
    expect([...source.keys()]).toEqual(keys)
    expectSame(await contentOf(ceph, to), source)
    for (const key of keys) expect(await traitsOf(ceph, to, key)).toEqual(await traitsOf(ceph, from, key))
  })

  test('a folder of more than a thousand objects is copied to another name, and its neighbours are not', async () => {
    const { ceph, from, to, as } = await pair()
    await fillBucket(ceph, from, [...countedKeys(1300, 'in/'), 'in', 'in.txt', 'inn/x', 'IN/x'])
    const { code } = await run(['copy', `s3://${from}/in/`, `s3://${to}/out/$&/`, '--endpoint-url', url], as)
    expect(code).toBe(0)
    const source = await contentOf(ceph, from, 'in/')
    expect(source.size).toBe(1300)
    expectSame(await contentOf(ceph, to), source, (key) => `out/$&/${key.slice(3)}`)
  })

  test('a prefix is taken away, and the marker of the folder is skipped', async () => {
    const { ceph, from, to, as } = await pair()
    await fillBucket(ceph, from, ['in/', 'in//a', 'in/b+c d', 'in/é\u{1f600}'])
    const { code, stderr } = await run(['copy', `s3://${from}/in/`, `s3://${to}`, '--endpoint-url', url], as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('3 objects copied, 1 skipped, none failed') as string])
    expect([...(await contentOf(ceph, to)).keys()]).toEqual(['/a', 'b+c d', 'é\u{1f600}'])
  })

  test('killed with -9, resumed, interrupted with Ctrl-C and resumed again it loses nothing', async () => {
    const { ceph, from, to, cwd, as } = await pair()
    await fillBucket(ceph, from, countedKeys(2500))
    const args = ['copy', `s3://${from}`, `s3://${to}`, '--endpoint-url', url, '--checkpoint', 'run']
    const first = start([...args, ...IN_FLIGHT], as)
    await until(async () => (await savedCount(cwd)) > 0, first)
    first.kill('SIGKILL')
    expect((await first.finished).signal).toBe('SIGKILL')
    const before = await savedCount(cwd)
    const second = start(['resume', 'run', ...IN_FLIGHT], as)
    await until(async () => (await savedCount(cwd)) > before, second)
    second.kill('SIGINT')
    expect((await second.finished).code).toBe(130)
    const { code, stderr } = await run(['resume', 'run'], as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('2,500 objects copied') as string])
    expectSame(await contentOf(ceph, to), await contentOf(ceph, from))
  })

  test('a dry run writes nothing', async () => {
    const { ceph, from, to, as } = await pair()
    await fillBucket(ceph, from, countedKeys(50))
    const { code, stdout } = await run(['copy', `s3://${from}`, `s3://${to}`, '--endpoint-url', url, '--dry-run'], as)
    expect([code, stdout]).toEqual([0, expect.stringContaining('would copy   50 objects') as string])
    expect((await contentOf(ceph, to)).size).toBe(0)
  })

  test('a wrong secret, a wrong key and a missing bucket are told apart', async () => {
    const { ceph, from, to, cwd } = await pair()
    await fillBucket(ceph, from, ['a'])
    const copy = async (target: string, env: Readonly<Record<string, string>>): Promise<string> =>
      refusal(await run(['copy', `s3://${from}`, `s3://${target}`, '--endpoint-url', url], { cwd, env }))
    expect(await copy(to, { ...KEYS_ENV, AWS_SECRET_ACCESS_KEY: 'wrong' })).toContain('SignatureDoesNotMatch')
    expect(await copy(to, { ...KEYS_ENV, AWS_ACCESS_KEY_ID: 'wrong' })).toContain('InvalidAccessKeyId')
    expect(await copy(`${to}-missing`, KEYS_ENV)).toMatch(/-missing: .*NoSuchBucket/)
    expect((await contentOf(ceph, to)).size).toBe(0)
  })

  test.skip('storage classes are kept (Ceph 16.2 refuses those that its zone does not name)', () => undefined)
})

async function savedCount(cwd: string): Promise<number> {
  const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => undefined)
  return text === undefined ? 0 : (JSON.parse(text) as { totals: { copied: number } }).totals.copied
}

describe('s3move ls and du, on Ceph', () => {
  test('list every odd key once, with size and ETag, and count them', async () => {
    const { ceph, from, as } = await pair()
    const layout = oddLayout(400, 5, 1024)
    await fillBucket(ceph, from, [
      ...Array.from({ length: 400 }, (_, i) => layout.keyAt(i)),
      ...countedKeys(1100, 'n/'),
    ])
    const content = await contentOf(ceph, from)
    const at = ['--endpoint-url', url, '--threads', '2']
    const listed = await run(['ls', `s3://${from}`, '--sorted', '--format', 'json', ...at], as)
    expect([listed.code, listed.stderr]).toEqual([0, ''])
    const lines = listed.stdout.trimEnd().split('\n')
    const objects = lines.map((line) => JSON.parse(line) as { key: string; size: number; etag: string })
    expect(objects.map(({ key, size, etag }) => [key, size, etag])).toEqual(
      [...content].map(([key, { size, etag }]) => [key, size, etag.replaceAll('"', '')]),
    )
    const counted = await run(['du', `s3://${from}`, '--format', 'json', ...at], as)
    expect(counted.code).toBe(0)
    const total = objects.reduce((sum, { size }) => sum + size, 0)
    expect(JSON.parse(counted.stdout)).toMatchObject({ objects: 1500, bytes: total })
  })
})

describe('s3move verify s3://from s3://to, on Ceph', () => {
  test('finds a copy equal by listing, headers, tags and bytes, tells what was changed since, and mends it', async () => {
    const { ceph, from, to, as } = await pair()
    const layout = oddLayout(300, 5, 1024)
    const keys = Array.from({ length: layout.count }, (_, index) => layout.keyAt(index))
    await fillBucket(ceph, from, keys)
    const places = [`s3://${from}`, `s3://${to}`, '--endpoint-url', url]
    expect((await run(['copy', ...places], as)).code).toBe(0)
    const equal = await run(['verify', ...places, '--deep', '--bytes', '--json'], as)
    expect([equal.code, equal.stderr]).toEqual([0, ''])
    expect(JSON.parse(equal.stdout)).toMatchObject({ objects: 300, verdicts: { same: 300 } })
    const files = keys.filter((key) => !key.endsWith('/'))
    const [gone, other, header] = [files[10]!, files[20]!, files[30]!]
    await ceph.s3.send(new DeleteObjectCommand({ Bucket: to, Key: gone }))
    await put(ceph, to, other, { Body: 'body ??' })
    const { stdout: listed } = await run(['ls', `s3://${from}`, '--format', 'json', '--endpoint-url', url], as)
    const sizes = new Map(
      listed
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { key: string; size: number })
        .map(({ key, size }) => [key, size]),
    )
    await put(ceph, to, header, { Body: 'x'.repeat(sizes.get(header)!), ContentType: 'x/y' })
    await put(ceph, to, 'zzz extra', { Body: 'x' })
    const expected = new Map([gone, other, header, 'zzz extra'].map((key) => [key, 'different']))
    expected.set(gone, 'missing').set('zzz extra', 'extra')
    const told = async (...more: string[]): Promise<[number | undefined, Map<string, string>]> => {
      const { code, stdout } = await run(['verify', ...places, ...more], as)
      const lines = stdout.split('\n').slice(0, -1)
      const found = lines.map((line) => JSON.parse(line) as { key: string; verdict: string })
      return [code, new Map(found.map(({ key, verdict }) => [key, verdict]))]
    }
    expect(await told()).toEqual([3, expected])
    expect(await told('--deep', '--bytes', '--fix')).toEqual([3, expected])
    expect(await told('--deep', '--bytes')).toEqual([3, new Map([['zzz extra', 'extra']])])
  })
})

describe('s3move set-headers s3://from, on Ceph', () => {
  test('changes what was asked for; odd keys, rich headers, metadata, tags and access control lists stay', async () => {
    const { ceph, from, as } = await pair()
    const layout = oddLayout(300, 5, 1024)
    const keys = Array.from({ length: layout.count }, (_, index) => layout.keyAt(index))
    await fillBucket(ceph, from, keys)
    for (const [index, key] of keys.entries()) {
      if (index % 6 === 0)
        await put(ceph, from, key, { ACL: 'public-read', Metadata: { blanks: 'a  b' }, Tagging: 'k=v%2B1&l=' })
    }
    const aclOf = async (Key: string) => (await ceph.s3.send(new GetObjectAclCommand({ Bucket: from, Key }))).Grants
    const seen = (key: string) => Promise.all([traitsOf(ceph, from, key), aclOf(key)])
    const before = await Promise.all(keys.map(seen))
    const args = [
      'set-headers',
      `s3://${from}`,
      '--cache-control',
      'new',
      '--metadata',
      'seen=yes',
      '--endpoint-url',
      url,
    ]
    expect(refusal(await run(args, as))).toMatch(/--preserve acl/)
    const { code, stderr } = await run([...args, '--preserve', 'acl', '--folder-markers'], as)
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('300 objects rewritten, none skipped, none failed') as string,
    ])
    for (const [index, key] of keys.entries()) {
      const [traits, grants] = before[index] as [Record<string, unknown> & { Metadata: object }, unknown]
      const wanted = { ...traits, CacheControl: 'new', Metadata: { ...traits.Metadata, seen: 'yes' } }
      expect(await seen(key), key).toEqual([wanted, grants])
    }
    const again = await run([...args, '--preserve', 'acl', '--folder-markers', '--fresh'], as)
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('300 unchanged') as string])
  })

  test('an object that somebody writes between the look and the copy, or right after it, keeps what he wrote', async () => {
    const { ceph, from, as } = await pair()
    const keys = countedKeys(60)
    const write = (key: string, rev: string): Promise<void> =>
      put(ceph, from, key, { Body: rev, ContentType: `x/${rev}`, Metadata: { rev } })
    for (const key of keys) await write(key, 'r0')
    // Not while a copy is under way: what Ceph itself loses then is in docs/providers.md.
    const copies = new Map<string, number>()
    const other = async ({ method, url: path, headers }: Passing, moment: 'before' | 'after'): Promise<undefined> => {
      if (method !== 'PUT' || headers['x-amz-copy-source'] === undefined) return
      const key = decodeURIComponent(path.slice(from.length + 2))
      const count = (copies.get(key) ?? 0) + (moment === 'before' ? 1 : 0)
      copies.set(key, count)
      const mine = keys.indexOf(key) % 3
      // Of three objects one is written before its first copy, one before its first two, and one after its first.
      if (moment === 'before' ? count <= [1, 2, 0][mine]! : mine === 2 && count === 1)
        await write(key, `r${String(count)}`)
    }
    const hooks: Hooks = { before: (request) => other(request, 'before'), after: (request) => other(request, 'after') }
    const args = ['set-headers', `s3://${from}`, '--cache-control', 'new', '--reset-acl', '--concurrency', '4']
    const { code, stderr } = await run([...args, '--endpoint-url', await standIn(url, hooks)], as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('60 objects rewritten') as string])
    for (const [index, key] of keys.entries()) {
      const [rev, sent] = [
        ['r1', 2],
        ['r2', 3],
        ['r1', 1],
      ][index % 3] as [string, number]
      const { ContentType, Metadata, CacheControl } = (await traitsOf(ceph, from, key)) as Record<string, unknown>
      const wanted = [`x/${rev}`, { rev }, index % 3 === 2 ? undefined : 'new', sent]
      expect([ContentType, Metadata, CacheControl, copies.get(key)], key).toEqual(wanted)
    }
  })
})

test('check finds all that a copy needs on Ceph, writes nothing, and names a bucket that is not there', async () => {
  const { ceph, from, to, as } = await pair()
  await put(ceph, from, 'a b/c.txt', { Body: 'hello' })
  const asked = ['--endpoint-url', url, '--json']
  const { code, stdout, stderr } = await run(['check', `s3://${from}`, `s3://${to}/in/`, ...asked], as)
  expect([code, stderr]).toEqual([0, ''])
  const { findings } = JSON.parse(stdout) as { findings: { side?: string; what: string; state: string }[] }
  const states = new Map(findings.map(({ side = 'both', what, state }) => [`${side} ${what}`, state]))
  for (const what of [
    'source s3:GetObject',
    'source tags',
    'destination s3:PutObject',
    'destination s3:PutObjectTagging',
  ])
    expect([what, states.get(what)]).toEqual([what, 'ok'])
  expect([(await contentOf(ceph, from)).size, (await contentOf(ceph, to)).size]).toEqual([1, 0])
  const absent = await run(['check', `s3://${from}`, `s3://no-${to}`, '--endpoint-url', url], as)
  expect([absent.code, absent.stdout]).toEqual([2, expect.stringContaining('copy lacks: bucket on the destination')])
})

test('head shows headers, metadata and tags of an object on Ceph, and refuses a key that is not there', async () => {
  const { ceph, from, as } = await pair()
  await put(ceph, from, 'a b/ü.txt', { ...RICH, Body: 'hello' })
  const { code, stdout } = await run(['head', `s3://${from}/a b/ü.txt`, '--endpoint-url', url, '--json'], as)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ key: 'a b/ü.txt', size: 5, etag: '5d41402abc4b2a76b9719d911017c592', metadata: RICH.Metadata, unread: [] },
    headers: { 'content-type': RICH.ContentType },
    tags: expect.arrayContaining([{ key: 'team', value: 'red one' }]) as unknown,
  })
  expect(refusal(await run(['head', `s3://${from}/a`, '--endpoint-url', url], as), 3)).toContain(`s3://${from}/a`)
})
