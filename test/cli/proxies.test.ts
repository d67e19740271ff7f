import { PutObjectCommand } from '@aws-sdk/client-s3'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Failure } from '../../src/job/outcome.js'
import { contentOf, sandbox, type Server } from '../support/cli-buckets.js'
import { CREDENTIALS, run, start, until, workFolder } from '../support/cli-program.js'
import { front, refused } from '../support/proxy.js'

/** Puts objects under these keys, with metadata of this name where there is one. */
async function fill(
  { s3 }: Server,
  keys: readonly string[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (const key of keys) {
    const named = metadata[key]
    await s3.send(
      new PutObjectCommand({
        Bucket: 'src',
        Key: key,
        Body: key,
        ...(named === undefined ? {} : { Metadata: { [named]: '1' } }),
      }),
    )
  }
}

async function ledger(cwd: string): Promise<Failure[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Failure)
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${100 + i}`)

describe('behind a proxy that changes some requests', () => {
  test('an object whose header the proxy takes away fails by itself, and is told so; all others are copied', async () => {
    const cwd = await workFolder()
    const source = await sandbox({ buckets: ['src'] })
    await fill(source, numbered(60), { k110: 'my_key', k150: 'an_other' })
    const box = await sandbox({ buckets: ['dst'], ...CREDENTIALS })
    const url = await front(box.url, {
      before({ headers }) {
        for (const name of Object.keys(headers)) if (name.includes('_')) Reflect.deleteProperty(headers, name)
        return undefined
      },
    })
    const args = [
      'copy',
      's3://src',
      's3://dst',
      '--source-endpoint-url',
      source.url,
      '--destination-endpoint-url',
      url,
    ]
    const { code, stderr } = await run([...args, '--checkpoint', 'run', '--concurrency', '4'], { cwd })
    expect([code, stderr]).toEqual([3, expect.stringContaining('58 objects copied, none skipped, 2 failed') as string])
    const failures = await ledger(cwd)
    expect(failures.map(({ key }) => key).sort()).toEqual(['k110', 'k150'])
    for (const { message } of failures) expect(message).toContain('proxy')
  })

  test('a redirect by which it cleans a key is of that object, and so is a bucket that is none', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await fill(server, [...numbered(30), 'a//b', 'c/../d'])
    const url = await front(server.url, {
      before({ method, url: path = '' }) {
        if (method !== 'PUT') return undefined
        if (path.includes('//')) return { status: 301, headers: { location: path.replace('//', '/') }, body: 'Moved' }
        return path.includes('..') ? refused(404, 'NoSuchBucket') : undefined
      },
    })
    const { code } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run'], { cwd })
    expect(code).toBe(3)
    expect((await contentOf(server, 'dst')).size).toBe(30)
    expect((await ledger(cwd)).map(({ key, code: of }) => [key, of]).sort()).toEqual([
      ['a//b', 'PermanentRedirect'],
      ['c/../d', 'NoSuchBucket'],
    ])
  })

  test('keys that are revoked in the middle of a run stop it, and no object is blamed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3000', 'dst'], latency: 'copy=2-4' })
    let revoked = false
    const url = await front(server.url, { before: () => (revoked ? refused(403, 'InvalidAccessKeyId') : undefined) })
    const running = start(
      ['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run', '--concurrency', '16'],
      { cwd },
    )
    await until(() => (server.stats().copies.dst?.total ?? 0) > 500, running)
    revoked = true
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([4, expect.stringContaining('InvalidAccessKeyId') as string])
    expect(await ledger(cwd)).toEqual([])
    revoked = false
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(3000)
  })

  test('HEAD that is refused where GET is not is told as the work of a proxy', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await fill(server, ['a', 'b', 'c'])
    const url = await front(server.url, {
      before: ({ method, url: path = '' }) => (method === 'HEAD' && path.endsWith('/b') ? { status: 403 } : undefined),
    })
    const args = ['set-headers', 's3://src', '--cache-control', 'x', '--endpoint-url', url, '--checkpoint', 'run']
    const { code } = await run([...args, '--reset-acl'], { cwd })
    expect(code).toBe(3)
    const [failure] = await ledger(cwd)
    expect(failure).toMatchObject({ key: 'b', code: 'AccessDenied' })
    expect(failure!.message).toContain('proxy_cache_convert_head')
  })
})

describe('what a store says in words of its own', () => {
  test.each<[string, number, string]>([
    ['a bare 425', 425, ''],
    ['a bare 499', 499, ''],
    ['SlowDownWrite', 503, 'SlowDownWrite'],
    ['XMinioBackendDown with status 400', 400, 'XMinioBackendDown'],
    ['ClientDisconnect', 400, 'ClientDisconnect'],
  ])('%s now and then is asked again', async (_, status, code) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:40', 'dst'] })
    const seen = new Set<string>()
    const url = await front(server.url, {
      before({ method, url: path = '' }) {
        if (method !== 'PUT' || path.includes('probe') || seen.has(path)) return undefined
        seen.add(path)
        return code === '' ? { status } : refused(status, code)
      },
    })
    const { code: exit } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url], { cwd })
    expect(exit).toBe(0)
    expect([(await contentOf(server, 'dst')).size, seen.size]).toEqual([40, 40])
  })

  test('what it explains an error with is in the ledger, without a signature', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const more = '<Reason>Metadata name too long: x\u001b</Reason><StringToSign>s3cr3t</StringToSign>'
    const url = await front(server.url, {
      before: ({ method, url: path = '' }) =>
        method === 'PUT' && !path.includes('probe') ? refused(400, 'InvalidArgument', more) : undefined,
    })
    const { stderr } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run'], {
      cwd,
    })
    const [failure] = await ledger(cwd)
    expect(failure!.message).toBe('why (Reason: Metadata name too long: x\u001b)')
    expect(stderr).toContain('Metadata name too long')
    expect(stderr).not.toContain('\u001b')
    expect(stderr + JSON.stringify(failure)).not.toContain('s3cr3t')
  })

  test.each<[string, number, (body: Buffer) => boolean, string]>([
    ['a body of more than 200,000 bytes with 413', 413, (body) => body.length > 200_000, ''],
    ['one of more than 100,000 bytes with 416', 416, (body) => body.length > 100_000, 'InvalidRange'],
    [
      'more than 100 objects as MalformedXML',
      400,
      (body) => body.toString().split('<Object>').length > 101,
      'MalformedXML',
    ],
  ])(
    'a store that refuses %s gets as many as it takes, and each object is deleted once',
    async (_, status, tooMuch, code) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src:seq:2500'] })
      let refusals = 0
      const deleted: string[] = []
      const url = await front(server.url, {
        before({ method, url: path = '' }, body) {
          if (method !== 'POST' || !path.includes('delete')) return undefined
          // Names are made longer than they are, as keys of 1,000 bytes would be.
          const padded = Buffer.concat([body, Buffer.alloc(body.toString().split('<Object>').length * 400)])
          if (tooMuch(padded)) {
            refusals++
            return code === '' ? { status, body: '<html>413</html>' } : refused(status, code)
          }
          deleted.push(...[...body.toString().matchAll(/<Key>([^<]*)/g)].map(([, key = '']) => key))
          return undefined
        },
      })
      const { code: exit } = await run(['delete', 's3://src', '--yes', '--endpoint-url', url, '--checkpoint', 'run'], {
        cwd,
      })
      expect(exit).toBe(0)
      expect((await contentOf(server, 'src')).size).toBe(0)
      expect([deleted.length, new Set(deleted).size]).toEqual([2500, 2500])
      // Remembered: no more than the halvings of each thread, and what was under way meanwhile.
      expect(refusals).toBeLessThan(30)
    },
  )
})
