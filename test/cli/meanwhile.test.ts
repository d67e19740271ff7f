import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GetObjectCommand, GetObjectTaggingCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { run, workFolder } from '../support/cli-program.js'
import { standIn, SLOW_DOWN, type Answer, type Hooks, type Passing } from '../support/stand-in.js'

/** What a store is that ignores every condition of a write, as most do but AWS. */
const CONDITIONS = ['if-match', 'if-none-match', 'x-amz-copy-if-match', 'x-amz-copy-source-if-match']

/** A stand-in that loses the conditions, and at the first request of which `is` is true does `meanwhile` what somebody else does, and answers as told. */
function meanwhile(
  is: (request: Passing) => boolean,
  act: () => Promise<unknown>,
  answer: 'slow down' | 'lost before' | 'lost after',
): Hooks {
  let once = true
  const interrupt = async (request: Passing, told: Answer | 'lost'): Promise<Answer | 'lost' | undefined> => {
    if (!once || !is(request)) return undefined
    once = false
    await act()
    return told
  }
  return {
    before(request) {
      // HEAD and GET keep theirs: to read what was listed is honoured everywhere.
      if (request.method !== 'GET') for (const name of CONDITIONS) Reflect.deleteProperty(request.headers, name)
      return answer === 'lost after' ? undefined : interrupt(request, answer === 'slow down' ? SLOW_DOWN : 'lost')
    },
    after: (request) => (answer === 'lost after' ? interrupt(request, 'lost') : undefined),
  }
}

const isDelete = ({ method, url }: Passing): boolean => method === 'POST' && url.includes('?delete')
const isCopyTo =
  (name: string) =>
  ({ method, url, headers }: Passing): boolean =>
    method === 'PUT' && url.startsWith(name) && headers['x-amz-copy-source'] !== undefined

async function bodyOf({ s3 }: TestSandbox, Bucket: string, Key: string): Promise<string> {
  return await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()
}

async function failures(cwd: string): Promise<string[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { key: string; code: string }).code)
}

const buckets = ['src:unconditional', 'dst:unconditional']
const to = (url: string) => ['--endpoint-url', url, '--checkpoint', 'run'] as const

describe('what somebody writes between two tries of a request, to a store that honours no condition', () => {
  test.each(['slow down', 'lost before', 'lost after'] as const)('move does not delete it (%s)', async (how) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets })
    for (const key of ['a', 'b', 'c']) await put(server, 'src', key, { Body: `old ${key}` })
    const url = await standIn(
      server.url,
      meanwhile(isDelete, () => put(server, 'src', 'b', { Body: 'the only copy' }), how),
    )
    const { code } = await run(['move', '--yes', 's3://src', 's3://dst', ...to(url)], { cwd })
    expect([code, await failures(cwd)]).toEqual([3, ['SourceChanged']])
    expect([[...(await contentOf(server, 'src')).keys()], await bodyOf(server, 'src', 'b')]).toEqual([
      ['b'],
      'the only copy',
    ])
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(0)
    expect([(await contentOf(server, 'src')).size, await bodyOf(server, 'dst', 'b')]).toEqual([0, 'the only copy'])
  })

  test('move does not delete a source whose copy is replaced meanwhile', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets })
    for (const key of ['a', 'b']) await put(server, 'src', key, { Body: `of ${key}` })
    const act = () => put(server, 'dst', 'a', { Body: 'of another' })
    const url = await standIn(server.url, meanwhile(isDelete, act, 'slow down'))
    const { code } = await run(['move', '--yes', 's3://src', 's3://dst', ...to(url)], { cwd })
    expect([code, await failures(cwd), [...(await contentOf(server, 'src')).keys()]]).toEqual([
      3,
      ['CopyNotProven'],
      ['a'],
    ])
  })

  test.each(['slow down', 'lost before'] as const)(
    'sync --delete deletes neither it nor what the source has by then (%s)',
    async (how) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets })
      await put(server, 'src', 'kept', { Body: 'kept' })
      for (const key of ['appears', 'kept', 'written', 'extra']) await put(server, 'dst', key, { Body: 'kept' })
      const act = async (): Promise<void> => {
        await put(server, 'dst', 'written', { Body: 'the only copy' })
        await put(server, 'src', 'appears', { Body: 'as new' })
      }
      const url = await standIn(server.url, meanwhile(isDelete, act, how))
      const { code } = await run(['sync', 's3://src', 's3://dst', '--delete', '--yes', ...to(url)], { cwd })
      expect([code, await failures(cwd)]).toEqual([3, ['DestinationChanged']])
      expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['appears', 'kept', 'written'])
    },
  )

  test.each<[string, string[]]>([
    ['copy --no-clobber', ['copy', 's3://src', 's3://dst', '--no-clobber']],
    ['copy --no-clobber to new names', ['copy', 's3://src', 's3://dst', '--no-clobber', '--map', 's/^/x/']],
    [
      'copy --no-clobber with headers',
      ['copy', 's3://src', 's3://dst', '--no-clobber', '--cache-control', 'no-store', '--preserve', 'acl'],
    ],
    ['move --map', ['move', '--yes', 's3://src', 's3://dst', '--map', 's/^/x/']],
  ])('%s does not replace it', async (_title, command) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets })
    await put(server, 'src', 'a', { Body: 'of the source' })
    const name = command.includes('--map') ? 'xa' : 'a'
    const act = () => put(server, 'dst', name, { Body: 'of another' })
    const url = await standIn(server.url, meanwhile(isCopyTo(`/dst/${name}`), act, 'slow down'))
    const { code } = await run([...command, ...to(url)], { cwd })
    expect(await bodyOf(server, 'dst', name)).toBe('of another')
    expect(await bodyOf(server, 'src', 'a')).toBe('of the source')
    expect([code, await failures(cwd)]).toEqual(command[0] === 'move' ? [3, ['DestinationExists']] : [0, []])
  })

  test('what passes through this machine does not replace it either', async () => {
    const cwd = await workFolder()
    const [from, server] = [await sandbox({ buckets }), await sandbox({ buckets })]
    await put(from, 'src', 'a', { Body: 'of the source' })
    const isPut = ({ method, url }: Passing): boolean => method === 'PUT' && url.startsWith('/dst/a')
    const act = () => put(server, 'dst', 'a', { Body: 'of another' })
    const url = await standIn(server.url, meanwhile(isPut, act, 'lost before'))
    const ends = ['--source-endpoint-url', from.url, '--destination-endpoint-url', url, '--checkpoint', 'run'] as const
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--no-clobber', ...ends], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 skipped')])
    expect(await bodyOf(server, 'dst', 'a')).toBe('of another')
  })

  test('move --map knows its own copy again when the answer was lost', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets })
    await put(server, 'src', 'a', { Body: 'of the source' })
    const nothing = () => Promise.resolve()
    const url = await standIn(server.url, meanwhile(isCopyTo('/dst/xa'), nothing, 'lost after'))
    const { code } = await run(['move', '--yes', 's3://src', 's3://dst', '--map', 's/^/x/', ...to(url)], { cwd })
    expect([code, (await contentOf(server, 'src')).size, await bodyOf(server, 'dst', 'xa')]).toEqual([
      0,
      0,
      'of the source',
    ])
  })

  test.each(['slow down', 'lost before'] as const)(
    'set-headers gives it no old headers: it is looked at anew (%s)',
    async (how) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets })
      await put(server, 'src', 'a', { Body: 'old', ContentType: 'text/old', Metadata: { of: 'before' } })
      const act = () => put(server, 'src', 'a', { Body: 'new', ContentType: 'text/new', Metadata: { of: 'another' } })
      const url = await standIn(server.url, meanwhile(isCopyTo('/src/a'), act, how))
      const { code } = await run(['set-headers', 's3://src', '--cache-control', 'no-store', ...to(url)], { cwd })
      const head = await server.s3.send(new HeadObjectCommand({ Bucket: 'src', Key: 'a' }))
      expect([code, await bodyOf(server, 'src', 'a'), head.ContentType, head.Metadata, head.CacheControl]).toEqual([
        ...[0, 'new', 'text/new', { of: 'another' }],
        'no-store',
      ])
    },
  )

  test('tags that are put back are put to no other object', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets })
    await put(server, 'src', 'a', { Body: 'old', Tagging: 'team=red' })
    const isRetag = ({ method, url }: Passing): boolean => method === 'PUT' && url.includes('?tagging')
    const act = () => put(server, 'src', 'a', { Body: 'of another', Tagging: 'team=blue' })
    const loses: Hooks = {
      // Ceph loses the tags of a copy onto itself.
      before(request) {
        if (isCopyTo('/src/a')(request)) {
          delete request.headers['x-amz-tagging']
          request.headers['x-amz-tagging-directive'] = 'REPLACE'
        }
        return retag.before!(request)
      },
    }
    const retag = meanwhile(isRetag, act, 'slow down')
    const url = await standIn(server.url, loses)
    const { code } = await run(['set-headers', 's3://src', '--cache-control', 'no-store', ...to(url)], { cwd })
    const { TagSet } = await server.s3.send(new GetObjectTaggingCommand({ Bucket: 'src', Key: 'a' }))
    expect([code, TagSet, await bodyOf(server, 'src', 'a')]).toEqual([
      0,
      [{ Key: 'team', Value: 'blue' }],
      'of another',
    ])
  })
})
