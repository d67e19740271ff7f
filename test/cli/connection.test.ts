import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, expectCopiedOnce, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, refusal, run, workFolder, type Finished } from '../support/cli-program.js'

const OPENSSL = process.env.OPENSSL ?? 'openssl'
const COPY = ['copy', 's3://src', 's3://dst']
const BUCKETS = ['src:seq:40', 'dst']
const NO_KEYS = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_REGION: undefined }
const { accessKeyId, secretAccessKey } = CREDENTIALS

function expectCopied(server: Pick<TestSandbox, 'stats'>, { code, stderr }: Finished): void {
  expect([code, stderr]).toEqual([0, expect.stringContaining('finished: 40 objects copied') as string])
  expectCopiedOnce(server, 'dst', 40)
}

describe('AWS environment variables and config files', () => {
  test('AWS_ENDPOINT_URL_S3 names the endpoint, and resume remembers it', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS, ...CREDENTIALS })
    expectCopied(server, await run(COPY, { cwd, env: { AWS_ENDPOINT_URL_S3: server.url } }))
    expect((await run(['resume', '--only-failed'], { cwd })).code).toBe(2)
    expect((await contentOf(server, 'dst')).size).toBe(40)
  })

  test('AWS_PROFILE with endpoint_url, region and keys in the two files is enough', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS, region: 'eu-west-3', ...CREDENTIALS })
    await writeFile(join(cwd, 'config'), `[profile home]\nregion = eu-west-3\nendpoint_url = ${server.url}\n`)
    const keys = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`
    await writeFile(join(cwd, 'credentials'), `[home]\n${keys}`)
    const files = { AWS_CONFIG_FILE: join(cwd, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(cwd, 'credentials') }
    expectCopied(server, await run(COPY, { cwd, env: { ...NO_KEYS, ...files, AWS_PROFILE: 'home' } }))
  })

  test('--profile with a services section and a credential_process works the same', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS, ...CREDENTIALS })
    const answer = { Version: 1, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey }
    await writeFile(join(cwd, 'keys.mjs'), `process.stdout.write(${JSON.stringify(JSON.stringify(answer))})`)
    await writeFile(
      join(cwd, 'config'),
      `[profile made]\nregion = us-east-1\nservices = local\ncredential_process = ${process.execPath} ${join(cwd, 'keys.mjs')}\n` +
        `[services local]\ns3 =\n  endpoint_url = ${server.url}\n`,
    )
    const files = { AWS_CONFIG_FILE: join(cwd, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(cwd, 'none') }
    expectCopied(server, await run([...COPY, '--profile', 'made'], { cwd, env: { ...NO_KEYS, ...files } }))
  })

  test('keys in the environment besides a profile make no dependency complain on stderr', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS })
    const keys = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`
    await writeFile(join(cwd, 'credentials'), `[home]\n${keys}`)
    const env = { AWS_SHARED_CREDENTIALS_FILE: join(cwd, 'credentials'), AWS_PROFILE: 'home' }
    const args = [...COPY, '--quiet', '--endpoint-url', server.url]
    expect(await run(args, { cwd, env })).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  test('a session token is sent and signed with every request', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS, ...CREDENTIALS })
    const seen: IncomingMessage['headers'][] = []
    const front = createServer((incoming, outgoing) => {
      seen.push(incoming.headers)
      const { method, url, headers } = incoming
      const onward = request({ host: '127.0.0.1', port: server.port, method, path: url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    })
    const url = await listening(front)
    expectCopied(
      server,
      await run([...COPY, '--endpoint-url', url], { cwd, env: { AWS_SESSION_TOKEN: 'the+token/==' } }),
    )
    expect(seen.length).toBeGreaterThan(40)
    for (const headers of seen) {
      expect(headers['x-amz-security-token']).toBe('the+token/==')
      expect(headers.authorization).toMatch(/SignedHeaders=[^,]*x-amz-security-token/)
    }
  })

  test('--no-sign-request sends no signature', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS })
    const args = [...COPY, '--no-sign-request', '--endpoint-url', server.url]
    expectCopied(server, await run(args, { cwd, env: NO_KEYS }))
  })

  test('--no-path-style names the bucket in the host', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS, ...CREDENTIALS })
    const args = [...COPY, '--no-path-style', '--endpoint-url', `http://localhost:${server.port}`]
    const finished = await run(args, { cwd })
    // Whether src.localhost can be looked up is the machine's affair.
    if (/ENOTFOUND|EAI_AGAIN/.test(finished.stderr)) expect(finished.stderr).toContain('src.localhost')
    else expectCopied(server, finished)
  })
})

describe('TLS', () => {
  test('AWS_CA_BUNDLE and --ca-bundle make a private certificate trusted, --no-verify-ssl any', async () => {
    for (const way of ['AWS_CA_BUNDLE', '--ca-bundle', '--no-verify-ssl']) {
      const cwd = await workFolder()
      const tls = certificate(cwd)
      const server = await sandbox({ buckets: BUCKETS, ...CREDENTIALS, tls })
      const flags = way === '--ca-bundle' ? [way, tls.file] : way === '--no-verify-ssl' ? [way] : []
      const env = way === 'AWS_CA_BUNDLE' ? { AWS_CA_BUNDLE: tls.file } : {}
      expectCopied(server, await run([...COPY, '--endpoint-url', server.url, ...flags], { cwd, env }))
    }
  })

  test('without them the certificate is refused, with the flag that would trust it', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS, tls: certificate(cwd) })
    const line = refusal(await run([...COPY, '--endpoint-url', server.url], { cwd }))
    expect(line).toMatch(/the TLS certificate of 127\.0\.0\.1:\d+: .*\n.*--ca-bundle FILE/)
    expect(server.stats().requests).toBe(0)
  })
})

describe('HTTPS_PROXY, HTTP_PROXY and NO_PROXY', () => {
  /** A proxy that connects wherever it is asked to, passes on whole URLs, and remembers what it was asked. */
  async function proxy(refuse?: 403 | 407): Promise<{ url: string; asked: string[]; authorization: Set<string> }> {
    const asked: string[] = []
    const authorization = new Set<string>()
    const server = createServer((incoming, answer) => {
      const { method, url: target = '', headers } = incoming
      asked.push(`${method!} ${target}`)
      authorization.add(String(headers['proxy-authorization']))
      if (refuse !== undefined) {
        const squid = refuse === 403 ? { 'x-squid-error': 'ERR_ACCESS_DENIED 0' } : {}
        answer.writeHead(refuse, squid).end(method === 'HEAD' ? undefined : '<html>Access denied: me:p@ss</html>')
        return
      }
      // Any name leads to this machine: the proxy looks names up, not the client.
      const { port, pathname, search } = new URL(target)
      const onward = request({ host: '127.0.0.1', port, method, path: pathname + search, headers }, (back) => {
        answer.writeHead(back.statusCode!, back.headers)
        back.pipe(answer)
      })
      onward.on('error', () => answer.destroy())
      incoming.pipe(onward)
    })
    server.on('connect', (incoming: IncomingMessage, socket, head: Buffer) => {
      asked.push(incoming.url!)
      authorization.add(String(incoming.headers['proxy-authorization']))
      socket.on('error', () => undefined)
      if (refuse !== undefined) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
        return
      }
      const onward = connect(Number(incoming.url!.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        onward.write(head)
        onward.pipe(socket).pipe(onward)
      })
      onward.on('error', () => socket.destroy())
      socket.on('close', () => onward.destroy())
    })
    return { url: await listening(server), asked, authorization }
  }

  test('an https endpoint is reached through the proxy, with its user name', async () => {
    const cwd = await workFolder()
    const tls = certificate(cwd)
    const server = await sandbox({ buckets: BUCKETS, ...CREDENTIALS, tls })
    const { url, asked, authorization } = await proxy()
    const env = { HTTPS_PROXY: url.replace('//', '//me:p%40ss@'), AWS_CA_BUNDLE: tls.file }
    expectCopied(server, await run([...COPY, '--endpoint-url', server.url], { cwd, env }))
    expect(new Set(asked)).toEqual(new Set([`127.0.0.1:${server.port}`]))
    expect(authorization).toEqual(new Set([`Basic ${Buffer.from('me:p@ss').toString('base64')}`]))
    expect(server.stats().connections.peak).toBeLessThanOrEqual(asked.length)
  })

  test.each([1, 3])('an http endpoint is asked of the proxy itself, by %i threads', async (threads) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: BUCKETS, ...CREDENTIALS })
    const { url, asked, authorization } = await proxy()
    const env = { HTTP_PROXY: url.replace('http://', 'me:p%40ss@'), NO_PROXY: '127.0.0.1' }
    const endpoint = `http://s3.corp.invalid:${server.port}`
    const finished = await run([...COPY, '-v', '--threads', String(threads), '--endpoint-url', endpoint], { cwd, env })
    expectCopied(server, finished)
    expect(asked.filter((one) => !/^(?:GET|HEAD|PUT) http:\/\/s3\.corp\.invalid:\d+\/(?:src|dst)/.test(one))).toEqual(
      [],
    )
    expect(asked.filter((one) => one.startsWith('PUT ')).length).toBeGreaterThanOrEqual(40)
    expect(authorization).toEqual(new Set([`Basic ${Buffer.from('me:p@ss').toString('base64')}`]))
    // Nothing went past the proxy.
    expect(server.stats().requests).toBe(asked.length)
    const [folder = ''] = await readdir(join(cwd, '.s3move'))
    const kept = await readFile(join(cwd, '.s3move', folder, 'checkpoint.json'), 'utf8')
    expect(kept + finished.stderr + finished.stdout).not.toMatch(/p%40ss|p@ss/)
  })

  test('NO_PROXY exempts what is below the domain that it names', async () => {
    const cwd = await workFolder()
    const { url, asked } = await proxy()
    const env = { HTTP_PROXY: url, no_proxy: 'example.org,corp.invalid' }
    const finished = await run(['ls', 's3://src', '--endpoint-url', 'http://s3.corp.invalid:9000'], { cwd, env })
    expect(refusal(finished)).toContain('s3.corp.invalid')
    expect(asked).toEqual([])
  })

  test.each([403, 407] as const)(
    'a proxy that refuses (%i) what it is asked itself is told in one line',
    async (status) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: BUCKETS })
      const { url } = await proxy(status)
      const finished = await run([...COPY, '--endpoint-url', server.url], { cwd, env: { HTTP_PROXY: url } })
      expect(refusal(finished)).toMatch(
        new RegExp(`the proxy refused the request with status ${status}[^\\n]*\\n.*HTTP_PROXY`),
      )
      expect(server.stats().requests).toBe(0)
    },
  )

  test('NO_PROXY exempts the endpoint', async () => {
    const cwd = await workFolder()
    const tls = certificate(cwd)
    const server = await sandbox({ buckets: BUCKETS, tls })
    const { url, asked } = await proxy()
    const env = { HTTPS_PROXY: url, NO_PROXY: 'example.com,127.0.0.1', AWS_CA_BUNDLE: tls.file }
    expectCopied(server, await run([...COPY, '--endpoint-url', server.url], { cwd, env }))
    expect(asked).toEqual([])
  })

  test('a proxy that refuses is told in one line', async () => {
    const cwd = await workFolder()
    const tls = certificate(cwd)
    const server = await sandbox({ buckets: BUCKETS, tls })
    const { url } = await proxy(407)
    const env = { HTTPS_PROXY: url, AWS_CA_BUNDLE: tls.file }
    expect(refusal(await run([...COPY, '--endpoint-url', server.url], { cwd, env }))).toMatch(/proxy .*407/)
    expect(server.stats().requests).toBe(0)
  })
})

async function listening(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** A certificate for 127.0.0.1 that nobody trusts, made anew so that no private key lies in the repository. */
function certificate(folder: string): { key: string; cert: string; file: string } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const names = ['-subj', '/CN=sandbox', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = spawnSync(OPENSSL, ['req', ...options, ...names, '-keyout', key, '-out', cert])
  if (made.status !== 0)
    throw new Error(`openssl is needed to make a certificate: ${String(made.error ?? made.stderr)}`)
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8'), file: cert }
}
