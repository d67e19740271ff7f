import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { offer } from '../support/price-offer.js'
import { look, put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { faultOfLine } from '../support/json-schema.js'
import { selfSigned } from '../support/certificate.js'
import { front } from '../support/proxy.js'

interface Told {
  readonly connections: {
    readonly samples: number
    readonly addresses: readonly string[]
    readonly dnsMs?: object
    readonly tlsMs?: object
    readonly protocol?: string
  }
  readonly rows: readonly {
    readonly operation: string
    readonly sizes?: { readonly from: number; readonly upTo?: number }
    readonly samples: number
    readonly wholeMs: object
    readonly meanBytes: number
    readonly failed: object
    readonly problem?: string
  }[]
  readonly sweeps: readonly { readonly levels: readonly { readonly concurrency: number }[] }[]
  readonly requests: Readonly<Record<string, number>>
  readonly bytesRead: number
  readonly interrupted?: true
  readonly spentUsd?: number
}

const TUNE = { schema: 's3move-tune/1', measured: '2026-01-01T00:00:00Z', source: 's3://a/', host: 'h' }
const FEW = ['--max-requests', '320', '--concurrency', '4']

async function probe(...args: string[]) {
  const finished = await run(['probe', ...args], { cwd: await workFolder() })
  return { ...finished, told: () => JSON.parse(finished.stdout) as Told }
}

async function bucket() {
  const server = await sandbox({ buckets: ['src'] })
  await put(server, 'src', 'a/\u001b[31msmall', { Body: 'hello' })
  await put(server, 'src', 'b/<script>', { Body: Buffer.alloc(300_000) })
  await put(server, 'src', 'empty', { Body: '' })
  await put(server, 'src', 'cold', { Body: 'x', StorageClass: 'GLACIER' })
  return server
}

test('probe measures connections, LIST, HEAD and GET by size, and raises the number at once', async () => {
  const { url } = await bucket()
  const { code, stdout, stderr } = await probe('s3://src', '--endpoint-url', url, ...FEW)
  expect([code, stderr]).toEqual([0, 'probe s3://src/: at most 320 requests and 256.0 MiB; it only reads\n'])
  for (const row of [
    /^s3:\/\/src\/ at 127\.0\.0\.1:\d+, us-east-1$/m,
    /^ {2}TCP +10 +[\d.]+ ms +[\d.]+ ms +- +- {2}a round trip/m,
    /^ {2}LIST +1[12] +[\d.]+ ms +[\d.]+ ms +- +-$/m,
    /^ {2}HEAD +7\d +[\d.]+ ms +[\d.]+ ms +- +-$/m,
    /^ {2}GET, to 4 KiB +3[0-3] .* first byte$/m,
    /^ {2}GET, to 1 MiB +3[0-3] .* first byte$/m,
    /^ +3[0-3] .* all, 293\.0 KiB on average/m,
    /^ +2 +[\d,]+ +[\d.]+ ms +0 {2}█+$/m,
    /^\d+ requests, \d+\.\d MiB read, \d+\.\d s$/m,
  ])
    expect(stdout).toMatch(row)
  expect(stdout).not.toContain('\u001b')
  const json = await probe('s3://src', '--endpoint-url', url, ...FEW, '--json')
  const { rows, requests, bytesRead, sweeps } = json.told()
  expect(rows.map(({ operation, sizes }) => [operation, sizes?.from])).toEqual([
    ['ListObjectsV2', undefined],
    ['HeadObject', undefined],
    ['GetObject', 0],
    ['GetObject', 65_536],
  ])
  expect(rows[3]).toMatchObject({ meanBytes: 300_000, failed: {} })
  expect(Object.values(requests).reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(320)
  expect(bytesRead).toBeGreaterThan(29 * 300_000)
  expect(sweeps[0]!.levels.length).toBeGreaterThanOrEqual(1)
})

test('the set-up of TLS is a step of its own', async () => {
  const { url } = await sandbox({ buckets: ['src'], tls: selfSigned('localhost') })
  const { code, told } = await probe('s3://src', '--endpoint-url', url, '--no-verify-ssl', ...FEW, '--json')
  expect(code).toBe(0)
  expect(told().connections).toMatchObject({ samples: 10, protocol: 'TLSv1.3' })
  expect(told().connections.tlsMs).toHaveProperty('p50')
})

test('a name is looked up at each set-up, and what it stands for is told', async () => {
  const { port } = await bucket()
  const url = `http://localhost:${port}`
  const { code, told } = await probe('s3://src', '--endpoint-url', url, ...FEW, '--json')
  expect(code).toBe(0)
  expect(told().connections).toMatchObject({ samples: 10, origin: url })
  expect(told().connections.addresses).toContain('127.0.0.1')
  expect(told().connections.dnsMs).toHaveProperty('p50')
  const text = await probe('s3://src', '--endpoint-url', url, ...FEW)
  expect(text.stdout).toMatch(/^ {2}DNS +10 +[\d.]+ ms +[\d.]+ ms +- +- {2}\d address(?:es)?$/m)
})

test('through a proxy all is measured, and of the set-up only the whole is known', async () => {
  const { url, port } = await bucket()
  const asked: string[] = []
  const proxy = await front(url, {
    before(request) {
      const { origin, pathname, search } = new URL(request.url ?? '')
      asked.push(origin)
      request.url = pathname + search
      return undefined
    },
  })
  const env = { HTTP_PROXY: proxy }
  const named = `http://store.test:${port}`
  const args = ['probe', 's3://src', '--endpoint-url', named, ...FEW, '--json']
  const { code, stdout } = await run(args, { cwd: await workFolder(), env })
  expect(code).toBe(0)
  const { connections, rows } = JSON.parse(stdout) as Told
  expect(connections).toMatchObject({ samples: 10, addresses: [], failed: {} })
  expect(Object.keys(connections).filter((name) => name.endsWith('Ms'))).toEqual(['setUpMs'])
  expect(rows.every(({ samples }) => samples > 0)).toBe(true)
  expect(asked.length).toBeGreaterThan(100)
  expect(new Set(asked)).toEqual(new Set([named]))
})

test('a bucket without objects is measured as far as that goes', async () => {
  const { url } = await sandbox({ buckets: ['src'] })
  const { code, told } = await probe('s3://src', '--endpoint-url', url, ...FEW, '--json')
  expect(code).toBe(0)
  expect(told().rows.map(({ problem }) => problem)).toEqual([
    undefined,
    'no object is known here',
    'no object is known here',
  ])
  expect(told().sweeps).toEqual([])
})

test('what is refused is told in its row, and the rest is measured', async () => {
  const server = await bucket()
  await server.fault('denied', '100%', 'GetObject')
  const { code, stdout, stderr } = await probe('s3://src', '--endpoint-url', server.url, ...FEW)
  expect([code, stderr.split('\n').length]).toEqual([0, 2])
  expect(stdout).toMatch(/^ {2}HEAD +7\d /m)
  expect(stdout).toMatch(/^ {2}GET, to 4 KiB +0 +- +- +- +-\n {4}\d+ × AccessDenied; AccessDenied \(HTTP 403\): /m)
})

test('where nothing is answered as it should be, the rows say why, and the exit code is 4', async () => {
  const server = await bucket()
  await server.fault('denied', '100%', 'ListObjectsV2')
  const { code, stdout } = await probe('s3://src', '--endpoint-url', server.url, ...FEW)
  expect(code).toBe(4)
  expect(stdout).toMatch(/^ {2}LIST +0 .*\n {4}\d+ × AccessDenied; AccessDenied \(HTTP 403\): /m)
})

test('Ctrl-C ends it at once, and what had been measured is told', async () => {
  const server = await sandbox({ buckets: ['src'], latency: 'head=200-200' })
  await put(server, 'src', 'a', { Body: 'hello' })
  const running = start(['probe', 's3://src', '--endpoint-url', server.url, '--json'], { cwd: await workFolder() })
  await until(() => (server.stats().byOperation.HeadObject ?? 0) > 8, running)
  running.kill('SIGINT')
  const { code, stdout } = await running.finished
  expect(code).toBe(130)
  expect(JSON.parse(stdout)).toMatchObject({ interrupted: true, rows: [{ operation: 'ListObjectsV2' }, {}] })
})

test.each([
  [['s3://src', '--max-requests', '5'], '--max-requests wants a whole number from 100 to 10000000, and was given 5'],
  [['s3://src', '--max-bytes', 'much'], '--max-bytes wants a size up to 1T, and was given much'],
  [['file:///tmp'], 'the source file:///tmp is a folder, and this is for buckets alone'],
])('%j is refused in one line', async (args, message) => {
  expect(refusal(await run(['probe', ...args], { cwd: await workFolder() }))).toContain(message)
})

test('a limit of what it may cost needs prices, and is kept to by them', async () => {
  const { url } = await bucket()
  const cwd = await workFolder()
  const at = ['probe', 's3://src', '--endpoint-url', url, ...FEW]
  expect(refusal(await run([...at, '--max-cost', '1'], { cwd }))).toContain(
    '--max-cost needs prices, and there are none of this store and Region',
  )
  const prices = ['--prices', await offer(cwd, { 'Requests-Tier1': '0.01', 'Requests-Tier2': '0.001' })]
  expect(refusal(await run([...at, ...prices, '--max-cost', '0.4'], { cwd }))).toContain(
    '320 requests and 256.0 MiB may cost US$ 0.52, which is more than --max-cost 0.4',
  )
  const { code, stdout, stderr } = await run([...at, ...prices, '--max-cost', '0.6', '--json'], { cwd })
  expect([code, stderr]).toEqual([0, expect.stringContaining('256.0 MiB, US$ 0.52 at most where they leave AWS')])
  const { spentUsd, requests } = JSON.parse(stdout) as Told
  const { ListObjectsV2: lists = 0, HeadObject: heads = 0, GetObject: gets = 0 } = requests
  expect(spentUsd).toBeCloseTo(0.01 * lists + 0.001 * (heads + gets), 2)
})

test('the result is written as a page that loads nothing, in which nothing of a place is markup', async () => {
  const { url } = await bucket()
  const cwd = await workFolder()
  const args = ['probe', 's3://src/b/<script>', '--endpoint-url', url, ...FEW, '--to', 'probe.html']
  expect((await run(args, { cwd })).code).toBe(0)
  const page = await readFile(join(cwd, 'probe.html'), 'utf8')
  expect(page).toContain('<h1>probe: s3://src/b/&#60;script&#62;</h1>')
  expect(page).toContain("default-src 'none'")
  expect(page).not.toMatch(/<script|https?:\/\/(?!127)/)
  expect(page).toMatch(/<td>GET, to 1 MiB<\/td><td>first byte<\/td><td class="n">\d+<\/td>/)
  expect(page).toMatch(/<th scope="row">2 at once<\/th>/)
})

test('what follows for copies is taken by copy --tune, and flags count before it', async () => {
  const { url } = await sandbox({ buckets: ['src', 'dst'], rate: 'write=9999,read=300', latency: 'all=20' })
  await put(look(url), 'src', 'a', { Body: 'hello' })
  const cwd = await workFolder()
  const probed = await run(['probe', 's3://src', '--endpoint-url', url, '--tune', 'my.tune'], { cwd })
  expect([probed.code, probed.stderr]).toEqual([0, expect.stringMatching(/^wrote .*my\.tune$/m)])
  const tune = JSON.parse(await readFile(join(cwd, 'my.tune'), 'utf8')) as { concurrency: number; lanes: number }
  expect(tune).toMatchObject({ schema: 's3move-tune/1', source: 's3://src/', lanes: 16 })
  expect(tune.concurrency).toBeGreaterThan(1)
  const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--tune', 'my.tune', '--json']
  const paceOf = (stdout: string) => (JSON.parse(stdout.split('\n')[0]!) as { pace: object }).pace
  expect(paceOf((await run(copy, { cwd })).stdout)).toEqual({ concurrency: tune.concurrency, lanes: 16 })
  const again = await run([...copy, '--again', '--lanes', '3'], { cwd })
  expect(paceOf(again.stdout)).toEqual({ concurrency: tune.concurrency, lanes: 3 })
})

test.each([
  [undefined, 'cannot be read: there is no such file'],
  ['{"schema":"s3move-tune/1"', 'is no file of a probe: it is no JSON'],
  ['{"schema":"other"}', 'is no file of a probe: '],
  [JSON.stringify({ ...TUNE, lanes: 5000 }), 'is no file of a probe: lanes is to be from 1 to 1000, and is 5000'],
  [JSON.stringify({ ...TUNE, threads: 4 }), 'is no file of a probe: '],
])('a file %j for --tune is refused in one line', async (content, message) => {
  const cwd = await workFolder()
  if (content !== undefined) await writeFile(join(cwd, 'tune'), content)
  expect(refusal(await run(['copy', 's3://src', 's3://dst', '--tune', 'tune'], { cwd }))).toContain(message)
})

test('a file for the result whose folder is not there is refused before anything is asked', async () => {
  const server = await bucket()
  const args = ['probe', 's3://src', '--endpoint-url', server.url, '--to', 'no/such/probe.html']
  expect(refusal(await run(args, { cwd: await workFolder() }))).toContain('does not exist')
  expect(server.stats().byOperation.ListObjectsV2 ?? 0).toBe(0)
})

test('it is told in the words of Munin, Prometheus and Nagios, with few requests and never more of them at once', async () => {
  const server = await bucket()
  const cwd = await workFolder()
  const as = (format: string, ...more: string[]) =>
    run(['probe', 's3://src', '--endpoint-url', server.url, '--format', format, ...more], { cwd })
  const munin = await as('munin')
  expect([munin.code, munin.stderr]).toEqual([0, ''])
  expect(munin.stdout).toMatch(
    /^multigraph s3move_probe_s3___src__127_0_0_1_\d+_[0-9a-f]{8}\ngraph_title s3move s3:\/\/src\/: latency\n/,
  )
  expect(munin.stdout).toMatch(/^first_byte\.value 0\.\d+$/m)
  const prometheus = await as('prometheus')
  expect(prometheus.stdout).toMatch(
    /^s3move_probe_latency_seconds\{place="s3:\/\/src\/",request="first_byte",quantile="0\.9"\} 0\.\d+$/m,
  )
  expect(prometheus.stdout).toContain('s3move_probe_failed_requests{place="s3://src/",request="HEAD"} 0')
  const well = await as('nagios', '--warning', '60000')
  expect(well.code).toBe(0)
  expect(well.stdout).toMatch(/^S3MOVE OK - s3:\/\/src\/: GET, first byte .*\| first_byte=0\.\d+s;60;;0; head=0/)
  expect((await as('nagios', '--critical', '60000:')).code).toBe(2)
  const away = await run(['probe', 's3://no-such', '--endpoint-url', server.url, '--format', 'nagios'], { cwd })
  expect([away.code, away.stdout]).toEqual([3, expect.stringMatching(/^S3MOVE UNKNOWN - s3:\/\/no-such: /)])
  expect(refusal(await as('munin', '--every', '1m'))).toContain('--every and --format munin contradict each other')
})

test('a history gets a line for each probe, and one that a kill has cut is taken away', async () => {
  const { url } = await bucket()
  const cwd = await workFolder()
  const file = join(cwd, 'history.ndjson')
  const args = ['probe', 's3://src', '--endpoint-url', url, ...FEW, '--history', 'history.ndjson']
  expect((await run(args, { cwd })).code).toBe(0)
  const whole = await readFile(file, 'utf8')
  await writeFile(file, `${whole}${whole.slice(0, 300)}`)
  expect((await run(args, { cwd })).code).toBe(0)
  const lines = (await readFile(file, 'utf8')).split('\n')
  expect(lines).toHaveLength(3)
  expect(`${lines[0]}\n`).toBe(whole)
  for (const line of lines.slice(0, 2)) expect(faultOfLine(line)).toBeUndefined()
  await writeFile(file, whole.trimEnd())
  expect((await run(args, { cwd })).code).toBe(0)
  expect((await readFile(file, 'utf8')).startsWith(whole)).toBe(true)
})

test('a file that is no history is refused, and stays as it is', async () => {
  const { url } = await bucket()
  const cwd = await workFolder()
  await writeFile(join(cwd, 'other'), 'my diary\n')
  const args = ['probe', 's3://src', '--endpoint-url', url, '--history']
  expect(refusal(await run([...args, 'other'], { cwd }))).toContain('other is no history of probes')
  expect(await readFile(join(cwd, 'other'), 'utf8')).toBe('my diary\n')
  expect(refusal(await run([...args, 'no/such/file'], { cwd }))).toContain('cannot be written')
})

test('--every probes again until it is ended, with a line for each', async () => {
  const { url } = await bucket()
  const cwd = await workFolder()
  const args = ['probe', 's3://src', '--endpoint-url', url, '--every', '10s', '--history', 'h']
  const running = start(args, { cwd })
  await until(() => running.stdout().split('\n').length > 2, running)
  running.kill('SIGTERM')
  const { code, stdout, stderr } = await running.finished
  expect([code, stderr]).toEqual([130, expect.stringContaining('at most 200 requests and 256.0 MiB, every 10.0 s')])
  expect(stdout).toMatch(/^(\d{4}-\S+Z {2}GET, first byte .*, HEAD .*\n){2}$/)
  expect((await readFile(join(cwd, 'h'), 'utf8')).trimEnd().split('\n')).toHaveLength(2)
})
