import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { contentOf, expectCopiedOnce, sandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, refusal, run, workFolder } from '../support/cli-program.js'
import { front, type FrontRequest } from '../support/front.js'

const { accessKeyId, secretAccessKey } = CREDENTIALS
const NO_KEYS = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_REGION: undefined }
const KEYS = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`
const COPY = ['copy', 's3://src', 's3://dst']

/** A work folder with an AWS config file of these lines. */
async function configured(...lines: readonly string[]): Promise<{ cwd: string; env: Record<string, string> }> {
  const cwd = await workFolder()
  await writeFile(join(cwd, 'config'), lines.join('\n'))
  const none = join(cwd, 'none')
  return { cwd, env: { AWS_CONFIG_FILE: join(cwd, 'config'), AWS_SHARED_CREDENTIALS_FILE: none } }
}

/** A proxy that lets nothing through; `asked` is where it was asked to go. */
async function refusingProxy(): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((incoming, answer) => {
    asked.push(incoming.url ?? '')
    answer.writeHead(403).end()
  })
  server.on('connect', (incoming, socket) => {
    // Whoever is refused may end with another request under way.
    socket.on('error', () => undefined)
    asked.push(incoming.url ?? '')
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

describe('the AWS config file', () => {
  test.each([
    [
      'AWS_DEFAULT_REGION',
      'region = eu-north-1',
      { AWS_DEFAULT_REGION: 'ap-south-1' },
      'bkt.s3.ap-south-1.amazonaws.com',
    ],
    ['AWS_REGION', '', { AWS_DEFAULT_REGION: 'ap-south-1', AWS_REGION: 'eu-west-3' }, 'bkt.s3.eu-west-3.amazonaws.com'],
    ['addressing_style', 's3 =\n  addressing_style = path', { AWS_REGION: 'eu-west-3' }, 's3.eu-west-3.amazonaws.com'],
    ['use_dualstack_endpoint', 's3 =\n  use_dualstack_endpoint = true', {}, 'bkt.s3.dualstack.us-east-1.amazonaws.com'],
    ['use_accelerate_endpoint', 's3 =\n  use_accelerate_endpoint = true', {}, 'bkt.s3-accelerate.amazonaws.com'],
  ])('and %s say where a listing goes', async (_what, lines, more, host) => {
    const { cwd, env } = await configured('[default]', lines)
    const { url, asked } = await refusingProxy()
    const finished = await run(['ls', 's3://bkt'], {
      cwd,
      env: { AWS_REGION: undefined, ...env, HTTPS_PROXY: url, ...more },
    })
    expect(finished.code).toBe(2)
    expect(new Set(asked)).toEqual(new Set([`${host}:443`]))
  })

  test('with ca_bundle makes a private certificate trusted, by every thread', async () => {
    const tls = selfSigned()
    const server = await sandbox({ buckets: ['src:seq:300', 'dst'], ...CREDENTIALS, tls })
    const { cwd, env } = await configured()
    await writeFile(join(cwd, 'ca.pem'), tls.cert)
    await writeFile(join(cwd, 'config'), `[profile own]\nendpoint_url = ${server.url}\nca_bundle = ca.pem\n${KEYS}`)
    const options = { cwd, env: { ...NO_KEYS, ...env, AWS_DEFAULT_PROFILE: 'own' } }
    expect(await run([...COPY, '--threads', '2'], options)).toMatchObject({ code: 0 })
    expectCopiedOnce(server, 'dst', 300)
    // The run knows its profile by itself.
    const [folder = ''] = await readdir(join(cwd, '.s3move'))
    const kept = await readFile(join(cwd, '.s3move', folder, 'checkpoint.json'), 'utf8')
    expect(kept).toContain('"profile": "own"')
    expect(kept).not.toContain(secretAccessKey)
  })

  test('may have another ca_bundle for each side', async () => {
    const [one, other] = [selfSigned(), selfSigned()]
    const source = await sandbox({ buckets: ['src:seq:20'], ...CREDENTIALS, tls: one })
    const destination = await sandbox({ buckets: ['dst'], ...CREDENTIALS, tls: other })
    const { cwd, env } = await configured(
      `[profile a]\nendpoint_url = ${source.url}\nca_bundle = a.pem\n${KEYS}`,
      `[profile b]\nendpoint_url = ${destination.url}\nca_bundle = b.pem\n${KEYS}`,
    )
    await writeFile(join(cwd, 'a.pem'), one.cert)
    await writeFile(join(cwd, 'b.pem'), other.cert)
    const args = [...COPY, '--source-profile', 'a', '--destination-profile', 'b']
    const { code, stderr } = await run(args, { cwd, env: { ...NO_KEYS, ...env } })
    expect([code, stderr]).toEqual([0, expect.stringContaining('20 objects copied')])
  })
})

describe('payload_signing_enabled', () => {
  /** What `copy` of a folder sends to a bucket. */
  async function uploaded(lines: string): Promise<FrontRequest[]> {
    const server = await sandbox({ buckets: ['dst'], ...CREDENTIALS })
    const puts: FrontRequest[] = []
    const { url } = await front(server.port, (asked) => {
      if (asked.method === 'PUT') puts.push(asked)
      return undefined
    })
    const { cwd, env } = await configured('[default]', lines)
    await mkdir(join(cwd, 'files'))
    for (const name of ['one', 'two']) await writeFile(join(cwd, 'files', name), name)
    await writeFile(join(cwd, 'files', 'large'), Buffer.alloc(9 * 1024 ** 2, 'x'))
    const finished = await run(['copy', `file://${cwd}/files`, 's3://dst', '--endpoint-url', url], { cwd, env })
    expect([finished.code, finished.stderr]).toEqual([0, expect.stringContaining('3 objects copied')])
    expect([...(await contentOf(server, 'dst')).values()].map(({ size }) => size)).toEqual([9 * 1024 ** 2, 3, 3])
    return puts
  }

  test('signs the hash of every body, as the store can check', async () => {
    const puts = await uploaded('s3 =\n  payload_signing_enabled = true')
    expect(puts.length).toBeGreaterThanOrEqual(3)
    for (const { headers, body } of puts) {
      expect(headers['x-amz-content-sha256']).toBe(createHash('sha256').update(body).digest('hex'))
    }
  })

  test('is not there by itself: the MD5 that is sent says the same', async () => {
    const puts = await uploaded('')
    for (const { headers } of puts) {
      expect([headers['x-amz-content-sha256'], headers['content-md5'] !== undefined]).toEqual([
        'UNSIGNED-PAYLOAD',
        true,
      ])
    }
  })
})

describe('use_accelerate_endpoint', () => {
  test('is refused for copies between buckets, before anything is asked', async () => {
    const { cwd, env } = await configured('[default]', 's3 =', '  use_accelerate_endpoint = true')
    const { url, asked } = await refusingProxy()
    const line = refusal(await run(COPY, { cwd, env: { ...env, HTTPS_PROXY: url } }))
    expect(line).toMatch(/use_accelerate_endpoint = true, and copies between buckets .*\n.*--profile/)
    expect(asked).toEqual([])
  })

  test('is refused with an endpoint of one’s own', async () => {
    const server = await sandbox({ buckets: ['src:seq:3'] })
    const { cwd, env } = await configured('[default]', 's3 =', '  use_accelerate_endpoint = true')
    const line = refusal(await run(['ls', 's3://src', '--endpoint-url', server.url], { cwd, env }))
    expect(line).toContain('use_accelerate_endpoint')
    expect(server.stats().requests).toBe(0)
  })
})
