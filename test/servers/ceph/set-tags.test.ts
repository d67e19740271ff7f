import { GetObjectTaggingCommand, ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { contentOf, expectSame, put, RICH, traitsOf } from '../../support/cli-buckets.js'
import { run } from '../../support/cli-program.js'
import { pair, url } from './ceph-buckets.js'

const at = ['--endpoint-url', url]

test('on Ceph, set-tags changes the tags that were asked for and nothing else, and a second run nothing at all', async () => {
  const { ceph, from, as } = await pair()
  const keys = ['a b+c%20', 'ü/\u{1f600}', '//two', 'quote\'"<&>', 'folder/']
  for (const key of keys) await put(ceph, from, key, { ...RICH, Body: key, Tagging: 'team=red%20one&old=1' })
  await put(ceph, from, 'bare')
  const before = await contentOf(ceph, from)
  const { tags: _, ...traits } = (await traitsOf(ceph, from, 'a b+c%20')) as Record<string, unknown>
  const tagsOf = async (Key: string): Promise<string[]> => {
    const { TagSet = [] } = await ceph.s3.send(new GetObjectTaggingCommand({ Bucket: from, Key }))
    return TagSet.map((tag) => `${tag.Key}=${tag.Value}`).sort()
  }
  const flags = ['--tag', 'née=été 😀', '--remove-tag', 'old']
  const first = await run(['set-tags', `s3://${from}`, ...flags, ...at], as)
  expect([first.code, first.stderr]).toEqual([
    0,
    expect.stringContaining('6 objects tagged, none skipped, none failed'),
  ])
  for (const key of keys) expect(await tagsOf(key)).toEqual(['née=été 😀', 'team=red one'])
  expect(await tagsOf('bare')).toEqual(['née=été 😀'])
  expectSame(await contentOf(ceph, from), before)
  expect(await traitsOf(ceph, from, 'a b+c%20')).toMatchObject(traits)
  const again = await run(['set-tags', `s3://${from}`, ...flags, '--again', ...at], as)
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('6 unchanged')])
  const none = await run(['set-tags', `s3://${from}`, '--remove-all-tags', ...at], as)
  expect([none.code, none.stderr]).toEqual([0, expect.stringContaining('6 objects tagged')])
  for (const key of keys) expect(await tagsOf(key)).toEqual([])
})

test('on Ceph, set-tags --all-versions changes the tags of each version', async () => {
  const { ceph, from, as } = await pair()
  const enabled = { Bucket: from, VersioningConfiguration: { Status: 'Enabled' as const } }
  await ceph.s3.send(new PutBucketVersioningCommand(enabled))
  for (const Body of ['1', '2']) await put(ceph, from, 'k', { Body, Tagging: `n=${Body}` })
  const { code, stderr } = await run(['set-tags', `s3://${from}`, '--all-versions', '--tag', 'n=2', ...at], as)
  expect([code, stderr]).toEqual([0, expect.stringContaining('1 object tagged')])
  const { Versions = [] } = await ceph.s3.send(new ListObjectVersionsCommand({ Bucket: from }))
  expect(Versions).toHaveLength(2)
  for (const { VersionId } of Versions) {
    const { TagSet } = await ceph.s3.send(new GetObjectTaggingCommand({ Bucket: from, Key: 'k', VersionId }))
    expect(TagSet).toEqual([{ Key: 'n', Value: '2' }])
  }
})
