import { createServer } from 'node:net'
import { readdir } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, expectSame, sandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, refusal, run, workFolder } from '../support/cli-program.js'

describe('s3move, with a command line that cannot be meant', () => {
  const COPY = ['copy', 's3://src', 's3://dst']
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['move'], /move/],
    [['copy'], /source|argument/i],
    [['copy', 's3://src'], /destination|argument/i],
    [['copy', 's3://src', 's3://dst', 's3://more'], /s3:\/\/more/],
    [[...COPY, '--colour'], /colour/],
    [[...COPY, '--concurency', '5'], /concurency/],
    [[...COPY, '--concurrency', '0'], /--concurrency wants a whole number from 1 to 10000, and was given 0/],
    [[...COPY, '--concurrency', '-5'], /--concurrency/],
    [[...COPY, '--concurrency=-5'], /--concurrency wants .* given -5/],
    [[...COPY, '--concurrency', '1.5'], /--concurrency wants .* given 1\.5/],
    [[...COPY, '--concurrency', 'many'], /--concurrency wants .* given many/],
    [[...COPY, '--concurrency', '1e3'], /--concurrency wants .* given 1e3/],
    [[...COPY, '--concurrency'], /concurrency/],
    [[...COPY, '--concurrency', '5', '--concurrency', '6'], /--concurrency was given 2 times/],
    [[...COPY, '--lanes', '0'], /--lanes wants a whole number/],
    [[...COPY, '--lanes', '100000'], /--lanes wants a whole number/],
    [[...COPY, '--max-errors', '-1'], /max-errors/],
    [[...COPY, '--quiet', '-v'], /--quiet and --verbose contradict/],
    [['copy', 'src', 's3://dst'], /the source src is not an S3 URL/],
    [['copy', 's3://src', '/dst'], /the destination \/dst is not an S3 URL/],
    [['copy', 'S3://src', 's3://dst'], /the source S3:\/\/src is not an S3 URL/],
    [['copy', 's3://', 's3://dst'], /the source s3:\/\/ names no bucket/],
    [['copy', 's3:///key', 's3://dst'], /names no bucket/],
    [['copy', 's3://b ad', 's3://dst'], /a bucket that S3 cannot have/],
    [['copy', 's3://src\u001b[31m', 's3://dst'], /\\x1b\[31m/],
    [['copy', 's3://src', 's3://src'], /source and destination are the same/],
    [['copy', 's3://src/a', 's3://src/a'], /source and destination are the same/],
    [['copy', 's3://src', 's3://src/copy/'], /lies inside the source/],
    [['copy', 's3://src/a/', 's3://src/a/b/'], /lies inside the source/],
    [['copy', 's3://src/a', 's3://src/ab'], /lies inside the source/],
    [['copy', 's3://src/a/', 's3://dst/b'], /one prefix ends in \/ and the other does not/],
    [['copy', 's3://src/a', 's3://dst/b/'], /one prefix ends in \/ and the other does not/],
    [['copy', `s3://src/${'k'.repeat(1025)}`, 's3://dst'], /1025 bytes/],
    [['set-tags', 's3://logs--use1-az4--x-s3', '--tag', 'a=b'], /logs--use1-az4--x-s3 is a directory bucket/],
    [['probe', 's3://logs--use1-az4--x-s3'], /logs--use1-az4--x-s3 is a directory bucket/],
    [[...COPY, '--endpoint-url', 'localhost:9000'], /the endpoint localhost:9000 is not an http/],
    [[...COPY, '--endpoint-url', 'http://'], /the endpoint http:\/\/ is not/],
    [[...COPY, '--endpoint-url', 'ftp://host'], /the endpoint ftp:\/\/host is not/],
    [[...COPY, '--endpoint-url', 'http://me:secret@host'], /^(?!.*secret).*holds a user name or password/],
    [[...COPY, '--ca-bundle', 'no-such.pem'], /no-such\.pem cannot be read/],
    [[...COPY, '--profile', 'nobody'], /profile nobody/],
    [['resume', 'a', 'b'], /b/],
    [['status', '--concurrency', '5'], /concurrency/],
    [['sandbox', '--port', '65536'], /--port wants a whole number from 0 to 65535/],
    [['sandbox', 'src:spiral:10'], /spiral/],
    [['sandbox', 'src:seq:many'], /many/],
    [['sandbox', '--fault', 'rain=1%'], /rain/],
    [['sandbox', '--latency', 'copy=fast'], /fast/],
    [['sandbox', '--access-key', 'only'], /--access-key/],
  ]

  test.each(cases)('%j: one clear line and a hint, exit code 2, and no file made', async (args, says) => {
    const cwd = await workFolder()
    const port = args.includes('--endpoint-url') || args[0] !== 'copy' ? [] : ['--endpoint-url', 'http://127.0.0.1:1']
    const profile = args.includes('--profile') ? { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined } : {}
    expect(refusal(await run([...args, ...port], { cwd, env: profile }))).toMatch(says)
    expect(await readdir(cwd)).toEqual([])
  })
})

describe('s3move copy, when the server cannot be used', () => {
  const copyTo = (url: string, from = 'src', to = 'dst') => [
    'copy',
    `s3://${from}`,
    `s3://${to}`,
    '--endpoint-url',
    url,
  ]

  /** Runs a copy that must be refused before anything is written. */
  async function refused(
    args: readonly string[],
    env: Record<string, string | undefined> = {},
    code = 2,
  ): Promise<string> {
    const cwd = await workFolder()
    const line = refusal(await run(args, { cwd, env }), code)
    expect(await readdir(cwd)).toEqual([])
    return line
  }

  test('a bucket that does not exist is named, be it source or destination', async () => {
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    expect(await refused(copyTo(server.url, 'sorce'))).toMatch(
      /s3:\/\/sorce: .*NoSuchBucket.*\n.*check the bucket’s name/,
    )
    expect(await refused(copyTo(server.url, 'src', 'dest'))).toMatch(
      /s3:\/\/dest: .*NoSuchBucket.*\n.*check the bucket/,
    )
    expect(server.stats().copies).toEqual({})
  })

  test('a wrong key, a wrong secret and no credentials at all are told apart', async () => {
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'], ...CREDENTIALS })
    const args = copyTo(server.url)
    expect(await refused(args, { AWS_ACCESS_KEY_ID: 'AKIDOTHER' })).toMatch(/InvalidAccessKeyId.*\n.*AWS_ACCESS_KEY_ID/)
    const wrong = await refused(args, { AWS_SECRET_ACCESS_KEY: 'notTheSecret' })
    expect(wrong).toMatch(/SignatureDoesNotMatch.*\n.*AWS_SECRET_ACCESS_KEY/)
    expect(wrong).not.toContain('notTheSecret')
    const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }
    expect(await refused(args, none)).toMatch(/no AWS credentials.*\n.*AWS_ACCESS_KEY_ID/)
    expect(await refused([...args, '--no-sign-request'])).toMatch(/AccessDenied/)
    expect(server.stats().copies).toEqual({})
  })

  test('an expired token is told with the way to a new one', async () => {
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'], faults: ['expired=1'] })
    expect(await refused(copyTo(server.url), { AWS_SESSION_TOKEN: 'old' })).toMatch(
      /ExpiredToken.*\n.*get new credentials/,
    )
  })

  test('a source or a destination without permission is told before the first copy', async () => {
    const server = await sandbox({
      buckets: ['src:seq:10', 'closed:seq:10', 'dst'],
      faults: ['denied=1@ListObjectsV2'],
    })
    expect(await refused(copyTo(server.url))).toMatch(
      /s3:\/\/src: ListObjectsV2 failed: .*AccessDenied.*\n.*s3move check/,
    )
    await server.fault('denied', '0', 'ListObjectsV2')
    await server.fault('denied', '1', 'CopyObject')
    expect(await refused(copyTo(server.url))).toMatch(/s3:\/\/dst: CopyObject failed: .*AccessDenied.*\n.*s3move check/)
    expect(server.stats().copies).toEqual({})
  })

  test('a bucket in another region is followed there, and told with -v', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:100', 'dst'], region: 'eu-central-1', ...CREDENTIALS })
    const { code, stderr } = await run([...copyTo(server.url), '-v'], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('s3://src is in region eu-central-1, not us-east-1')
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('an endpoint where nobody listens is told', async () => {
    expect(await refused(copyTo('http://127.0.0.1:1'))).toMatch(
      /no answer from 127\.0\.0\.1:1: .*ECONNREFUSED.*\n.*--endpoint-url/,
    )
  })

  test('a host name that does not exist is told', async () => {
    const line = await refused(copyTo('http://s3.does-not-exist.invalid'))
    expect(line).toMatch(/no answer from s3\.does-not-exist\.invalid: .*(ENOTFOUND|EAI_AGAIN)/)
    expect(line).toMatch(/\n.*look up names/)
  })

  test('a server that does not speak HTTP is told', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end('220 mail.example ESMTP\r\n')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    expect(await refused(copyTo(`http://127.0.0.1:${port}`))).toContain(`127.0.0.1:${port}`)
  })

  test('https to a server that speaks http is told', async () => {
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    expect(await refused(copyTo(server.url.replace('http:', 'https:')))).toMatch(/\n.*http:\/\/ or https:\/\//)
  })

  test('with --json a program is told too, by an error on stdout', async () => {
    const server = await sandbox({ buckets: ['src:seq:10'] })
    const { stdout, ...told } = await run([...copyTo(server.url), '--json'], { cwd: await workFolder() })
    expect(refusal({ ...told, stdout: '' })).toContain('s3://dst')
    const [, message, hint] = /^s3move: (.*)\n {8}(.*)\n$/.exec(told.stderr) ?? []
    expect(JSON.parse(stdout)).toMatchObject({ type: 'error', exitCode: 2, message, hint })
  })

  test('a page out of order is refused by a dry run too', async () => {
    const server = await sandbox({ buckets: ['src:seq:3000', 'dst'], faults: ['disorder=1'] })
    expect(await refused([...copyTo(server.url), '--dry-run'], {}, 4)).toContain('not in UTF-8 byte order')
  })
})
