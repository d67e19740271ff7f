import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { contentOf, makeBucket, put, sandbox } from '../../support/cli-buckets.js'
import { run, workFolder } from '../../support/cli-program.js'
import { buckets, fill, IN_PARTS, putInParts, SWIFT, wholeOf } from './swift-buckets.js'

const at = ['--endpoint-url', SWIFT.url]
const COUNT = 110 + IN_PARTS.size

async function ledger(cwd: string): Promise<Map<string, { code: string; message: string }>> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8').catch(() => '')
  const lines = text.split('\n').filter(Boolean)
  const failures = lines.map((line) => JSON.parse(line) as { key: string; code: string; message: string })
  return new Map(failures.map(({ key, code, message }) => [key, { code, message }]))
}

test('on Swift, copy, verify --deep, move, sync --delete and delete keep every odd key, header, metadatum and object of parts', async () => {
  const { server, from, to, as } = await buckets()
  const keys = await fill(server, from, 110)
  const [source, destination] = [`s3://${from}`, `s3://${to}`]
  const before = await wholeOf(server, from)
  expect([...before.keys()].sort()).toEqual([...keys].sort())
  const done = async (args: readonly string[], told: string): Promise<void> => {
    const { code, stderr } = await run([...args, ...at], as)
    expect([code, stderr]).toEqual([0, expect.stringContaining(told) as string])
  }
  await done(['copy', source, destination], `${COUNT} objects copied, none skipped, none failed`)
  expect(await wholeOf(server, to)).toEqual(before)
  const verified = await run(['verify', source, destination, '--deep', '--json', '--quiet', ...at], as)
  expect(verified.code, verified.stderr).toBe(0)
  expect(JSON.parse(verified.stdout)).toMatchObject({ objects: COUNT, verdicts: { same: COUNT } })

  // Objects of parts that were copied are listed with another ETag than HEAD tells.
  const third = `third-${to}`
  await makeBucket(server, third)
  const moved = `finished: ${COUNT} objects moved, none skipped, none failed`
  await done(['move', '--yes', destination, `s3://${third}`], moved)
  expect([(await contentOf(server, to)).size, await wholeOf(server, third)]).toEqual([0, before])

  // Half of the source goes, so half of its copies are extra.
  const leaves = [...before.keys()].filter((key, index) => index % 2 === 0 || key === 'parts/two')
  for (const Key of leaves) await server.s3.send(new DeleteObjectCommand({ Bucket: from, Key }))
  const left = new Map([...before].filter(([key]) => !leaves.includes(key)))
  await done(
    ['sync', source, `s3://${third}`, '--delete', '--yes'],
    `finished: 0 objects copied, ${leaves.length} deleted`,
  )
  expect([await wholeOf(server, from), await wholeOf(server, third)]).toEqual([left, left])

  await done(['delete', `s3://${third}`, '--yes'], `${left.size} objects deleted, none skipped, none failed`)
  expect((await contentOf(server, third)).size).toBe(0)
})

test('on Swift, set-headers changes what was asked for and nothing else, of objects of parts too', async () => {
  const { server, from, as } = await buckets()
  await fill(server, from, 100)
  const before = await wholeOf(server, from)
  const args = ['set-headers', `s3://${from}`, '--cache-control', 'no-store', '--metadata', 'seen=yes', '--reset-acl']
  const { code, stderr } = await run([...args, '--folder-markers', ...at], as)
  const count = before.size
  expect([code, stderr]).toEqual([0, expect.stringContaining(`${count} objects rewritten, none skipped, none failed`)])
  const wanted = [...before].map(([key, traits]) => {
    const Metadata = { ...(traits.Metadata as Record<string, string>), seen: 'yes' }
    return [key, { ...traits, CacheControl: 'no-store', Metadata }] as const
  })
  expect(await wholeOf(server, from)).toEqual(new Map(wanted))
  const again = await run([...args, '--folder-markers', '--fresh', ...at], as)
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining(`${count} unchanged`)])
})

test('from Swift to the disk and back every byte, header and metadatum is as it was', async () => {
  const { server, from, to, cwd, as } = await buckets()
  await fill(server, from, 100)
  const before = await wholeOf(server, from)
  const folder = `file://${join(cwd, 'backup')}`
  for (const [source, destination] of [
    [`s3://${from}`, folder],
    [folder, `s3://${to}`],
  ] as const) {
    const { code, stderr } = await run(['copy', source, destination, ...at], as)
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(`${before.size} objects copied, none skipped, none failed`),
    ])
  }
  expect(await wholeOf(server, to)).toEqual(before)
})

test('what Swift cannot hold is in the ledger with its reason, and everything else is copied to it', async () => {
  const { server, to, as } = await buckets()
  const cwd = await workFolder()
  const other = await sandbox({ buckets: ['src'] })
  const long = 'x'.repeat(976)
  const fits = 'y'.repeat(900)
  await put(other, 'src', 'plain', { Body: 'plain' })
  await put(other, 'src', 'value of 256 bytes', { Body: 'a', Metadata: { v: 'v'.repeat(256) } })
  await put(other, 'src', 'value of 257 bytes', { Body: 'b', Metadata: { v: 'v'.repeat(257) } })
  const entries = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, 'v']))
  await put(other, 'src', '90 entries', { Body: 'c', Metadata: entries(90) })
  await put(other, 'src', '91 entries', { Body: 'd', Metadata: entries(91) })
  for (const key of [fits, long]) await putInParts(other, 'src', key, Buffer.alloc(9_000_000, key))
  await put(other, 'src', `${long} in one`, { Body: 'e' })
  const args = ['copy', 's3://src', `s3://${to}`, '--source-endpoint-url', other.url]
  const more = ['--destination-endpoint-url', SWIFT.url, '--checkpoint', 'run', '--retry-for', '3s']
  const env = { ...as.env, AWS_REGION: 'us-east-1' }
  const { code, stderr } = await run([...args, ...more], { cwd, env })
  expect([code, stderr]).toEqual([3, expect.stringContaining('5 objects copied, none skipped, 3 failed') as string])
  expect([...(await contentOf(server, to)).keys()].sort()).toEqual(
    ['plain', 'value of 256 bytes', '90 entries', fits, `${long} in one`].sort(),
  )
  expect(Object.fromEntries(await ledger(cwd))).toEqual({
    'value of 257 bytes': expect.objectContaining({
      message: expect.stringMatching(/Metadata value longer than 256/i) as string,
    }) as object,
    '91 entries': expect.objectContaining({
      message: expect.stringMatching(/Too many metadata items/i) as string,
    }) as object,
    [long]: expect.objectContaining({ message: expect.stringMatching(/Internal|longer|long/i) as string }) as object,
  })
  const { ContentLength } = await server.s3.send(new HeadObjectCommand({ Bucket: to, Key: fits }))
  expect(ContentLength).toBe(9_000_000)
})

test('on Swift, check says that it takes no tags, and head shows all the rest of an object', async () => {
  const { server, from, to, as } = await buckets()
  await put(server, from, 'a b', { Body: 'hello', ContentType: 'text/x', Metadata: { owner: 'team 1' } })
  const checked = await run(['check', `s3://${from}`, `s3://${to}`, ...at], as)
  expect([checked.code, checked.stderr]).toEqual([0, ''])
  expect(checked.stdout).toMatch(/^ {2}no {7}tags +the store does not take tags: NotImplemented$/m)
  expect(checked.stdout).toMatch(/^ {2}ok {7}s3:PutObject$/m)
  expect((await contentOf(server, to)).size).toBe(0)
  const { code, stdout } = await run(['head', `s3://${from}/a b`, ...at, '--json'], as)
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    expect.objectContaining({ key: 'a b', size: 5, metadata: { owner: 'team 1' } }),
  ])
})

test('on Swift, set-tags is refused before the start, by what it does not know, and no object becomes a list of tags', async () => {
  const { server, from, as } = await buckets()
  await put(server, from, 'a', { Body: 'hello' })
  const before = await wholeOf(server, from)
  for (const how of [['--tag', 'team=web'], ['--remove-all-tags']]) {
    const { code, stderr } = await run(['set-tags', `s3://${from}`, ...how, ...at], as)
    expect([code, stderr]).toEqual([2, expect.stringContaining('does not know tags of objects') as string])
  }
  expect(await wholeOf(server, from)).toEqual(before)
})
