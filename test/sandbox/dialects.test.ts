import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dialects, readDialect, switches } from '../../src/sandbox/wire/dialects.js'
import { startSandbox } from '../../src/sandbox/server.js'
import { put, sandbox } from '../support/cli-buckets.js'

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/sandbox.md', import.meta.url)), 'utf8').replaceAll(
  /\s+/g,
  ' ',
)

/** What a request is answered with. */
async function asked(url: string, method: string, headers: Record<string, string> = {}, body?: string) {
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) })
  const text = await answer.text()
  return { status: answer.status, code: /<Code>(.*?)<\/Code>/.exec(text)?.[1], text, headers: answer.headers }
}

/** A server of that dialect with the object `src/k`, of the content `content`. */
async function playing(dialect: string) {
  const server = await sandbox({ buckets: ['src:acl', 'dst:acl'], dialect })
  await put(server, 'src', 'k', { Body: 'content' })
  return server
}

const MD5 = '9a0364b9e99bb480dd25e1f0284c8555'
const COPY = { 'x-amz-copy-source': '/src/k' }
const WRONG = '"00000000000000000000000000000000"'
const deletion = (etag: string) => `<Delete><Object><Key>k</Key><ETag>${etag}</ETag></Object></Delete>`
const deleting = (body: string) => ({ 'content-md5': hash('md5', body, 'base64') })

describe('a sandbox that plays another store', () => {
  test.each([
    ['no-checksum-mode', 'HEAD', 'src/k', { 'x-amz-checksum-mode': 'ENABLED' }, 400],
    ['no-checksums', 'PUT', 'dst/k', { 'x-amz-checksum-algorithm': 'CRC64NVME', ...COPY }, 501],
    ['no-checksums', 'PUT', 'dst/k', { 'x-amz-sdk-checksum-algorithm': 'CRC32' }, 501],
    ['no-checksums', 'POST', 'dst/k?uploads', { 'x-amz-checksum-algorithm': 'SHA1' }, 501],
    ['no-multi-delete', 'POST', 'src?delete', {}, 501],
    ['multi-delete-405', 'POST', 'src?delete', {}, 405],
    ['no-put-conditions', 'PUT', 'dst/k', { 'if-none-match': '*' }, 501],
    ['no-put-conditions', 'PUT', 'src/k', { 'if-match': `"${MD5}"`, ...COPY }, 501],
    ['no-tagging', 'PUT', 'dst/k', { 'x-amz-tagging': 'a=b' }, 501],
    ['no-tagging', 'PUT', 'src/k?tagging', {}, 501],
    ['no-get-tagging', 'GET', 'src/k?tagging', {}, 501],
    ['no-part-copy', 'PUT', 'dst/k?partNumber=1&uploadId=u', COPY, 501],
    ['most-parts=20', 'PUT', 'dst/k?partNumber=21&uploadId=u', {}, 400],
    ['etag-capitals', 'GET', 'src/k', { 'if-match': `"${MD5}"` }, 412],
    ['copy-if-match', 'PUT', 'dst/k', { 'x-amz-copy-if-match': WRONG, ...COPY }, 412],
    ['bare-if-match', 'PUT', 'src/k', { 'if-match': `"${MD5}"` }, 412],
  ] as const)('with %s refuses %s %s', async (dialect, method, path, headers, status) => {
    const server = await playing(dialect)
    expect((await asked(`${server.url}/${path}`, method, headers)).status).toBe(status)
    // Without the switch it is another answer.
    const usual = await playing('')
    expect((await asked(`${usual.url}/${path}`, method, headers)).status).not.toBe(status)
  })

  test.each([
    ['ignores-put-conditions', 'PUT', 'src/k', { 'if-none-match': '*' }],
    ['ignores-put-conditions', 'PUT', 'src/k', { 'if-match': WRONG, ...COPY, 'x-amz-metadata-directive': 'REPLACE' }],
    ['ignores-delete-conditions', 'DELETE', 'src/k', { 'if-match': WRONG }],
    ['copy-if-match', 'PUT', 'dst/k', { 'x-amz-copy-source-if-match': WRONG, ...COPY }],
    ['ignores-owner', 'HEAD', 'src/k', { 'x-amz-expected-bucket-owner': '210987654321' }],
    ['ignores-acl', 'PUT', 'src/k', { 'x-amz-acl': 'nonsense' }],
  ] as const)('with %s does not mind in %s %s what S3 would refuse', async (dialect, method, path, headers) => {
    const server = await playing(dialect)
    expect((await asked(`${server.url}/${path}`, method, headers)).status).toBeLessThan(300)
    const usual = await playing('')
    expect((await asked(`${usual.url}/${path}`, method, headers)).status).toBeGreaterThanOrEqual(400)
  })

  test('refuses or ignores ETags in DeleteObjects, and bodies of more than 1 MiB', async () => {
    const body = deletion(WRONG)
    const [whole, ignoring] = [await playing('no-etag-in-deletes'), await playing('ignores-delete-conditions')]
    expect(await asked(`${whole.url}/src?delete`, 'POST', deleting(body), body)).toMatchObject({ code: 'MalformedXML' })
    expect((await asked(`${ignoring.url}/src?delete`, 'POST', deleting(body), body)).text).toContain('<Deleted>')
    const large = `<Delete>${'<Object><Key>k</Key></Object>'.repeat(10)}<!--${'x'.repeat(2 ** 20)}--></Delete>`
    const small = await playing('delete-body-1mb')
    expect(await asked(`${small.url}/src?delete`, 'POST', deleting(large), large)).toMatchObject({ status: 416 })
  })

  test('writes ETags in capitals, and takes them so', async () => {
    const { url } = await playing('etag-capitals')
    const big = MD5.toUpperCase()
    expect((await asked(`${url}/src/k`, 'HEAD', { 'if-match': `"${big}"` })).headers.get('etag')).toBe(`"${big}"`)
    expect((await asked(`${url}/src?list-type=2`, 'GET')).text).toContain(`<ETag>&quot;${big}&quot;</ETag>`)
    const copied = await asked(`${url}/dst/k`, 'PUT', { ...COPY, 'x-amz-copy-source-if-match': `"${big}"` })
    expect(copied.text).toContain(`<ETag>&quot;${big}&quot;</ETag>`)
    const body = deletion(`"${big}"`)
    expect((await asked(`${url}/src?delete`, 'POST', deleting(body), body)).text).toContain('<Deleted>')
  })

  test('gives metadata back in its own way', async () => {
    const headers = { 'x-amz-meta-my_key': 'v', 'x-amz-meta-city': 'Zürich 1', 'content-encoding': 'gzip,aws-chunked' }
    const sent = { ...headers, 'x-amz-meta-city': Buffer.from(headers['x-amz-meta-city']).toString('latin1') }
    const { url } = await playing('metadata-dashes,rfc2047,keeps-aws-chunked')
    await asked(`${url}/src/m`, 'PUT', sent)
    const { headers: told } = await asked(`${url}/src/m`, 'HEAD')
    expect([told.get('x-amz-meta-my-key'), told.get('x-amz-meta-my_key')]).toEqual(['v', null])
    expect(told.get('x-amz-meta-city')).toBe('=?utf-8?q?Z=C3=BCrich_1?=')
    expect(told.get('content-encoding')).toBe('gzip,aws-chunked')
  })

  test('loses tags, and the quotes of the ETag of a copy', async () => {
    const server = await playing('drops-tags,unquoted-copy-etag')
    await put(server, 'src', 'k', { Body: 'content', Tagging: 'a=b' })
    expect((await asked(`${server.url}/dst/k`, 'PUT', COPY)).text).toContain(`<ETag>${MD5}</ETag>`)
    const count = async () => (await asked(`${server.url}/dst/k`, 'HEAD')).headers.get('x-amz-tagging-count')
    expect(await count()).toBe('1')
    await asked(`${server.url}/dst/k`, 'PUT', { ...COPY, 'x-amz-metadata-directive': 'REPLACE' })
    expect(await count()).toBeNull()
  })

  test('tells how many parts there may be as Swift does, to whoever does not sign', async () => {
    const { url } = await playing('swift')
    expect(await (await fetch(`${url}/info`)).json()).toEqual({ s3api: { max_upload_part_num: 1000 } })
    const authorization = 'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host'
    expect((await asked(`${url}/info`, 'GET', { authorization })).code).toBe('NoSuchBucket')
    const other = await playing('ceph')
    expect((await asked(`${other.url}/info`, 'GET')).code).toBe('NoSuchBucket')
  })

  test('belongs to one account', async () => {
    const { url } = await playing('')
    const owner = (account: string) => ({ 'x-amz-expected-bucket-owner': account })
    expect((await asked(`${url}/src/k`, 'GET', owner('123456789012'))).status).toBe(200)
    expect(await asked(`${url}/src/k`, 'GET', owner('000000000000'))).toMatchObject({
      status: 403,
      code: 'AccessDenied',
    })
    const source = { ...COPY, 'x-amz-source-expected-bucket-owner': '000000000000' }
    expect(await asked(`${url}/dst/k`, 'PUT', source)).toMatchObject({ status: 403, code: 'AccessDenied' })
  })
})

describe('dialects', () => {
  test('are read from names of stores and switches, and nothing else is taken', async () => {
    const { has, mostParts } = readDialect('swift,no-part-copy,most-parts=7')
    expect([has.has('no-part-copy'), has.has('no-tagging'), mostParts]).toEqual([true, true, 7])
    expect([...readDialect().has, ...readDialect('aws').has]).toEqual([])
    for (const text of ['nobody', 'most-parts', 'most-parts=0', 'most-parts=N', 'SWIFT', 'toString']) {
      expect(() => readDialect(text)).toThrow('no dialect')
      await expect(startSandbox({ dialect: text })).rejects.toThrow('no dialect')
    }
  })

  test('and switches are all in docs/sandbox.md', () => {
    const rows = [
      ...Object.entries(switches).map(([name, what]) => `| \`${name}\` | ${what} |`),
      ...Object.entries(dialects).flatMap(([name, all]) =>
        all.length > 0 ? [`- \`${name}\`: ${all.map((one) => `\`${one}\``).join(', ')} `] : [],
      ),
    ]
    expect(rows.filter((row) => !PAGE.includes(row))).toEqual([])
  })
})

describe('the first version of ListObjects', () => {
  const tags = (text: string, name: string) =>
    [...text.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'g'))].map(([, value]) => value!)
  const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))

  /** All keys and common prefixes, page by page, as a client of that version goes on. */
  async function all(url: string, query: string): Promise<{ keys: string[]; prefixes: string[]; pages: number }> {
    const [keys, prefixes]: [string[], string[]] = [[], []]
    let marker = ''
    for (let pages = 1; ; pages++) {
      const { text } = await asked(`${url}?encoding-type=url&marker=${encodeURIComponent(marker)}&${query}`, 'GET')
      const found = tags(text, 'Key').map(decode)
      keys.push(...found)
      prefixes.push(...tags(text.replace(/^.*?(?=<CommonPrefixes>|$)/s, ''), 'Prefix').map(decode))
      if (tags(text, 'IsTruncated')[0] === 'false') return { keys, prefixes, pages }
      const next = tags(text, 'NextMarker')[0]
      expect(next === undefined).toBe(!query.includes('delimiter'))
      marker = next === undefined ? found.at(-1)! : decode(next)
    }
  }

  test('gives every key once, and what stands for others once, whatever the size of its pages', async () => {
    const server = await sandbox({ buckets: ['src:odd:300', 'dst'] })
    const url = `${server.url}/src`
    const expected = await all(url, 'max-keys=1000')
    expect([expected.pages, new Set(expected.keys).size]).toEqual([1, 300])
    const folders = await all(url, 'delimiter=/')
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), async (most) => {
        expect((await all(url, `max-keys=${most}`)).keys).toEqual(expected.keys)
        const { keys, prefixes } = await all(url, `delimiter=/&max-keys=${most}`)
        expect([keys, prefixes]).toEqual([folders.keys, folders.prefixes])
      }),
      { numRuns: 6 },
    )
    for (const key of expected.keys) {
      const cut = key.indexOf('/')
      expect(cut < 0 ? folders.keys : folders.prefixes).toContain(cut < 0 ? key : key.slice(0, cut + 1))
    }
  })

  test('tells its marker, whose the objects are, and nothing of the second version', async () => {
    const { url } = await playing('')
    const { text } = await asked(`${url}/src?marker=a&prefix=k&max-keys=5`, 'GET')
    expect([tags(text, 'Marker'), tags(text, 'MaxKeys'), tags(text, 'Key')]).toEqual([['a'], ['5'], ['k']])
    expect(text).toMatch(/<Owner><ID>[0-9a-f]{64}<\/ID><\/Owner><\/Contents>/)
    expect(text).not.toMatch(/KeyCount|Token|StartAfter|NextMarker/)
    expect((await asked(`${url}/src?list-type=3`, 'GET')).code).toBe('InvalidArgument')
  })
})
