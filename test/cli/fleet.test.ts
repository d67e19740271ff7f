import { readFile, writeFile } from 'node:fs/promises'
import { createServer, request as forward } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { selfSigned } from '../support/certificate.js'
import { front } from '../support/cli-front.js'
import { CREDENTIALS, refusal, run, start, until, workFolder, type Running } from '../support/cli-program.js'
import { randomOf } from '../support/kills.js'
import { freePort } from '../support/free-port.js'
import { HAS_REDIS, PASSWORD, startRedis, type TestRedis } from '../support/redis.js'

interface Fleet {
  readonly cwd: string
  readonly server: TestSandbox
  readonly redis: TestRedis
  /** Starts a host. */
  readonly worker: (...more: readonly string[]) => Running
  /** The flags of a run that only hosts work on. */
  readonly lent: readonly string[]
}

interface Announced {
  readonly name: string
  readonly status: { readonly hosts: readonly { readonly objectsPerSecond: number }[] } | null
}

async function fleet(buckets: readonly string[], latency?: string): Promise<Fleet> {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: [...buckets], ...(latency === undefined ? {} : { latency }) })
  const redis = await startRedis()
  const env = { S3MOVE_FLEET: redis.url }
  const places = ['--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', server.url]
  return {
    ...{ cwd, server, redis },
    worker: (...more) => start(['worker', ...places, '--threads', '1', ...more], { cwd, env }),
    lent: ['--endpoint-url', server.url, '--fleet', redis.url, '--threads', '0'],
  }
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe.skipIf(!HAS_REDIS)('a run on several hosts', () => {
  test('copies every object once, by an ACL that allows no more than it needs, and no secret is in Redis', async () => {
    const { cwd, server, redis, worker, lent } = await fleet(['src:odd:3000', 'dst'], 'copy=1-4')
    const said = await redis.monitor()
    const workers = [worker('--once'), worker('--once')]
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', ...lent, '--checkpoint', 'archive'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('finished: 3,000 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    for (const one of workers) {
      const ended = await one.finished
      expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining('archive is over') as string])
    }
    const all = said()
    expect(all).toContain('"xadd"')
    for (const secret of [CREDENTIALS.secretAccessKey, CREDENTIALS.accessKeyId, PASSWORD])
      expect(all).not.toContain(secret)
    expect(await readFile(join(cwd, 'archive/checkpoint.json'), 'utf8')).not.toContain(PASSWORD)
  })

  test('set-headers, sync, verify, move and delete are lent, each with its result', async () => {
    const { cwd, server, worker, lent } = await fleet(['src', 'dst'])
    for (let i = 0; i < 40; i++) await put(server, 'src', `k${i}`, { Body: 'x' })
    await put(server, 'dst', 'extra', {})
    worker('--allow-delete')
    const lines = async (...args: readonly string[]) => {
      const { code, stderr } = await run([...args, ...lent], { cwd })
      return `${String(code)} ${/finished: .*/.exec(stderr)?.[0] ?? stderr}`
    }
    expect(await lines('set-headers', 's3://src', '--cache-control', 'no-cache')).toMatch(/^0 finished: 40 objects/)
    expect(await lines('sync', 's3://src', 's3://dst', '--delete', '--yes')).toMatch(
      /^0 finished: 40 objects copied, 1 deleted/,
    )
    expect([...(await contentOf(server, 'dst')).keys()]).toHaveLength(40)
    expect(await lines('verify', 's3://src', 's3://dst', '--deep')).toBe('0 finished: no object differs')
    expect(await lines('move', 's3://src', 's3://dst', '--yes')).toMatch(/^0 finished: 40 objects moved/)
    expect(await lines('delete', 's3://dst', '--yes')).toMatch(/^0 finished: 40 objects deleted/)
    expect([(await contentOf(server, 'src')).size, (await contentOf(server, 'dst')).size]).toEqual([0, 0])
  })

  test.each([7, 19, 31])(
    'hosts killed at random points, others started, with seed %i: nothing is lost, and each object is counted once',
    async (seed) => {
      const { cwd, server, worker, lent } = await fleet(['src:hex:6000:denied=300', 'dst'], 'copy=10-20')
      const random = randomOf(seed)
      const kills = 2
      let hosts = [worker('--concurrency', '16'), worker('--concurrency', '16')]
      const copy = start(['copy', 's3://src', 's3://dst', ...lent, '--checkpoint', 'run'], { cwd })
      for (let kill = 0; kill < kills; kill++) {
        const [one, ...others] = hosts
        await until(() => one!.stderr().includes('lending'), one)
        await copiedMore(server, copy, 300 + 700 * random())
        one!.kill('SIGKILL')
        expect((await one!.finished).signal).toBe('SIGKILL')
        hosts = [...others, worker('--concurrency', '16')]
      }
      const { code, stderr } = await copy.finished
      expect([code, stderr]).toEqual([3, expect.stringContaining('5,980 objects copied') as string])
      // Each was at work, and missed.
      expect(stderr.match(/was given up, and others do what it had: nothing was heard of it/g)).toHaveLength(kills)
      await expectLedger(cwd, server, 20)
    },
  )

  test('Redis killed, emptied and started anew, without persistence: nothing is lost, and it ends by itself', async () => {
    const { cwd, server, redis, worker, lent } = await fleet(['src:hex:6000:denied=300', 'dst'], 'copy=10-20')
    worker()
    worker()
    const copy = start(['copy', 's3://src', 's3://dst', ...lent, '--checkpoint', 'run'], { cwd })
    for (const blow of ['kill', 'flush', 'kill']) {
      await copiedMore(server, copy, 700)
      if (blow === 'flush') redis.ask('FLUSHALL')
      else {
        await redis.kill()
        await sleep(1500)
        await redis.restart()
      }
    }
    const { code, stderr } = await copy.finished
    expect([code, stderr]).toEqual([3, expect.stringContaining('5,980 objects copied') as string])
    await expectLedger(cwd, server, 20)
  })

  test('one that is stopped for longer than it is waited for, and comes back: each object is counted once', async () => {
    const { cwd, server, worker, lent } = await fleet(['src:hex:4000:denied=200', 'dst'], 'copy=10-20')
    const [stops] = [worker('--concurrency', '16'), worker('--concurrency', '16')]
    const copy = start(['copy', 's3://src', 's3://dst', ...lent, '--checkpoint', 'run'], { cwd })
    await copiedMore(server, copy, 500)
    stops.kill('SIGSTOP')
    await until(() => copy.isOver() || copy.stderr().includes('nothing was heard of it for 15 seconds'))
    stops.kill('SIGCONT')
    const { code, stderr } = await copy.finished
    expect([code, stderr]).toEqual([3, expect.stringContaining('3,980 objects copied') as string])
    await expectLedger(cwd, server, 20)
  })

  test('one that is asked to end gives back what it has, and a run that waits for hosts ends with one that comes later', async () => {
    const { cwd, server, worker, lent } = await fleet(['src:hex:3000', 'dst'], 'copy=10-20')
    const first = worker()
    const copy = start(['copy', 's3://src', 's3://dst', ...lent], { cwd })
    await copiedMore(server, copy, 500)
    first.kill('SIGTERM')
    expect((await first.finished).code).toBe(0)
    const { unique } = server.stats().copies.dst!
    expect(unique).toBeLessThan(3000)
    worker()
    expect((await copy.finished).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect(server.stats().copies.dst!.duplicates).toBe(0)
  })

  test('stopped, it can be resumed with another Redis or with none', async () => {
    const { cwd, server, redis, worker, lent } = await fleet(['src:hex:3000', 'dst'], 'copy=10-20')
    worker()
    const copy = start(['copy', 's3://src', 's3://dst', ...lent, '--checkpoint', 'run'], { cwd })
    await copiedMore(server, copy, 500)
    copy.kill('SIGINT')
    expect((await copy.finished).code).toBe(130)
    await redis.kill()
    const resumed = await run(['resume', 'run'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining('3,000 objects copied') as string])
    expect(server.stats().copies.dst!.duplicates).toBe(0)
  })

  test('status of the Redis tells from anywhere how the run does, and of each host by name with its rate', async () => {
    const { cwd, redis, worker, lent } = await fleet(['src:hex:9000', 'dst'], 'copy=20-30')
    const env = { S3MOVE_FLEET: redis.url }
    const none = await run(['status', redis.url], { cwd })
    expect([none.code, none.stdout]).toEqual([0, 'no run is announced there\n'])
    worker('--concurrency', '16')
    worker('--concurrency', '16')
    const copy = start(['copy', 's3://src', 's3://dst', ...lent, '--checkpoint', 'here'], { cwd })
    const elsewhere = await workFolder()
    let told: Announced | undefined
    while (!copy.isOver() && !(told?.status?.hosts ?? []).some(({ objectsPerSecond: rate }) => rate > 0)) {
      const { stdout } = await run(['status', '--fleet', 'env', '--json'], { cwd: elsewhere, env })
      told = stdout === '' ? undefined : (JSON.parse(stdout) as Announced)
    }
    expect(told).toMatchObject({ type: 'announced', name: 'here', status: { state: 'unfinished', folder: 'here' } })
    const host = { host: expect.stringMatching(/-[0-9a-f]{6}$/) as string, threads: 1 }
    expect(told?.status?.hosts[0]).toMatchObject(host)
    const text = (await run(['status', redis.url, '--fleet-name', 'here'], { cwd: elsewhere })).stdout
    expect(text).toMatch(/^here:\ncopy s3:\/\/src\/ to s3:\/\/dst\/\n/)
    expect(text).toMatch(/^ {2}host +\S+: 1 thread, \S+ of late, \S+ objects since it joined$/m)
    expect((await run(['status', 'here'], { cwd })).stdout).toMatch(/^ {2}host +\S+: 1 thread, /m)
    const metrics = (await run(['status', 'here', '--format', 'prometheus'], { cwd })).stdout
    expect(metrics).toMatch(/^s3move_hosts\{run="here"\} [12]$/m)
    expect((await copy.finished).code).toBe(0)
    expect((await run(['status', 'here'], { cwd })).stdout).not.toContain('since it joined')
  })

  test.each([
    [
      'a place',
      ['--allow', 's3://src', '--allow', 's3://dst/in/', '--allow-endpoint', 'URL'],
      'works on s3://dst/, which no --allow names',
    ],
    ['an endpoint', ['--allow', 's3://src', '--allow', 's3://dst'], 'which no --allow-endpoint names'],
    [
      'deletions',
      ['--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', 'URL'],
      'it deletes objects, which takes --allow-delete',
    ],
  ])('a host that does not allow %s refuses the job, and asks no store', async (_what, allowed, told) => {
    const { cwd, server, redis, lent } = await fleet(['src:hex:100', 'dst'])
    const flags = allowed.map((flag) => (flag === 'URL' ? server.url : flag))
    const move = start(['move', 's3://src', 's3://dst', '--yes', ...lent], { cwd })
    await until(() => redis.ask('ZRANGE', 's3move:runs', '0', '9').trim() !== '', move)
    const before = JSON.stringify(server.stats().requests)
    const host = start(['worker', redis.url, ...flags], { cwd })
    await until(() => host.stderr().includes(told), host)
    expect(JSON.stringify(server.stats().requests)).toBe(before)
    move.kill('SIGINT')
    expect((await move.finished).code).toBe(130)
  })

  test('a host whose credentials are refused does not join, and says why; others do all', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:500', 'dst'], ...CREDENTIALS })
    const redis = await startRedis()
    const args = ['worker', redis.url, '--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', server.url]
    const bad = start(args, { cwd, env: { AWS_SECRET_ACCESS_KEY: 'another' } })
    const copy = start(
      ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--fleet', redis.url, '--threads', '0'],
      { cwd },
    )
    await until(() => bad.stderr().includes('is not helped'), bad)
    expect(bad.stderr()).toContain('SignatureDoesNotMatch')
    start(args, { cwd })
    expect((await copy.finished).code).toBe(0)
  })

  test('credentials of one host that expire: the others finish, and both sides say why', async () => {
    const { cwd, server, redis, lent } = await fleet(['src:hex:4000', 'dst'], 'copy=10-20')
    const front = await expiring(server.url)
    const places = ['--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', front.url]
    const args = ['worker', redis.url, ...places, '--threads', '1', '--concurrency', '16']
    const one = start(args, { cwd, env: { AWS_ACCESS_KEY_ID: 'EXPIRING' } })
    const copy = start(['copy', 's3://src', 's3://dst', ...lent.with(1, front.url)], { cwd })
    await copiedMore(server, copy, 300)
    const other = start(args, { cwd })
    await until(() => other.stderr().includes('lending'), other)
    front.expire('EXPIRING')
    const { code, stderr } = await copy.finished
    expect([code, stderr]).toEqual([0, expect.stringContaining('4,000 objects copied') as string])
    expect(stderr).toMatch(/was dismissed, and others do what it had: The provided token has expired/)
    expect(one.stderr()).toMatch(
      /wants no more of this host: The provided token has expired.*; see to that, and start this worker again/,
    )
    expect(one.isOver()).toBe(false)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('a Redis that is reached by TLS needs a certificate that is trusted, on both sides', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:500', 'dst'] })
    const { cert, key } = selfSigned()
    const [ca, keyFile, tls] = [join(cwd, 'ca.pem'), join(cwd, 'key.pem'), await freePort()]
    await Promise.all([writeFile(ca, cert), writeFile(keyFile, key)])
    await startRedis(
      ...['--tls-port', String(tls), '--tls-auth-clients', 'no'],
      ...['--tls-cert-file', ca, '--tls-key-file', keyFile, '--tls-ca-cert-file', ca],
    )
    const url = `rediss://tester:${PASSWORD}@127.0.0.1:${tls}`
    const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--fleet', url, '--threads', '0']
    expect(refusal(await run(copy, { cwd }))).toMatch(
      /cannot use the Redis at 127\.0\.0\.1:\d+: self-signed certificate/,
    )
    const places = ['--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', server.url]
    expect(refusal(await run(['worker', url, ...places], { cwd }))).toContain('by --fleet-ca FILE')
    const worker = start(['worker', url, ...places, '--once', '--fleet-ca', ca], { cwd })
    const { code, stderr } = await run([...copy, '--fleet-ca', 'ca.pem'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('500 objects copied') as string])
    expect((await worker.finished).code).toBe(0)
    const wrong = await run(['status', url, '--fleet-ca', 'key-of-nobody.pem'], { cwd })
    expect(refusal(wrong)).toContain('the certificates in')
    expect((await run(['status', url, '--fleet-ca', ca], { cwd })).stdout).toBe('no run is announced there\n')
  })

  test('hosts help each shard of a job, and one that was killed goes on with them by --or-resume', async () => {
    const { cwd, server, worker, lent } = await fleet(['src:hex:4000', 'dst'], 'copy=10-20')
    const plan = ['plan', 'copy', 's3://src', 's3://dst', '--shards', '2', '--save', 'plan']
    expect((await run([...plan, '--endpoint-url', server.url], { cwd })).code).toBe(0)
    const shard = (number: number) => [
      ...['copy', 's3://src', 's3://dst', ...lent, '--plan', 'plan', '--shard', `${number}/2`, '--or-resume'],
      ...['--checkpoint', `shard-${number}`],
    ]
    worker('--concurrency', '16')
    const first = start(shard(1), { cwd })
    await copiedMore(server, first, 500)
    first.kill('SIGKILL')
    await first.finished
    const ends = await Promise.all([run(shard(1), { cwd }), run(shard(2), { cwd })])
    expect(ends.map(({ code, stderr }) => [code, stderr.includes('going on with')])).toEqual([
      [0, true],
      [0, false],
    ])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    const merged = await run(['status', '--merge', 'shard-1', 'shard-2', '--json'], { cwd })
    expect(JSON.parse(merged.stdout)).toMatchObject({ complete: true, totals: { copied: 4000, failedObjects: 0 } })
  })

  test('a Redis that cannot be reached, or asks for another password, is told in one line', async () => {
    const { cwd, server, redis } = await fleet(['src:hex:10', 'dst'])
    const wrong = `redis://tester:wrong-word@127.0.0.1:${redis.port}`
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--fleet']
    const told = refusal(await run([...args, wrong], { cwd }))
    expect(told).toContain(`cannot use the Redis at 127.0.0.1:${redis.port}: WRONGPASS`)
    expect(told).not.toContain('wrong-word')
    await redis.kill()
    expect(refusal(await run([...args, redis.url], { cwd }))).toMatch(/cannot use the Redis at .*ECONNREFUSED/)
  })
})

describe('--fleet and worker', () => {
  const refused = async (...args: readonly string[]) => refusal(await run(args, { cwd: await workFolder() }))
  const copy = ['copy', 's3://src', 's3://dst']

  test.each([
    [['copy', 'file:///tmp', 's3://dst', '--fleet', 'redis://127.0.0.1'], 'is a folder, which other hosts do not have'],
    [[...copy, '--fleet', 'http://127.0.0.1'], '--fleet takes redis://HOST:PORT or rediss://HOST:PORT'],
    [[...copy, '--fleet', 'env'], 'S3MOVE_FLEET is not set'],
    [[...copy, '--fleet', 'redis://:secret-word@redis.example'], 'the connection lacks TLS (rediss://)'],
    [[...copy, '--fleet', 'rediss://redis.example'], 'the connection lacks a password'],
    [[...copy, '--fleet-name', 'x'], '--fleet-name is about --fleet, which was not given'],
    [[...copy, '--threads', '0'], '--threads wants a whole number from 1 to 256'],
    [['status', 'redis://127.0.0.1', '--watch'], '--watch is of runs in folders'],
    [['status', 'redis://127.0.0.1', 'here'], 'runs are asked about at one Redis, or in folders'],
    [['worker', 'redis://127.0.0.1'], 'a worker does nothing but at places that it is allowed to'],
  ])('%j is refused', async (args, told) => {
    const said = await refused(...args)
    expect(said).toContain(told)
    expect(said).not.toContain('secret-word')
  })

  test('--on-loss fail holds at hosts too: what one of them does not keep ends the run before all is written', async () => {
    const { cwd, server, redis } = await fleet(['src:hex:1200', 'dst'])
    const url = await front(server.url, {
      before: ({ headers }) => {
        Reflect.deleteProperty(headers, 'x-amz-storage-class')
        return false
      },
    })
    const allowed = ['--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', url]
    start(['worker', ...allowed, '--threads', '1', '--concurrency', '4'], { cwd, env: { S3MOVE_FLEET: redis.url } })
    const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--storage-class', 'STANDARD_IA'] as const
    const lent = ['--fleet', redis.url, '--threads', '0', '--checkpoint', 'run'] as const
    const { code, stderr } = await run([...copy, ...lent, '--on-loss', 'fail'], { cwd })
    expect([code, stderr]).toEqual([4, expect.stringContaining('has not kept') as string])
    expect(server.stats().copies.dst!.total).toBeLessThan(600)
  })

  test('a list of names is not for several hosts', async () => {
    const cwd = await workFolder()
    await writeFile(join(cwd, 'list'), 'a\n')
    const args = [...copy, '--files-from', 'list', '--fleet', 'redis://127.0.0.1']
    expect(refusal(await run(args, { cwd }))).toContain('--fleet is not for this job: the list of --files-from')
  })
})

/** Stands before a server, and answers as AWS does once a token has expired. */
async function expiring(url: string) {
  const expired = new Set<string>()
  const body = '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
  const front = createServer((request, response) => {
    const { method, headers, url: path = '/' } = request
    const key = /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1] ?? ''
    if (expired.has(key)) {
      request.resume()
      response.writeHead(400, { 'content-type': 'application/xml' }).end(body)
      return
    }
    const beyond = forward(`${url}${path}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    request.pipe(beyond)
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => front.closeAllConnections())
  onTestFinished(() => void front.close())
  const { port } = front.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, expire: (key: string) => void expired.add(key) }
}

/** Waits until so many more were copied; what is to be done then must not come too late. */
async function copiedMore(server: TestSandbox, copy: Running, objects: number): Promise<void> {
  const copied = (): number => server.stats().copies.dst?.unique ?? 0
  const before = copied()
  await until(() => copy.isOver() || copied() > before + objects)
  expect([copy.isOver(), copy.isOver() ? copy.stderr() : '']).toEqual([false, ''])
}

/** Each object is at the destination or in the ledger, each there once. */
async function expectLedger(cwd: string, server: TestSandbox, failures: number): Promise<void> {
  const ledger = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trim().split('\n')
  const failed = ledger.map((line) => (JSON.parse(line) as { readonly key: string }).key)
  expect([failed.length, new Set(failed).size]).toEqual([failures, failures])
  const [from, to] = [await contentOf(server, 'src'), await contentOf(server, 'dst')]
  for (const key of failed) from.delete(key)
  expectSame(to, from)
}
