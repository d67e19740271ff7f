import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sandbox } from '../support/cli-buckets.js'
import { refusal, run, workFolder } from '../support/cli-program.js'

interface Figure {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

interface QuickPlan {
  readonly complete: boolean
  readonly exitCode: number
  readonly totals: { readonly copied: number; readonly bytes: number }
  readonly archived: number
  readonly requests: Readonly<Record<string, number>>
  readonly groups: readonly { readonly objects: number; readonly storageClass: string; readonly fate: string }[]
  readonly sampled?: {
    readonly listed: Figure
    readonly objects: Figure
    readonly bytes: Figure
    readonly seen: number
    readonly looked: number
    readonly lists: number
    readonly times: { readonly low: number; readonly high: number }
  }
}

function recordOf(stdout: string): QuickPlan {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as QuickPlan
}

test('a plan by a sample tells estimates with their range, as text and JSON, for the requests that it says', async () => {
  const cwd = await workFolder()
  const objects = 1_200_000
  const server = await sandbox({ buckets: [`src:hex:${objects}:glacier=4`, 'dst'] })
  const before = server.stats().byOperation.ListObjectsV2 ?? 0
  const words = ['plan', 'copy', 's3://src', 's3://dst', '--quick', '--sample', '5', '--endpoint-url', server.url]
  const { code, stdout, stderr } = await run([...words, '--json', '--to', 'plan.txt'], { cwd })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('at most 5,000 LIST requests')
  const { complete, sampled, totals, archived, requests, groups } = recordOf(stdout)
  expect(complete).toBe(false)
  const { listed, lists, seen, looked, times } = sampled!
  expect([listed.low <= objects, objects <= listed.high]).toEqual([true, true])
  expect(seen).toBeLessThanOrEqual(listed.low)
  expect(times.low).toBeLessThanOrEqual(1)
  // A few to begin with: is the place there, are there siblings, which names are shown.
  const asked = (server.stats().byOperation.ListObjectsV2 ?? 0) - before
  expect([lists <= 5_000, asked >= lists, asked <= lists + 10]).toEqual([true, true, true])
  expect(looked).toBeGreaterThan(1_000)
  expect(looked).toBeLessThan(15_000)
  const near = (n: number, share: number): unknown => expect.closeTo(n * share, -Math.log10(n * share * 0.2)) as unknown
  expect(totals.copied).toEqual(near(objects, 1))
  // One in four.
  expect(archived).toEqual(near(objects, 0.25))
  expect(requests.ListObjectsV2).toEqual(near(objects, 0.001))
  expect(groups.find(({ fate }) => fate === 'archived')?.objects).toBe(archived)
  const text = await readFile(join(cwd, 'plan.txt'), 'utf8')
  expect(text).toMatch(/^plan by a sample: nothing was changed, and all figures are estimates$/m)
  expect(text).toMatch(
    /^would copy {3}about 1,\d\d0,000 objects \([\d,]+ to [\d,]+\), .* GiB \(.* GiB to .* GiB\), from/m,
  )
  expect(text).toMatch(/^sample {7}[\d,]+ objects of about 1,\d\d0,000 .* LIST requests$/m)
  expect(text).toMatch(/there is more where a folder far larger than others like it was missed/)
  expect(text).toMatch(/^objects by storage class, about$/m)
  for (const line of text.split('\n').filter((line) => /^(would|archived|requests|time) /.test(line)))
    expect(line).toContain('about ')
})

test('what is small is planned exactly with --quick too', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:3500', 'dst'] })
  const words = ['plan', 'copy', 's3://src', 's3://dst', '--sample', '0', '--endpoint-url', server.url, '--json']
  const quick = recordOf((await run([...words, '--quick'], { cwd })).stdout)
  expect(quick).toMatchObject({ complete: true, totals: { copied: 3500 } })
  expect(quick.sampled).toBeUndefined()
  const whole = recordOf((await run(words, { cwd })).stdout)
  expect(quick.totals).toEqual(whole.totals)
  // What the sample itself took is none of the run's.
  expect(quick.requests.ListObjectsV2).toBeLessThan((whole.requests.ListObjectsV2 ?? 0) + 3)
})

test.each([
  [['copy', 's3://src', 's3://dst', '--save', 'kept'], 'a saved plan is of all objects'],
  [['sync', 's3://src', 's3://dst', '--delete', '--yes'], 'what only the destination has'],
  [['copy', 's3://src', 's3://dst', '--files-from', 'names.txt'], 'a list or an inventory'],
  [['copy', 'file:///tmp', 's3://dst'], 'a folder of this machine'],
])('plan %s with --quick is refused with the reason', async (words, reason) => {
  const cwd = await workFolder()
  const args = ['plan', ...words, '--quick', '--endpoint-url', 'http://127.0.0.1:9']
  expect(refusal(await run(args, { cwd }))).toContain(reason)
})
