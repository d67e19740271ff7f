import { readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { PutBucketVersioningCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, put, RICH, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { front, type Hooks } from '../support/cli-front.js'
import { refusal, run, workFolder } from '../support/cli-program.js'

const LOCK = {
  'x-amz-object-lock-mode': 'COMPLIANCE',
  'x-amz-object-lock-retain-until-date': '2099-01-01T00:00:00.000Z',
  'x-amz-object-lock-legal-hold': 'ON',
}

/** What a store does with requests that write. */
type Forgets = (headers: IncomingMessage['headers'], request: IncomingMessage) => void

const hooks = (forgets: Forgets): Hooks => ({
  before: (request, response) => {
    if (request.method !== 'PUT' && request.method !== 'POST') return false
    forgets(request.headers, request)
    // Nor are tags kept that are put behind a copy.
    const isTagging = request.url?.includes('?tagging') === true
    if (isTagging) response.writeHead(200).end()
    return isTagging
  },
})

const without =
  (...names: string[]): Forgets =>
  (headers) => {
    for (const name of names) Reflect.deleteProperty(headers, name)
  }

const kept = (stderr: string): string[] => stderr.split('\n').filter((line) => / has not kept /.test(line))
const untold = (stderr: string): string[] => stderr.split('\n').filter((line) => / does not tell the /.test(line))

async function ledger(cwd: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

interface Kind {
  readonly name: string
  readonly args: readonly string[]
  readonly object?: Partial<PutObjectCommandInput>
  readonly forgets: Forgets
  readonly says: string
}

const KINDS: readonly Kind[] = [
  {
    ...{ name: 'the class of the source', args: [], object: { StorageClass: 'STANDARD_IA' } },
    ...{ forgets: without('x-amz-storage-class'), says: 'storage class of s3://dst/a: STANDARD_IA' },
  },
  {
    ...{ name: 'a class', args: ['--storage-class', 'GLACIER_IR'] },
    ...{ forgets: without('x-amz-storage-class'), says: 'storage class of s3://dst/a: GLACIER_IR' },
  },
  {
    ...{ name: 'tags of the source', args: [], object: { Tagging: 'a=b' } },
    forgets: (headers) => (headers['x-amz-tagging-directive'] = 'REPLACE'),
    says: 'tags of s3://dst/a: a=b',
  },
  {
    ...{ name: 'tags', args: ['--tagging', 'team=red'], object: { Tagging: 'a=b' } },
    ...{ forgets: without('x-amz-tagging', 'x-amz-tagging-directive'), says: 'tags of s3://dst/a: team=red' },
  },
  {
    ...{ name: 'that there be no tags', args: ['--no-preserve', 'tags'], object: { Tagging: 'a=b' } },
    ...{ forgets: without('x-amz-tagging-directive'), says: 'tags of s3://dst/a: none' },
  },
  {
    ...{
      name: 'metadata of the source',
      args: [],
      object: { Metadata: { owner: 'me' }, ContentType: 'binary/octet-stream' },
    },
    forgets: (headers) => (headers['x-amz-metadata-directive'] = 'REPLACE'),
    says: 'metadata of s3://dst/a: x-amz-meta-owner: me',
  },
  {
    ...{ name: 'a header', args: ['--cache-control', 'no-store'] },
    ...{ forgets: without('cache-control'), says: 'headers of s3://dst/a: cache-control: no-store' },
  },
  {
    ...{ name: 'that a header be gone', args: ['--remove', 'cache-control'], object: { CacheControl: 'old' } },
    ...{ forgets: without('x-amz-metadata-directive'), says: 'headers of s3://dst/a: cache-control: none' },
  },
  {
    ...{ name: 'a redirect', args: ['--preserve', 'redirect'], object: { WebsiteRedirectLocation: '/x' } },
    ...{ forgets: without('x-amz-website-redirect-location'), says: 'website redirect of s3://dst/a: /x' },
  },
  {
    ...{ name: 'KMS', args: ['--sse', 'aws:kms'], forgets: without('x-amz-server-side-encryption') },
    says: 'encryption of s3://dst/a: aws:kms was asked for, and it has AES256',
  },
  {
    ...{ name: 'a canned list', args: ['--acl', 'authenticated-read'], forgets: without('x-amz-acl') },
    says: 'access control list of s3://dst/a: authenticated-read',
  },
  {
    ...{ name: 'the list of the source', args: ['--preserve', 'acl'], object: { ACL: 'public-read' } },
    ...{
      forgets: without('x-amz-grant-read', 'x-amz-grant-full-control'),
      says: 'access control list of s3://dst/a: ',
    },
  },
]

async function filled(object: Kind['object'], keys: readonly string[] = ['a']): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src:acl', 'dst:acl'] })
  for (const key of keys) await put(server, 'src', key, { Body: `hello ${key}`, ...object })
  return server
}

const places = ['s3://src', 's3://dst'] as const

describe('what a store takes and does not keep', () => {
  test.each(KINDS)(
    'is told at once, and is a failure with --on-loss fail: $name',
    async ({ args, object, forgets, says }) => {
      const server = await filled(object)
      const cwd = await workFolder()
      const all = ['--endpoint-url', await front(server.url, hooks(forgets)), '--checkpoint', 'run', ...args]
      const { code, stderr } = await run(['copy', ...places, ...all], { cwd })
      expect([code, kept(stderr)]).toEqual([0, [expect.stringContaining(says)]])
      const strict = await run(['copy', ...places, ...all, '--fresh', '--on-loss', 'fail'], { cwd })
      if (strict.code === 2) throw new Error(strict.stderr)
      expect([strict.code, strict.stderr]).toEqual([4, expect.stringContaining(says) as string])
      expect(await ledger(cwd)).toEqual([
        expect.objectContaining({
          key: 'a',
          code: 'AttributesNotKept',
          message: expect.stringContaining(says) as string,
        }),
      ])
    },
  )

  test('is neither told nor a failure where all is kept', async () => {
    const server = await filled({ ...RICH, StorageClass: 'STANDARD_IA', ACL: 'public-read' }, ['a', 'b/ü', 'c'])
    const cwd = await workFolder()
    const args = ['--endpoint-url', server.url, '--on-loss', 'fail', '--preserve', 'acl,redirect', '--sse', 'AES256']
    for (const more of [[], ['--no-preserve', 'tags'], ['--remove', 'cache-control'], ['--tagging', 'a=b%20c']]) {
      const { code, stderr } = await run(['copy', ...places, ...args, ...more], { cwd })
      expect([code, kept(stderr), untold(stderr)]).toEqual([0, [], []])
    }
  })

  test('is not said to be lost where the store does not tell', async () => {
    const server = await filled({})
    const cwd = await workFolder()
    const args = ['--endpoint-url', server.url, '--checksum-algorithm', 'SHA256', '--on-loss', 'fail']
    const { code, stderr } = await run(['copy', ...places, ...args], { cwd })
    expect([code, kept(stderr)]).toEqual([0, []])
    expect(untold(stderr)).toEqual([expect.stringContaining('the checksum algorithm of s3://dst/a: SHA256')])
  })

  test('is not known where copies may not be looked at, which is told once', async () => {
    const server = await filled({}, ['a', 'b', 'c'])
    const before: Required<Hooks>['before'] = ({ method, url = '' }, response) => {
      if ((method !== 'HEAD' && method !== 'GET') || !url.startsWith('/dst/') || url.includes('?')) return false
      response.writeHead(403, { 'content-type': 'application/xml' })
      response.end(method === 'HEAD' ? undefined : '<Error><Code>AccessDenied</Code><Message>no</Message></Error>')
      return true
    }
    const url = await front(server.url, { before })
    const { code, stderr } = await run(['copy', ...places, '--endpoint-url', url], { cwd: await workFolder() })
    expect([code, kept(stderr)]).toEqual([0, []])
    expect(stderr.match(/cannot be looked at/g)).toHaveLength(1)
    expect((await contentOf(server, 'dst')).size).toBe(3)
  })
})

describe('what is not kept shows', () => {
  const FORGETFUL = hooks(without('x-amz-storage-class'))
  const CLASS = ['--storage-class', 'STANDARD_IA'] as const

  test('once, however many threads and lanes write, and ends a run that is to fail before all is written', async () => {
    const server = await sandbox({ buckets: ['src:hex:1200', 'dst'] })
    const cwd = await workFolder()
    const args = ['copy', ...places, ...CLASS, '--endpoint-url', await front(server.url, FORGETFUL), '--threads', '2']
    const { code, stderr } = await run([...args, '--lanes', '8'], { cwd })
    expect([code, kept(stderr).length]).toEqual([0, 1])
    const before = server.stats().copies.dst!.total
    const strict = await run([...args, '--fresh', '--on-loss', 'fail', '--concurrency', '4', '--checkpoint', 'run'], {
      cwd,
    })
    expect(strict.code).toBe(4)
    expect(server.stats().copies.dst!.total - before).toBeLessThan(600)
    expect((await ledger(cwd)).every(({ code }) => code === 'AttributesNotKept')).toBe(true)
    expect((await ledger(cwd)).length).toBeGreaterThan(0)
  })

  test('after a resume too, until whoever runs it wants to go on without', async () => {
    const server = await sandbox({ buckets: ['src:hex:900', 'dst'] })
    const cwd = await workFolder()
    const url = await front(server.url, FORGETFUL)
    const args = ['copy', ...places, ...CLASS, '--endpoint-url', url, '--on-loss', 'fail', '--concurrency', '4']
    expect((await run([...args, '--checkpoint', 'run'], { cwd })).code).toBe(4)
    const again = await run(['resume', 'run'], { cwd })
    expect([again.code, again.stderr]).toEqual([4, expect.stringContaining('has not kept') as string])
    const on = await run(['resume', 'run', '--on-loss', 'warn', '--concurrency', '64'], { cwd })
    expect([on.code, kept(on.stderr).length]).toEqual([3, 1])
    const failed = await run(['resume', 'run', '--only-failed', '--on-loss', 'fail'], { cwd })
    expect([failed.code, failed.stderr]).toEqual([4, expect.stringContaining('has not kept') as string])
    expect((await run(['resume', 'run', '--only-failed', '--on-loss', 'warn'], { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(900)
  })

  test('of an object copied in parts, and of one that a list names', async () => {
    const server = await sandbox({ buckets: ['src:seq:2:big=1', 'dst'] })
    const cwd = await workFolder()
    const [key] = (await contentOf(server, 'src')).keys()
    await writeFile(join(cwd, 'list'), `${key!}\n`)
    const url = await front(server.url, FORGETFUL)
    for (const more of [[], ['--files-from', 'list']]) {
      const args = ['copy', ...places, ...CLASS, '--endpoint-url', url, '--fresh', ...more]
      const { code, stderr } = await run(args, { cwd })
      expect([code, kept(stderr)]).toEqual([0, [expect.stringContaining('storage class')]])
      expect((await run([...args, '--on-loss', 'fail'], { cwd })).code).toBe(4)
    }
    expect(server.stats().byOperation.CompleteMultipartUpload).toBeGreaterThan(0)
  })

  test('of objects that pass through this machine, small and in parts, also a lock', async () => {
    const [from, to] = [await sandbox({ buckets: ['src'] }), await sandbox({ buckets: ['dst'] })]
    await put(from, 'src', 'small', { Body: 'x' })
    await put(from, 'src', 'parts', { Body: 'x'.repeat(9 * 1024 ** 2), Metadata: { a: 'b' } })
    const source = await front(from.url, {
      after: ({ url = '' }, { headers }) => {
        if (/^\/src\/(?:small|parts)$/.test(url)) Object.assign(headers, LOCK)
      },
    })
    const cwd = await workFolder()
    const sides = ['--source-endpoint-url', source, '--destination-endpoint-url', to.url]
    const { code, stderr } = await run(['copy', ...places, ...sides, '--preserve', 'lock'], { cwd })
    expect([code, kept(stderr)]).toEqual([0, [expect.stringContaining('COMPLIANCE until 2099-01-01T00:00:00.000Z')]])
    expect(stderr).toContain('keeps no versions, which locks need')
    const verified = await run(['verify', '--deep', ...places, ...sides], { cwd })
    const lines = verified.stdout.trimEnd().split('\n')
    expect([verified.code, lines.map((line) => (JSON.parse(line) as { differs: string[] }).differs)]).toEqual([
      3,
      [['lock'], ['lock']],
    ])
    const fixed = await run(['verify', '--deep', '--fix', ...places, ...sides], { cwd })
    expect([fixed.code, fixed.stdout]).toEqual([3, expect.stringContaining('"NotMended"') as string])
    expect(fixed.stdout).not.toContain('"fixed":true')
  })

  test('where headers are set in place', async () => {
    const server = await filled({ CacheControl: 'old' })
    const cwd = await workFolder()
    const url = await front(
      server.url,
      hooks((headers) => (headers['cache-control'] = 'old')),
    )
    const args = ['set-headers', 's3://src', '--cache-control', 'new', '--reset-acl', '--endpoint-url', url]
    const { code, stderr } = await run([...args, '--checkpoint', 'run'], { cwd })
    expect([code, kept(stderr)]).toEqual([0, [expect.stringContaining('headers of s3://src/a: cache-control: new')]])
    const strict = await run([...args, '--checkpoint', 'run', '--fresh', '--on-loss', 'fail'], { cwd })
    expect([strict.code, await ledger(cwd)]).toEqual([4, [expect.objectContaining({ code: 'AttributesNotKept' })]])
  })
})

test('with --on-loss fail move deletes nothing whose copy lacks what was asked for, though no sample has it', async () => {
  const keys = Array.from({ length: 40 }, (_, index) => `k${String(index).padStart(2, '0')}`)
  const server = await filled({ Tagging: 'a=b' }, keys)
  const url = await front(
    server.url,
    hooks((headers, { url = '' }) => {
      if (url.endsWith('/k25')) headers['x-amz-tagging-directive'] = 'REPLACE'
    }),
  )
  const cwd = await workFolder()
  const args = ['move', '--yes', ...places, '--endpoint-url', url, '--on-loss', 'fail', '--checkpoint', 'run']
  const { code } = await run([...args, '--lanes', '1', '--threads', '1', '--concurrency', '1'], { cwd })
  expect([code, [...(await contentOf(server, 'src')).keys()]]).toEqual([3, ['k25']])
  expect(await ledger(cwd)).toEqual([expect.objectContaining({ key: 'k25', code: 'AttributesNotKept' })])
})

describe('before the start --preserve lock asks for Object Lock', () => {
  const ENABLED = '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>'
  const asked = async (status: number, body: string, ...more: readonly string[]) => {
    const server = await filled({})
    if (more.includes('fail')) {
      const VersioningConfiguration = { Status: 'Enabled' } as const
      await server.s3.send(new PutBucketVersioningCommand({ Bucket: 'dst', VersioningConfiguration }))
    }
    const url = await front(server.url, {
      before: (request, response) => {
        if (!/^\/dst\/?\?object-lock/.test(request.url ?? '')) return false
        response.writeHead(status, { 'content-type': 'application/xml' }).end(body)
        return true
      },
    })
    const args = ['copy', ...places, '--endpoint-url', url, '--preserve', 'lock', ...more]
    return await run(args, { cwd: await workFolder() })
  }

  test.each([
    [404, '<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>'],
    [200, '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'],
    [200, '<ObjectLockConfiguration></ObjectLockConfiguration>'],
  ])('and a bucket without is a loss, refused with --on-loss fail (%i %s)', async (status, body) => {
    const { code, stderr } = await asked(status, body)
    expect([code, stderr]).toEqual([0, expect.stringContaining('has no Object Lock') as string])
    expect(refusal(await asked(status, body, '--on-loss', 'fail'))).toContain('has no Object Lock')
  })

  test.each([
    [501, '<Error><Code>NotImplemented</Code></Error>'],
    [405, '<Error><Code>MethodNotAllowed</Code></Error>'],
    [403, '<Error><Code>AccessDenied</Code></Error>'],
    // Swift answers a listing to what it does not know.
    [200, '<ListBucketResult><Name>dst</Name></ListBucketResult>'],
  ])('and one of a store that does not know the question is not refused for that (%i %s)', async (status, body) => {
    const { code, stderr } = await asked(status, body, '--on-loss', 'fail')
    const says = 'does not tell whether the destination’s bucket has Object Lock'
    expect([code, stderr]).toEqual([0, expect.stringContaining(says) as string])
    expect((await asked(status, body)).stderr).toContain('keeps no versions, which locks need')
  })

  test('and one with it is not told of', async () => {
    const { code, stderr } = await asked(200, ENABLED, '--on-loss', 'fail')
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Object Lock') as string])
  })
})

describe('s3move verify', () => {
  test('--acl compares access control lists, and --deep storage class', async () => {
    const server = await sandbox({ buckets: ['src:acl', 'dst:acl'] })
    for (const bucket of ['src', 'dst']) {
      await put(server, bucket, 'class', { StorageClass: bucket === 'src' ? 'STANDARD_IA' : 'STANDARD' })
      await put(server, bucket, 'public', { ACL: bucket === 'src' ? 'public-read' : 'private' })
      await put(server, bucket, 'same', { ACL: 'authenticated-read', StorageClass: 'ONEZONE_IA' })
    }
    const differs = async (...more: string[]) => {
      const { code, stdout } = await run(
        ['verify', ...places, '--endpoint-url', server.url, '--threads', '1', ...more],
        {
          cwd: await workFolder(),
        },
      )
      const lines = stdout.split('\n').filter((line) => line !== '')
      return [
        code,
        ...lines.map((line) => {
          const { key, differs, fixed } = JSON.parse(line) as { key: string; differs: string[]; fixed?: boolean }
          return [key, ...differs, ...(fixed === undefined ? [] : [fixed])]
        }),
      ]
    }
    expect(await differs()).toEqual([0])
    expect(await differs('--deep')).toEqual([3, ['class', 'storage-class']])
    expect(await differs('--acl')).toEqual([3, ['public', 'acl']])
    expect(await differs('--deep', '--acl')).toEqual([3, ['class', 'storage-class'], ['public', 'acl']])
    expect(await differs('--deep', '--acl', '--fix')).toEqual([
      3,
      ['class', 'storage-class', true],
      ['public', 'acl', false],
    ])
  })

  test('--acl is refused where a side is a folder', async () => {
    const cwd = await workFolder()
    const args = ['verify', 's3://src', `file://${cwd}`, '--acl', '--endpoint-url', 'http://127.0.0.1:1']
    expect(refusal(await run(args, { cwd }))).toContain('is a folder')
  })
})
