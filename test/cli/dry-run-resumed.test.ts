import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { asAws } from '../support/as-aws.js'

interface Plan {
  readonly complete: boolean
  readonly checkpoint?: string
  readonly requests: Readonly<Record<string, number>>
  readonly totals: Readonly<Record<string, unknown>>
  readonly groups?: unknown
  readonly cost?: { readonly once: number }
}

function planIn(stdout: string): Plan {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Plan
}

/**
 * All that a plan says, but when, how long, and where the copy of its list is; and what it asked, as a page of a listing and looks at a page of a list
 * that was cut short are asked for again.
 */
function compared(plan: Plan): object {
  const { ListObjectsV2: _, HeadObject: __, ...requests } = plan.requests
  const same: Record<string, unknown> = { ...plan, requests }
  for (const name of ['time', 'estimate', 'example', 'cost', 'job']) Reflect.deleteProperty(same, name)
  return same
}

/** Has a command interrupted once the server was asked `requests` more times for this. */
async function interrupted(
  args: readonly string[],
  cwd: string,
  { stats }: TestSandbox,
  { operation, requests, input }: { operation: string; requests: number; input?: string },
): Promise<Plan> {
  const asked = (): number => stats().byOperation[operation] ?? 0
  const before = asked()
  const running = start(args, { cwd, ...(input === undefined ? {} : { input }) })
  await until(() => asked() >= before + requests, running)
  running.kill('SIGINT')
  const { code, stdout } = await running.finished
  expect(code).toBe(130)
  return planIn(stdout)
}

const keys = (count: number): string =>
  Array.from({ length: count }, (_, i) => `photos/${String(i).padStart(12, '0')}.jpg\n`).join('')

describe('a dry run that was interrupted, and gone on with, ends as one that was not:', () => {
  test.each([
    ['copy s3://dst', 'ListObjectsV2', undefined],
    ['move s3://dst --yes', 'ListObjectsV2', undefined],
    ['sync s3://dst --delete --yes', 'ListObjectsV2', undefined],
    ['delete --yes', 'ListObjectsV2', undefined],
    ['set-headers --cache-control new', 'HeadObject', undefined],
    ['copy s3://dst --files-from -', 'HeadObject', keys(3_000)],
  ] as const)('%s', async (job, operation, input) => {
    const [command = '', ...more] = job.split(' ')
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:12000', 'dst:hex:3000'], latency: 'list=60-120,head=20-40' })
    const args = [command, 's3://src', ...more, '--endpoint-url', server.url, '--lanes', '3', '--dry-run', '--json']
    const whole = await run(args, { cwd, ...(input === undefined ? {} : { input }) })
    expect(whole.code).toBe(0)
    const wanted = {
      operation,
      requests: operation === 'HeadObject' ? 1_200 : 6,
      ...(input === undefined ? {} : { input }),
    }
    const part = await interrupted(args, cwd, server, wanted)
    expect(part).toMatchObject({
      complete: false,
      checkpoint: expect.stringMatching(/^\.s3move\/.*-dry-run$/) as string,
    })
    const rest = await run(['resume', part.checkpoint!, '--json'], { cwd })
    expect(rest.code).toBe(0)
    const [resumed, straight] = [planIn(rest.stdout), planIn(whole.stdout)]
    expect(compared(resumed)).toEqual(compared(straight))
    const looks = (straight.requests.HeadObject ?? 0) - (resumed.requests.HeadObject ?? 0)
    // Of a list the looks at a page are only kept with the page.
    if (input === undefined) expect(looks).toBe(0)
    else expect(-looks).toBeLessThanOrEqual(1_000)
    expect(await readdir(join(cwd, '.s3move'))).toEqual([])
  })
})

test('a plan that was interrupted is gone on with as the plan that it was, with its groups, its sample and its files', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:12000', 'dst'], latency: 'list=60-120' })
  const args = ['plan', 'copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--lanes', '3', '--json']
  const whole = planIn((await run(args, { cwd })).stdout)
  const kept = ['--to', 'plan.json', '--save', 'saved', '--sample', '7']
  const part = await interrupted([...args, ...kept], cwd, server, { operation: 'ListObjectsV2', requests: 6 })
  const rest = await run(['resume', '--json'], { cwd })
  expect(rest.code).toBe(0)
  const plan = planIn(rest.stdout)
  expect(plan).toMatchObject({ complete: true, groups: whole.groups, totals: whole.totals, losses: { looked: 7 } })
  expect(planIn(await readFile(join(cwd, 'plan.json'), 'utf8'))).toMatchObject({ groups: whole.groups })
  expect(JSON.parse(await readFile(join(cwd, 'saved/plan.json'), 'utf8'))).toMatchObject({ listed: 12_000 })
  expect(part.checkpoint).toBeDefined()
})

test('text tells how to go on with a dry run, the next of the same job tells of it, and resume finds it', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:12000', 'dst'], latency: 'list=60-120' })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--lanes', '3', '--dry-run']
  const { checkpoint = '' } = await interrupted([...args, '--json'], cwd, server, {
    operation: 'ListObjectsV2',
    requests: 6,
  })
  const again = start(args, { cwd })
  await until(() => again.stderr().includes('a dry run of this job was interrupted'), again)
  expect(again.stderr()).toContain(`this one begins anew, to go on with that: s3move resume ${checkpoint}\n`)
  again.kill('SIGKILL')
  await again.finished
  const text = await run(['resume'], { cwd })
  expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining('would copy   12,000 objects') as string })
  expect(text.stderr).toMatch(/^going on with the dry run of .* ago, which had seen [\d,]+ objects$/m)
  expect(refusal(await run(['resume'], { cwd }))).toContain('no unfinished run here')
  expect(await contentOf(server, 'dst')).toEqual(new Map())
})

test('what is kept of a dry run is refused when it is damaged, and for what a dry run has not', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:12000', 'dst'], latency: 'list=60-120' })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--lanes', '3', '--dry-run', '--json']
  const { checkpoint = '' } = await interrupted(args, cwd, server, { operation: 'ListObjectsV2', requests: 6 })
  expect(refusal(await run(['resume', checkpoint, '--only-failed'], { cwd }))).toContain('has no failure ledger')
  const file = join(cwd, checkpoint, 'dry-run.json')
  const text = await readFile(file, 'utf8')
  for (const damaged of [text.slice(0, -20), text.replace('"copied":', '"copied":-'), text.replace('"src"', '7')]) {
    await writeFile(file, damaged)
    expect(refusal(await run(['resume', checkpoint], { cwd }))).toMatch(/is damaged, or of another version of s3move/)
  }
})

test('a dry run that cannot go on keeps what it has seen, and goes on once the cause is mended', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:12000', 'dst'], latency: 'list=60-120' })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--lanes', '3', '--dry-run']
  const running = start(args, { cwd })
  await until(() => (server.stats().byOperation.ListObjectsV2 ?? 0) >= 6, running)
  await server.fault('denied', '100%', 'ListObjectsV2')
  const stopped = await running.finished
  expect(stopped.code).toBe(4)
  expect(stopped.stderr).toMatch(/^what it has seen so far is kept; to go on with that: s3move resume \.s3move\/\S+$/m)
  await server.fault('denied', '0%', 'ListObjectsV2')
  const text = await run(['resume'], { cwd })
  expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining('would copy   12,000 objects') as string })
})

test('a dry run that is short leaves nothing behind', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:20', 'dst'] })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--dry-run']
  expect(await run(args, { cwd })).toMatchObject({ code: 0 })
  expect(await readdir(cwd)).toEqual([])
})

test('of AWS a dry run says what the run would cost, as plan does, and of a storage class that it does not have', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:3000', 'dst'] })
  const { env, aws } = await asAws(server)
  const args = ['copy', 's3://src', 's3://dst', ...aws]
  const { stdout } = await run([...args, '--dry-run'], { cwd, env })
  expect(stdout).toMatch(/^money {8}US\$ 0\.02 for the run, .*; s3move plan has the rows$/m)
  const slip = await run([...args, '--storage-class', 'GLACIERR', '--dry-run'], { cwd, env })
  expect(slip.stderr).toContain('--storage-class GLACIERR is none that AWS is known to have')
  expect(slip.stderr).toMatch(/did you mean GLACIER(_IR)?\?/)
  expect(stdout).not.toContain('storage-class')
  const plan = planIn((await run(['plan', ...args, '--json'], { cwd, env })).stdout)
  const rehearsed = planIn((await run([...args, '--dry-run', '--json'], { cwd, env })).stdout)
  expect(rehearsed.cost?.once).toBeCloseTo(plan.cost!.once, 4)
  expect(rehearsed.cost!.once).toBeGreaterThan(0.015)
})
