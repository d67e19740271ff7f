import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { asAws } from '../support/as-aws.js'
import { offer } from '../support/price-offer.js'

/** What a server was asked that is billed as a write or a list. */
function billed({ stats }: TestSandbox): number {
  return Object.entries(stats().byOperation).reduce(
    (sum, [operation, n]) => sum + (/^(Copy|Put|Create|Complete|UploadPart|List)/.test(operation) ? n : 0),
    0,
  )
}

const COPY = ['copy', 's3://src', 's3://dst', '--checkpoint', 'run']

async function saved(cwd: string): Promise<{ readonly spent?: number; readonly requests?: Record<string, number> }> {
  return JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as object
}

test('a run on AWS ends with what it has cost', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:3000', 'dst'] })
  const { env, aws } = await asAws(server)
  const { code, stderr, stdout } = await run(['copy', 's3://src', 's3://dst', ...aws], { cwd, env })
  expect(code).toBe(0)
  expect(stdout + stderr).toMatch(/^ {2}cost +about US\$ 0\.02: requests, and what they read and transferred$/m)
})

describe('--max-cost', () => {
  test('ends a run before its requests cost more, over all sessions, and more can be allowed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3000', 'dst'], latency: 'copy=10-30' })
    const prices = await offer(cwd, { 'Requests-Tier1': '1', 'Requests-Tier2': '0' })
    const args = [...COPY, '--endpoint-url', server.url, '--concurrency', '8']
    const first = await run([...args, '--prices', prices, '--max-cost', '1000'], { cwd })
    expect(first.code).toBe(4)
    expect(first.stderr + first.stdout).toMatch(/would soon have cost more than 1000 \(--max-cost 1000\)/)
    expect(billed(server)).toBeLessThanOrEqual(1_000)
    expect(billed(server)).toBeGreaterThan(250)
    expect((await saved(cwd)).spent).toBe(billed(server))
    const status = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(status.stdout)).toMatchObject({ spentUsd: billed(server), maxCostUsd: 1_000 })
    expect((await run(['status', 'run'], { cwd })).stdout).toMatch(
      /^ {2}cost +about US\$ [\d.,]+: requests, and what they read and transferred; at most US\$ 1,000\.00 \(--max-cost\)$/m,
    )
    const copied = (await contentOf(server, 'dst')).size
    // What is still allowed does not go far.
    const second = await run(['resume', 'run', '--max-cost', String(billed(server) + 1)], { cwd })
    expect(second.code).toBe(4)
    expect((await contentOf(server, 'dst')).size).toBeLessThanOrEqual(copied + 8)
    const third = await run(['resume', 'run', '--max-cost', '100000', '--json'], { cwd })
    expect(third.code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(3_000)
    const { spentUsd } = JSON.parse(third.stdout.trimEnd().split('\n').at(-1)!) as { spentUsd: number }
    // The test has listed the destination itself, a page of a thousand each time.
    const ofTest = Math.ceil(copied / 1_000) + Math.ceil((copied + 8) / 1_000) + 3
    expect(billed(server) - spentUsd).toBeGreaterThanOrEqual(0)
    expect(billed(server) - spentUsd).toBeLessThanOrEqual(ofTest)
  })

  test('counts what was spent before a kill, but for what was not saved yet', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3000', 'dst'], latency: 'copy=20-40' })
    const prices = await offer(cwd, { 'Requests-Tier1': '1', 'Requests-Tier2': '0' })
    const args = [...COPY, '--endpoint-url', server.url, '--concurrency', '8']
    const running = start([...args, '--prices', prices, '--max-cost', '100000'], { cwd })
    await until(async () => ((await saved(cwd).catch(() => ({ spent: 0 }))).spent ?? 0) > 300, running)
    running.kill('SIGKILL')
    await running.finished
    const { spent = 0, requests = {} } = await saved(cwd)
    expect(spent).toBeGreaterThan(300)
    expect(spent).toBeLessThanOrEqual(billed(server))
    const resumed = await run(['resume', 'run', '--quiet'], { cwd })
    expect(resumed.code).toBe(0)
    const after = await saved(cwd)
    expect(after.spent).toBeGreaterThanOrEqual(3_000)
    expect(after.spent).toBeLessThanOrEqual(billed(server))
    expect(after.requests!.CopyObject).toBeGreaterThan(requests.CopyObject!)
  })

  test('counts what is read from the classes that bill it, and requests in the class that is written', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (let i = 0; i < 4; i++)
      await put(server, 'src', `k${i}`, {
        Body: Buffer.alloc(2 ** 18),
        StorageClass: i < 3 ? 'STANDARD_IA' : 'STANDARD',
      })
    const prices = await offer(cwd, {
      ...{ 'Requests-Tier1': '0', 'Requests-Tier2': '0', 'Requests-SIA-Tier1': '1', 'Requests-SIA-Tier2': '0' },
      'Retrieval-SIA': '4096',
    })
    const args = [...COPY, '--endpoint-url', server.url, '--json']
    const { stdout } = await run([...args, '--prices', prices], { cwd })
    const { spentUsd } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { spentUsd: number }
    // Three copies, three quarters of a MiB at US$ 4 each MiB; and three quarters of the copy that is tried first.
    expect(spentUsd).toBeGreaterThanOrEqual(3 + 3)
    expect(spentUsd).toBeLessThanOrEqual(3 + 3 + 1)
  })

  test('counts what S3 begins to restore, once, however often it is asked', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'], restoreSeconds: 3600 })
    for (let i = 0; i < 3; i++)
      await put(server, 'src', `k${i}`, {
        Body: Buffer.alloc(2 ** 20),
        ...(i > 0 ? { StorageClass: i > 1 ? 'GLACIER' : 'DEEP_ARCHIVE' } : {}),
      })
    const prices = await offer(cwd, {
      ...{ 'Requests-Tier1': '0', 'Requests-Tier2': '0', 'Requests-GLACIER-Tier1': '0', 'Requests-GDA-Tier1': '0' },
      ...{ 'Requests-Tier3': '1', 'Requests-GDA-Tier3': '10', 'Standard-Retrieval-Bytes': '102400' },
      'TimedStorage-ByteHrs': String(1024 * 1000),
    })
    const spent = ({ stdout }: { readonly stdout: string }): number =>
      (JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { spentUsd: number }).spentUsd
    const args = [...COPY, '--endpoint-url', server.url, '--prices', prices, '--restore', '2', '--json']
    const first = await run(args, { cwd })
    expect(first.code).toBe(3)
    // A request of each class, a MiB from GLACIER at 100, two MiB for a tenth of a month at 1000; and what the file has no price for comes along.
    const retrieved = 0.02 / 1024
    expect(spent(first)).toBeCloseTo(11 + 100 + 200 + retrieved, 5)
    const again = await run(['resume', 'run', '--only-failed', '--json'], { cwd })
    expect(server.stats().byOperation.RestoreObject).toBe(4)
    expect(spent(again)).toBeCloseTo(spent(first), 5)
  })

  test('is refused without prices of the store, and when it is no amount', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    expect(refusal(await run([...args, '--max-cost', '5'], { cwd }))).toContain(
      '--max-cost needs prices, and there are none of this store and Region',
    )
    for (const wrong of ['0', '-1', '$5', '1e3', ''])
      expect(refusal(await run([...args, `--max-cost=${wrong}`], { cwd }))).toContain('--max-cost')
    expect(refusal(await run([...args, '--prices', 'none.json'], { cwd }))).toContain('none.json')
    expect((await contentOf(server, 'dst')).size).toBe(0)
  })
})
