import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { asAws } from '../support/as-aws.js'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { front, type Hooks } from '../support/cli-front.js'
import { run, workFolder } from '../support/cli-program.js'

/** Answers with an S3 error; HEAD without a word. */
function refuse({ method }: IncomingMessage, response: ServerResponse, status: number, code: string, what = ''): true {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(method === 'HEAD' ? undefined : `<Error><Code>${code}</Code><Message>${what}</Message></Error>`)
  return true
}

const isMultiDelete = ({ method, url = '' }: IncomingMessage): boolean =>
  method === 'POST' && /[?&]delete(?:=|&|$)/.test(url)

/** All that it was told a store does not support. */
const warnings = (stderr: string): string[] =>
  stderr.split('\n').filter((line) => line.startsWith('warning: ') && line.includes(' does not support '))

async function filled(keys: readonly string[], dialect = ''): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst'], dialect })
  for (const key of keys) await put(server, 'src', key)
  return server
}

async function putInParts({ s3 }: TestSandbox, Bucket: string, Key: string, Body: string): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body }))
  const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
}

async function through(server: TestSandbox, before: Required<Hooks>['before'], args: readonly string[]) {
  const url = await front(server.url, { before })
  return await run([...args, '--endpoint-url', url, '--retry-for', '2s'], { cwd: await workFolder() })
}

async function directly({ url }: TestSandbox, args: readonly string[]) {
  return await run([...args, '--endpoint-url', url, '--retry-for', '2s'], { cwd: await workFolder() })
}

describe('a store without DeleteObjects', () => {
  const keys = ['a', 'b/ü', 'b/x&y', 'c\u0001', ...Array.from({ length: 200 }, (_, index) => `d/${index}`)]
  const variants = [
    [501, 'NotImplemented'],
    [405, 'MethodNotAllowed'],
    [400, 'InvalidArgument'],
  ] as const

  test.each(variants)('is asked to delete one by one, which is told once (%i %s)', async (status, code) => {
    const server = await filled(keys)
    const { code: exit, stderr } = await through(
      server,
      (request, response) => isMultiDelete(request) && refuse(request, response, status, code),
      ['delete', 's3://src', '--yes'],
    )
    expect([exit, (await contentOf(server, 'src')).size]).toEqual([0, 0])
    const [warning, ...others] = warnings(stderr)
    expect([warning, others]).toEqual([
      expect.stringContaining(`does not support DeleteObjects (${status} ${code})`) as string,
      [],
    ])
  })

  test.each([
    ['first', ['kept', 'y', 'z']],
    ['last', ['a', 'b', 'kept']],
  ])('does not hide what is wrong with the %s object', async (_, keys) => {
    const server = await filled(keys)
    const { code, stderr } = await through(
      server,
      (request, response) =>
        (isMultiDelete(request) && refuse(request, response, 501, 'NotImplemented')) ||
        (request.method === 'DELETE' &&
          request.url?.includes('/kept') === true &&
          refuse(request, response, 403, 'AccessDenied')),
      ['delete', 's3://src', '--yes'],
    )
    expect([code, [...(await contentOf(server, 'src')).keys()]]).toEqual([3, ['kept']])
    expect(stderr).toContain('1 AccessDenied')
  })

  test('is not taken for one when DeleteObject is refused in the same way', async () => {
    const server = await filled(['a', 'b'])
    const { code, stderr } = await through(
      server,
      (request, response) =>
        (isMultiDelete(request) || request.method === 'DELETE') && refuse(request, response, 405, 'MethodNotAllowed'),
      ['delete', 's3://src', '--yes'],
    )
    expect(code).not.toBe(0)
    expect([warnings(stderr), (await contentOf(server, 'src')).size]).toEqual([[], 2])
  })
})

test('a store that refuses ETags in DeleteObjects is sent none after the first, and still deletes many at once', async () => {
  const server = await filled(['a', 'b', 'c', 'd'])
  let refused = 0
  let granted = 0
  const { code, stderr } = await through(
    server,
    (request, response, body) => {
      if (!isMultiDelete(request)) return false
      if (!body.includes('<ETag>')) {
        granted++
        return false
      }
      refused++
      return refuse(request, response, 400, 'MalformedXML')
    },
    ['move', '--yes', 's3://src', 's3://dst', '--threads', '1'],
  )
  expect([code, (await contentOf(server, 'src')).size, (await contentOf(server, 'dst')).size]).toEqual([0, 0, 4])
  expect([refused, granted > 0]).toEqual([1, true])
  expect(warnings(stderr)).toEqual([expect.stringContaining('<ETag> in DeleteObjects (400 MalformedXML)')])
})

describe('a store that does not know conditions on writes', () => {
  const dialect = 'no-put-conditions'

  test('has headers set', async () => {
    const server = await filled(['a', 'b'], dialect)
    const args = ['set-headers', 's3://src', '--cache-control', 'no-store', '--reset-acl']
    const { code, stderr } = await directly(server, args)
    expect([code, warnings(stderr)]).toEqual([0, [expect.stringContaining('If-Match with CopyObject (501')]])
    const answer = await fetch(`${server.url}/src/a`, { method: 'HEAD' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test('is copied into with --no-clobber, and what is there stays', async () => {
    const server = await filled(['a', 'b', 'c'], dialect)
    await server.s3.send(new PutObjectCommand({ Bucket: 'dst', Key: 'b', Body: 'other content' }))
    const { code, stderr } = await directly(server, ['copy', 's3://src', 's3://dst', '--no-clobber'])
    expect([code, warnings(stderr)]).toEqual([0, [expect.stringContaining('If-None-Match with CopyObject (501')]])
    const there = await contentOf(server, 'dst')
    expect([[...there.keys()], there.get('b')?.size]).toEqual([['a', 'b', 'c'], 13])
  })

  test('is moved into under new names', async () => {
    const server = await filled(['a', 'b'], dialect)
    const { code } = await directly(server, ['move', '--yes', 's3://src', 's3://dst', '--map', 's/^/n-/'])
    expect([code, [...(await contentOf(server, 'dst')).keys()], (await contentOf(server, 'src')).size]).toEqual([
      ...[0, ['n-a', 'n-b']],
      0,
    ])
  })
})

describe('a request that is refused with something that can be left out', () => {
  test('is sent without it, which is told by name once for both sides and all threads', async () => {
    const server = await filled(['a', 'b', 'c'])
    let asked = 0
    const { code, stderr } = await through(
      server,
      (request, response) => {
        if (request.headers['x-amz-checksum-mode'] === undefined) return false
        asked++
        return refuse(request, response, 400, 'InvalidArgument', "Unsupported header 'x-amz-checksum-mode'")
      },
      ['set-headers', 's3://src', '--cache-control', 'no-store', '--reset-acl', '--threads', '2'],
    )
    expect([code, warnings(stderr)]).toEqual([
      0,
      [expect.stringContaining('does not support x-amz-checksum-mode (400')],
    ])
    // Those that were under way at once, each once.
    expect(asked).toBeLessThanOrEqual(6)
  })

  test('is left as it is when it is refused without it too', async () => {
    const server = await filled(['a', 'b'])
    const { code, stderr } = await through(
      server,
      (request, response) =>
        request.method === 'HEAD' &&
        request.url?.includes('/src/b') === true &&
        refuse(request, response, 400, 'InvalidArgument'),
      ['set-headers', 's3://src', '--cache-control', 'no-store', '--reset-acl'],
    )
    expect([code, warnings(stderr)]).toEqual([3, []])
    const answer = await fetch(`${server.url}/src/a`, { method: 'HEAD' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test('is not blamed on it when the store was only busy', async () => {
    const server = await filled(['a'])
    let first = true
    const { code, stderr } = await through(
      server,
      (request, response) => {
        if (request.method !== 'HEAD' || request.url?.includes('/src/a') !== true) return false
        const before = first
        if (request.headers['x-amz-checksum-mode'] === undefined) first = false
        if (!before) return false
        return request.headers['x-amz-checksum-mode'] === undefined
          ? refuse(request, response, 503, 'SlowDown')
          : refuse(request, response, 400, 'InvalidArgument')
      },
      ['set-headers', 's3://src', '--cache-control', 'no-store', '--reset-acl'],
    )
    expect([code, warnings(stderr)]).toEqual([0, []])
  })
})

describe('a store that writes ETags in capitals', () => {
  test('has the same objects as one that does not, and gets its conditions as it writes them', async () => {
    const cwd = await workFolder()
    const [source, destination] = [await filled([], 'etag-capitals'), await filled([])]
    for (const key of ['a', 'b', 'c']) await put(source, 'src', key, { Body: `content of ${key}` })
    const ends = ['s3://src', 's3://dst', '--source-endpoint-url', source.url]
    const args = [...ends, '--destination-endpoint-url', destination.url, '--retry-for', '2s']
    expect((await run(['copy', ...args], { cwd })).code).toBe(0)
    const verified = await run(['verify', ...args], { cwd })
    expect([verified.code, verified.stdout + verified.stderr]).toEqual([0, expect.stringMatching(/same +3 objects/)])
    const synced = await run(['sync', ...args], { cwd })
    expect([synced.code, synced.stderr]).toEqual([0, expect.stringContaining('3 unchanged') as string])
  })

  test('has headers set inside it', async () => {
    const server = await filled([], 'etag-capitals')
    await put(server, 'src', 'a', { Body: 'content of a' })
    const args = ['set-headers', 's3://src', '--cache-control', 'no-store', '--reset-acl']
    const { code } = await directly(server, args)
    const answer = await fetch(`${server.url}/src/a`, { method: 'HEAD' })
    expect([code, answer.headers.get('cache-control')]).toEqual([0, 'no-store'])
  })
})

describe('a store that refuses the right ETag of an object of parts as a condition on a copy', () => {
  const isOfParts = ({ headers }: IncomingMessage): boolean =>
    /-\d+"$/.test(String(headers['x-amz-copy-source-if-match']))
  const source = async (): Promise<TestSandbox> => {
    const server = await filled(['whole'])
    await putInParts(server, 'src', 'parts', 'content of parts')
    return server
  }
  const before: Required<Hooks>['before'] = (request, response) =>
    isOfParts(request) && refuse(request, response, 412, 'PreconditionFailed')

  test('has headers set, and copies with other headers', async () => {
    const server = await source()
    for (const args of [
      ['copy', 's3://src', 's3://dst', '--cache-control', 'no-store'],
      ['set-headers', 's3://src', '--cache-control', 'no-store', '--reset-acl'],
    ]) {
      const { code, stderr } = await through(server, before, args)
      expect([code, warnings(stderr)]).toEqual([
        0,
        [expect.stringContaining('with the ETag of an object of parts (412 PreconditionFailed)')],
      ])
    }
    for (const path of ['src/parts', 'dst/parts', 'src/whole', 'dst/whole']) {
      const answer = await fetch(`${server.url}/${path}`)
      expect([path, answer.headers.get('cache-control')]).toEqual([path, 'no-store'])
      expect(await answer.text()).toBe(path.endsWith('parts') ? 'content of parts' : '')
    }
  })

  test('is believed when the object was written to meanwhile', async () => {
    const server = await source()
    let written = 0
    const { code } = await through(
      server,
      (request, response) => {
        if (!isOfParts(request)) return false
        if (written++ > 0) return refuse(request, response, 412, 'PreconditionFailed')
        void put(server, 'src', 'parts', { Body: 'newer' }).then(() =>
          refuse(request, response, 412, 'PreconditionFailed'),
        )
        return true
      },
      ['copy', 's3://src', 's3://dst', '--cache-control', 'no-store'],
    )
    const answer = await fetch(`${server.url}/dst/parts`)
    expect([code, written, await answer.text(), answer.headers.get('cache-control')]).toEqual([
      0,
      1,
      'newer',
      'no-store',
    ])
  })

  test('is looked at after the copy too, which is made anew when the object was written to in between', async () => {
    const server = await source()
    let copies = 0
    const rewritten = async ({ url, headers }: IncomingMessage, response: ServerResponse): Promise<void> => {
      await put(server, 'src', 'parts', { Body: 'newer', Metadata: { version: '2' } })
      const sent = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-') || name === 'cache-control')
      const answer = await fetch(`${server.url}${url ?? ''}`, { method: 'PUT', headers: sent as [string, string][] })
      response.writeHead(answer.status, { 'content-type': 'application/xml' })
      response.end(await answer.text())
    }
    const { code } = await through(
      server,
      (request, response) => {
        if (isOfParts(request)) return refuse(request, response, 412, 'PreconditionFailed')
        if (request.method !== 'PUT' || request.url?.endsWith('/dst/parts') !== true || copies++ > 0) return false
        void rewritten(request, response)
        return true
      },
      ['copy', 's3://src', 's3://dst', '--cache-control', 'no-store'],
    )
    const answer = await fetch(`${server.url}/dst/parts`)
    expect([code, copies, await answer.text(), answer.headers.get('x-amz-meta-version')]).toEqual([0, 2, 'newer', '2'])
  })
})

describe('a store that lists the MD5 of an object of parts, and tells its ETag of parts otherwise', () => {
  // As Swift does of copies.
  const store = async (meanwhile?: () => Promise<void> | undefined): Promise<[TestSandbox, string]> => {
    const server = await filled(['whole'])
    const listedAs = new Map<string, string>()
    for (const [bucket, key] of [
      ['src', 'parts'],
      ['src', 'ü/ parts+'],
      ['dst', 'extra in parts'],
    ] as const) {
      await putInParts(server, bucket, key, `content of ${key}`)
      const etag = (await contentOf(server, bucket)).get(key)!.etag
      listedAs.set(etag.replaceAll('"', ''), createHash('md5').update(`content of ${key}`).digest('hex'))
    }
    const url = await front(server.url, {
      before(request, response, body) {
        if (isMultiDelete(request)) {
          const writing = meanwhile?.()
          if (writing !== undefined) void writing.then(() => refuse(request, response, 503, 'SlowDown'))
          return writing !== undefined || (body.includes('<ETag>') && refuse(request, response, 400, 'MalformedXML'))
        }
        // Compares a copy's condition with what it lists.
        const condition = request.headers['x-amz-copy-source-if-match']
        for (const [parts, md5] of listedAs) {
          if (condition === `"${md5}"`) request.headers['x-amz-copy-source-if-match'] = `"${parts}"`
        }
        return false
      },
      after(request, answered) {
        if (request.method !== 'GET' || request.url?.includes('list-type=2') !== true) return
        let text = answered.body.toString('latin1')
        for (const [parts, md5] of listedAs) text = text.replaceAll(parts, md5)
        answered.body = Buffer.from(text, 'latin1')
        delete answered.headers['content-length']
      },
    })
    return [server, url]
  }
  const ends = (command: string, url: string): string[] => [
    ...[command, 's3://src', 's3://dst', '--endpoint-url', url],
    ...['--checkpoint', 'run', '--yes', ...(command === 'sync' ? ['--delete'] : [])],
  ]

  test.each(['move', 'sync'])('has it deleted by %s', async (command) => {
    const [server, url] = await store()
    const { code, stderr } = await run(ends(command, url), { cwd: await workFolder() })
    expect([code, stderr]).toEqual([0, expect.stringContaining('none failed') as string])
    const [source, destination] = [await contentOf(server, 'src'), await contentOf(server, 'dst')]
    const all = ['parts', 'whole', 'ü/ parts+']
    expect([[...source.keys()], [...destination.keys()]]).toEqual(
      command === 'move' ? [[], ['extra in parts', ...all]] : [all, all],
    )
    expect(await (await fetch(`${server.url}/dst/parts`)).text()).toBe('content of parts')
  })

  test.each([
    ['move', 'src', 'parts', 'SourceChanged'],
    ['sync', 'dst', 'extra in parts', 'DestinationChanged'],
  ] as const)('keeps what was written since %s listed it', async (command, bucket, key, expected) => {
    const cwd = await workFolder()
    let written = false
    const [server, url]: [TestSandbox, string] = await store(() => {
      if (written) return undefined
      written = true
      // Of the same size, and in parts like it.
      return putInParts(server, bucket, key, `CONTENT of ${key}`)
    })
    const { code } = await run(ends(command, url), { cwd })
    const line = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd()
    expect([code, written, JSON.parse(line)]).toEqual([3, true, expect.objectContaining({ key, code: expected })])
    const answer = await fetch(`${server.url}/${bucket}/${encodeURIComponent(key)}`)
    expect(await answer.text()).toBe(`CONTENT of ${key}`)
  })
})

describe('a store that does not have a storage class', () => {
  const lacks =
    (name: string) =>
    (request: IncomingMessage, response: ServerResponse): boolean =>
      request.headers['x-amz-storage-class'] === name && refuse(request, response, 400, 'InvalidStorageClass')

  async function ofClasses(): Promise<TestSandbox> {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (let n = 0; n < 20; n++) await put(server, 'src', `rare/${n}`, { StorageClass: 'ONEZONE_IA' })
    await put(server, 'src', 'large', { StorageClass: 'ONEZONE_IA', Body: Buffer.alloc(11 * 1024 ** 2, 'x') })
    await put(server, 'src', 'kept', { StorageClass: 'STANDARD_IA', Tagging: 'a=b' })
    return server
  }

  const classesOf = async ({ s3 }: TestSandbox, Bucket: string): Promise<Set<string>> => {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }))
    return new Set(Contents.map(({ Key = '', StorageClass }) => `${Key.replace(/\d+$/, '')} ${StorageClass}`))
  }

  test.each([
    ['copies', false],
    ['copies through this machine', true],
  ])('gives %s its own, which is told once, and keeps the others', async (_, streamed) => {
    const server = await ofClasses()
    const args = ['copy', 's3://src', 's3://dst', '--threads', '1', '--part-size', '5M']
    const from = streamed ? ['--source-endpoint-url', server.url] : []
    const { code, stderr } = await through(server, lacks('ONEZONE_IA'), [...args, ...from])
    expect([code, stderr]).toEqual([0, expect.stringContaining('22 objects copied')])
    expect(await classesOf(server, 'dst')).toEqual(new Set(['kept STANDARD_IA', 'large STANDARD', 'rare/ STANDARD']))
    expect(warnings(stderr)).toEqual([
      expect.stringMatching(
        /does not support the storage class ONEZONE_IA \(400 InvalidStorageClass\): requests go without it; copies have the storage class that it gives by itself$/,
      ),
    ])
  })

  test('is known to be AWS, where nothing else that is refused is left out', async () => {
    const server = await ofClasses()
    const before = lacks('ONEZONE_IA')
    const { env, aws } = await asAws({ url: await front(server.url, { before }) })
    const { code, stderr } = await run(['copy', 's3://src/rare/', 's3://dst', ...aws], { cwd: await workFolder(), env })
    expect([code, warnings(stderr)]).toEqual([0, [expect.stringContaining('the storage class ONEZONE_IA')]])
    expect(await classesOf(server, 'dst')).toEqual(new Set([' STANDARD']))
  })

  test('is not given any but the one that was asked for, and leaves what is rewritten in place as it is', async () => {
    const server = await ofClasses()
    const asked = await through(server, lacks('STANDARD_IA'), [
      ...['copy', 's3://src', 's3://dst', '--storage-class', 'STANDARD_IA'],
    ])
    expect([asked.code, asked.stderr]).toEqual([
      2,
      expect.stringContaining('does not know what --storage-class asks for'),
    ])
    expect((await contentOf(server, 'dst')).size).toBe(0)
    const before = await contentOf(server, 'src')
    const inPlace = await through(server, lacks('ONEZONE_IA'), [
      ...['set-headers', 's3://src/rare/', '--cache-control', 'no-cache'],
    ])
    expect([inPlace.code, warnings(inPlace.stderr)]).toEqual([3, []])
    expect(inPlace.stderr).toContain('20 InvalidStorageClass')
    expectSame(await contentOf(server, 'src'), before)
  })
})
