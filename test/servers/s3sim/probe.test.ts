import { expect, test } from 'vitest'
import { run, workFolder } from '../../support/cli-program.js'
import { simulator } from './simulator.js'

interface Swept {
  readonly operation: string
  readonly ended: string
  readonly limitPerSecond?: number
  readonly levels: readonly { readonly wholeMs: { readonly p50?: number } }[]
}

interface Probed {
  readonly rows: readonly {
    readonly operation: string
    readonly sizes?: { readonly from: number }
    readonly wholeMs: { readonly p50?: number; readonly p90?: number }
    readonly firstByteMs?: { readonly p50?: number }
    readonly failed: object
  }[]
  readonly sweeps: readonly Swept[]
  readonly advice: { readonly concurrency?: number; readonly lanes?: number }
  readonly requests: Readonly<Record<string, number>>
}

async function probed(url: string, ...args: string[]): Promise<Probed> {
  const asked = ['probe', 's3://src', '--endpoint-url', url, '--json', ...args]
  const { code, stdout, stderr } = await run(asked, { cwd: await workFolder() })
  expect([code, stderr.split('\n').length]).toEqual([0, 2])
  return JSON.parse(stdout) as Probed
}

function within10percent(value: number | undefined, of: number): void {
  expect(value).toBeGreaterThan(0.9 * of)
  expect(value).toBeLessThan(1.1 * of)
}

/** So many a second of so many milliseconds each, and a fifth more. */
function followsFrom(concurrency: number | undefined, { limitPerSecond, levels }: Swept): void {
  const wanted = (limitPerSecond! * levels[0]!.wholeMs.p50! * 1.2) / 1000
  expect(Math.abs(concurrency! - wanted)).toBeLessThanOrEqual(1.01)
}

test('latencies and the limit that the store was given are found within a tenth', async () => {
  const sim = await simulator(
    ...['--bucket', 'src:mix:1000000:size=mixed', '--latency', 'list=80-80,head=50-50,get=60-60'],
    ...['--rate-per-prefix', 'read=300,depth=0'],
  )
  const { rows, sweeps, advice, requests } = await probed(sim.url, '--max-requests', '3000')
  const row = (name: string) => rows.find(({ operation }) => operation === name)
  within10percent(row('ListObjectsV2')?.wholeMs.p50, 80)
  within10percent(row('HeadObject')?.wholeMs.p50, 50)
  within10percent(row('GetObject')?.firstByteMs?.p50, 60)
  expect(rows.filter(({ operation }) => operation === 'GetObject').length).toBeGreaterThanOrEqual(4)
  expect(sweeps).toMatchObject([{ operation: 'HeadObject', ended: 'refusals' }])
  within10percent(sweeps[0]!.limitPerSecond, 300)
  followsFrom(advice.concurrency, sweeps[0]!)
  const sent = Object.values(requests).reduce((sum, n) => sum + n, 0)
  expect(sent).toBeLessThanOrEqual(3000)
  const { by_op: counted } = (await sim.get('stats')) as { by_op: Readonly<Record<string, number>> }
  // What it does not know it does not count by name.
  for (const [operation, n] of Object.entries(requests)) expect((counted[operation] ?? n) - n).toBeLessThanOrEqual(1)
})

test('where the store has no limit none is told', async () => {
  const sim = await simulator('--bucket', 'src:seq:1000:size=1000', '--latency', 'all=25-25')
  const { sweeps, advice } = await probed(sim.url, '--max-requests', '1000')
  expect(sweeps).toMatchObject([{ ended: 'requests' }])
  expect(sweeps[0]).not.toHaveProperty('limitPerSecond')
  expect(advice).not.toHaveProperty('concurrency')
})

test('latencies of writes and the limit of copies that the store was given are found within a tenth, and nothing stays', async () => {
  const sim = await simulator(
    ...['--bucket', 'src:store', '--latency', 'put=80-80,copy=100-100,mpu=70-70,delete=60-60,head=10-10'],
    ...['--rate-per-prefix', 'write=200,read=100000,depth=0'],
  )
  const { rows, sweeps, advice } = await probed(sim.url, '--write', 'tmp', '--max-requests', '6000')
  const p50 = (name: string) => rows.find(({ operation }) => operation === name)?.wholeMs.p50
  within10percent(p50('PutObject'), 80)
  within10percent(p50('CopyObject'), 100)
  within10percent(p50('CreateMultipartUpload'), 70)
  within10percent(p50('UploadPart'), 80)
  within10percent(p50('CompleteMultipartUpload'), 70)
  within10percent(p50('AbortMultipartUpload'), 70)
  within10percent(p50('DeleteObject'), 60)
  const copies = sweeps.find(({ operation }) => operation === 'CopyObject')
  expect(copies).toMatchObject({ ended: 'refusals' })
  within10percent(copies?.limitPerSecond, 200)
  followsFrom(advice.concurrency, copies!)
  const left = await fetch(`${sim.url}/src?list-type=2`)
  expect(await left.text()).not.toContain('<Contents>')
  expect(await (await fetch(`${sim.url}/src?uploads`)).text()).not.toContain('<Upload>')
})
