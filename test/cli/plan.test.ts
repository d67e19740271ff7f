import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { offer } from '../support/price-offer.js'
import { run, workFolder } from '../support/cli-program.js'

interface Row {
  readonly kind: string
  readonly what: string
  readonly amount?: number
  readonly usd?: number
}

interface Plan {
  readonly groups: readonly {
    readonly fate: string
    readonly storageClass: string
    readonly objects: number
    readonly bytes: number
  }[]
  readonly losses?: {
    readonly looked: number
    readonly losses: readonly { readonly what: string; readonly objects: number; readonly example: string }[]
  }
  readonly cost: {
    readonly batch?: object
    readonly once: number
    readonly monthly: number
    readonly unknown: number
    readonly rows: readonly Row[]
  }
}

const HOSTILE = `<script>alert("x")</script>&'\u001b[31m`

/** A bucket with objects of two classes, of which some are at the destination already. */
async function filled(server: TestSandbox): Promise<void> {
  for (let i = 0; i < 12; i++) {
    const StorageClass = i % 4 === 0 ? 'STANDARD_IA' : undefined
    await put(server, 'src', `k${i}`, {
      Body: 'x'.repeat(1000 + i),
      ...(StorageClass === undefined ? {} : { StorageClass }),
    })
    if (i % 3 === 0) await put(server, 'dst', `k${i}`, { Body: 'x'.repeat(1000 + i) })
  }
  await put(server, 'dst', 'extra', { Body: 'extra' })
}

async function planned(args: readonly string[], cwd: string): Promise<Plan> {
  const { code, stdout, stderr } = await run(['plan', ...args, '--json'], { cwd })
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('s3move:') as string])
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Plan
}

describe('a plan counts what the run then does:', () => {
  test.each([
    'copy s3://dst',
    'copy s3://dst --no-clobber',
    'sync s3://dst --delete --yes',
    'move s3://dst --yes',
    'delete --yes',
    'set-headers --cache-control new',
  ])('%s', async (words) => {
    const [command = '', ...more] = words.split(' ')
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await filled(server)
    const args = [command, 's3://src', ...more, '--endpoint-url', server.url]
    const before = [await contentOf(server, 'src'), await contentOf(server, 'dst')]
    const { groups } = await planned(args, cwd)
    expect([await contentOf(server, 'src'), await contentOf(server, 'dst')]).toEqual(before)
    const done = await run([...args, '--json'], { cwd })
    expect(done.code).toBe(0)
    const { totals } = JSON.parse(done.stdout.trimEnd().split('\n').at(-1)!) as {
      readonly totals: {
        readonly copied: number
        readonly bytes: number
        readonly deleted: number
        readonly skipped: Readonly<Record<string, number>>
      }
    }
    const sum = (fate: string, of: 'objects' | 'bytes'): number =>
      groups.reduce((all, group) => all + (group.fate === fate ? group[of] : 0), 0)
    expect({
      ...{ copied: sum('written', 'objects'), bytes: sum('written', 'bytes'), deleted: sum('deleted', 'objects') },
      skipped: sum('skipped', 'objects'),
    }).toEqual({
      ...{ copied: totals.copied, bytes: totals.bytes, deleted: totals.deleted },
      skipped: Object.values(totals.skipped).reduce((all, n) => all + n, 0),
    })
  })
})

test('a plan prices requests, retrieval and storage by the file that it is given, and says what is unknown', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await filled(server)
  const file = await offer(cwd, { 'Requests-Tier1': '0.5', 'Requests-SIA-Tier1': '2', 'Retrieval-SIA': '7' })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
  const { cost } = await planned([...args, '--prices', file], cwd)
  // Nine in STANDARD and three in STANDARD_IA are two jobs.
  expect(cost.batch).toEqual({ jobs: 2, objects: expect.any(Number) as number, once: expect.closeTo(0.5, 4) as number })
  const of = (what: RegExp): Row[] => cost.rows.filter((row) => what.test(row.what))
  // Nine are in STANDARD, with the one that is tried before the listing; three are in STANDARD_IA.
  expect(of(/^CopyObject.*\(STANDARD\)/)).toMatchObject([{ kind: 'requests', usd: expect.any(Number) as number }])
  expect(of(/^CopyObject \(STANDARD_IA\)/)).toMatchObject([{ amount: 3, usd: 6 }])
  const read = 1000 + 1004 + 1008
  expect(cost.rows.find(({ kind }) => kind === 'retrieval')?.usd).toBeCloseTo((read / 1024 ** 3) * 7, 12)
  // How the bucket encrypts no listing tells.
  expect(cost.rows.filter(({ usd }) => usd === undefined).map(({ kind }) => kind)).toEqual(['kms'])
  const { stdout } = await run(['plan', ...args, '--prices', file], { cwd })
  expect(stdout).toMatch(/^money: US\$ \d+\.\d\d for the run.*not counting what is unknown \(requests to KMS/m)
  expect(stdout).toContain(`prices: ${file}, of 2026-10-30; AWS pricing pages`)
  expect(stdout).toMatch(
    /^by S3 Batch Operations \(s3move batch\): about US\$ 0\.50 more, 2 jobs at least, for \d+ objects/m,
  )
  const others = await planned(
    ['move', 's3://src', 's3://dst', '--yes', '--endpoint-url', server.url, '--prices', file],
    cwd,
  )
  expect(others.cost.batch).toBeUndefined()
})

test('restoring what is archived is priced by request, by what is retrieved, and by the days that it is kept', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (let i = 0; i < 3; i++)
    await put(server, 'src', `k${i}`, { Body: Buffer.alloc(2 ** 20), ...(i > 0 ? { StorageClass: 'GLACIER' } : {}) })
  const prices = await offer(cwd, {
    ...{ 'Requests-Tier5': '2', 'Bulk-Retrieval-Bytes': '1024', 'TimedStorage-ByteHrs': '1536' },
  })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--prices', prices]
  const { cost } = await planned([...args, '--restore', '9:bulk'], cwd)
  // Two objects at 2, two MiB at 1 each, and these for a third of a month at 1.5 each.
  expect(cost.rows.filter(({ kind }) => kind === 'restore')).toMatchObject([
    { what: 'RestoreObject (GLACIER, bulk)', amount: 2, usd: 4, atMost: true },
    { what: 'retrieving what is in GLACIER (bulk)', usd: 2, atMost: true },
    {
      what: 'what is restored from GLACIER, in STANDARD for 9 days and up to one more',
      usd: expect.closeTo(1, 9) as number,
    },
  ])
  expect((await planned(args, cwd)).cost.rows.filter(({ kind }) => kind === 'restore')).toEqual([])
})

describe('annotations of what is written are priced by the sample:', () => {
  const annotated = (cost: Plan['cost']): Row[] =>
    cost.rows.filter(({ what }) => /^annotations|^GetObjectAnnotation/.test(what))
  const OFFER = { 'Requests-Tier1': '0', 'Requests-Annotation-Tier1': '1', 'Requests-Annotation-Tier2': '10' }

  test('inside a store those that come along are writes, and those over 5 GiB are read, too', async () => {
    const cwd = await workFolder()
    // Three of the six have two annotations each, and one of these is large.
    const server = await sandbox({ buckets: ['src:seq:6:big=3,annotations=2', 'dst'] })
    const prices = await offer(cwd, OFFER)
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--prices', prices]
    const rows = annotated((await planned(args, cwd)).cost)
    const stats = { ...server.stats().byOperation }
    expect(rows.map(({ usd }) => usd)).toEqual([6, 20, expect.any(Number), expect.any(Number)])
    await run(args, { cwd })
    expect(server.stats().byOperation.GetObjectAnnotation).toBe(2)
    expect(stats.GetObjectAnnotation).toBeUndefined()
    for (const without of [
      ['--no-preserve', 'annotations'],
      ['--sample', '0'],
    ])
      expect(annotated((await planned([...args, ...without], cwd)).cost)).toEqual([])
  })

  test('between stores only with --preserve annotations', async () => {
    const cwd = await workFolder()
    const source = await sandbox({ buckets: ['src:seq:4:annotations=2'] })
    const destination = await sandbox({ buckets: ['dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--source-endpoint-url', source.url]
    args.push('--destination-endpoint-url', destination.url, '--prices', await offer(cwd, OFFER))
    expect(annotated((await planned(args, cwd)).cost)).toEqual([])
    const rows = annotated((await planned([...args, '--preserve', 'annotations'], cwd)).cost)
    expect(rows.map(({ usd }) => usd).slice(0, 2)).toEqual([4, 40])
  })

  test('in place no more is kept than before', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:4:annotations=2'] })
    const args = ['set-headers', 's3://src', '--cache-control', 'new', '--endpoint-url', server.url]
    const { cost } = await planned([...args, '--prices', await offer(cwd, OFFER)], cwd)
    expect(annotated(cost).map(({ usd }) => usd)).toEqual([4])
  })
})

test('what copies replace where versions are kept is priced by a look for the names of the sample', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst:versioned'] })
  for (let i = 0; i < 8; i++) await put(server, 'src', `k${i}`, { Body: 'x' })
  for (let i = 0; i < 4; i++) await put(server, 'dst', `new/k${i}`, { Body: Buffer.alloc(2 ** 20) })
  const prices = await offer(cwd, { 'TimedStorage-ByteHrs': '1024' })
  const args = ['copy', 's3://src', 's3://dst/new/', '--endpoint-url', server.url, '--prices', prices]
  const replaced = /^what copies replace, and stays as a version, in STANDARD: by a look for 8 of them$/
  const { cost } = await planned(args, cwd)
  // Four MiB.
  expect(cost.rows.filter(({ what }) => replaced.test(what))).toMatchObject([{ paid: 'monthly', usd: 4 }])
  for (const without of [['--no-clobber'], ['--sample', '0']]) {
    const { cost } = await planned([...args, ...without], cwd)
    expect(cost.rows.filter(({ what }) => what.includes('replace'))).toEqual([])
  }
})

test('of a store whose prices nobody knows the money is unknown', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await filled(server)
  const { cost } = await planned(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url], cwd)
  expect(cost.rows.length).toBeGreaterThan(0)
  expect(cost).toMatchObject({ once: 0, monthly: 0, unknown: cost.rows.length })
})

test('what copies would lose is told of a sample of all objects, wherever they are', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await filled(server)
  // The first object that is listed is not among them.
  for (const key of ['x1', 'x2']) await put(server, 'src', key, { Body: 'x', WebsiteRedirectLocation: '/elsewhere' })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
  const { losses } = await planned(args, cwd)
  expect(losses).toMatchObject({
    looked: 14,
    losses: [{ what: 'it has a website redirect: --preserve redirect keeps it', objects: 2, example: 'x1' }],
  })
  expect((await planned([...args, '--sample', '0'], cwd)).losses).toMatchObject({ looked: 0, losses: [] })
  const { stdout } = await run(['plan', ...args], { cwd })
  expect(stdout).toContain(
    '\nlosses, by a look at 14 objects, spread over all\n  2 of them (s3://src/x1): it has a website redirect',
  )
})

test('--to writes a page that runs nothing and loads nothing, whatever objects are called', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await put(server, 'src', HOSTILE, { Body: 'x', WebsiteRedirectLocation: '/elsewhere' })
  const args = ['plan', 'copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
  expect((await run([...args, '--to', 'plan.html'], { cwd })).code).toBe(0)
  const page = await readFile(join(cwd, 'plan.html'), 'utf8')
  expect(page).toMatch(/^<!doctype html>/)
  expect(page).toMatch(
    /Content-Security-Policy" content="default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'"/,
  )
  expect(page).toContain('&#60;script&#62;')
  expect(page).toContain('<svg ')
  expect(page).not.toMatch(/<script|\u001b|\son\w+=|href=|src=/)
  const json = await run([...args, '--to', 'plan.json'], { cwd })
  expect(json.code).toBe(0)
  expect(JSON.parse(await readFile(join(cwd, 'plan.json'), 'utf8'))).toMatchObject({
    type: 'plan',
    totals: { copied: 1 },
  })
})

test.each([
  [['plan'], 'plan needs a command'],
  [['plan', 'ls', 's3://a'], 'plan is for commands that change objects, and ls is none'],
  [['plan', 'copy', 's3://a', 's3://b', '--to', 'plan.doc'], 'does not say in which form'],
  [['plan', 'copy', 's3://a', 's3://b', '--sampel', '3'], 'copy has no option --sampel'],
  [['copy', 's3://a', 's3://b', '--sample', '3'], 'copy has no option --sample'],
])('%j is refused', async (args, message) => {
  const { code, stderr } = await run(args, { cwd: await workFolder() })
  expect([code, stderr]).toEqual([2, expect.stringContaining(message) as string])
})

test('a file of prices that is none is refused before the listing', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:3000', 'dst'] })
  await writeFile(join(cwd, 'prices.json'), '{}')
  const { code, stderr } = await run(
    ['plan', 'copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--prices', 'prices.json'],
    { cwd },
  )
  expect([code, stderr]).toEqual([2, expect.stringContaining('prices.json is no file of the AWS price list') as string])
})

test('plan -h and plan copy -h tell of the flags of both', async () => {
  const cwd = await workFolder()
  const [plan, copy] = [await run(['plan', '-h'], { cwd }), await run(['plan', 'copy', '--help'], { cwd })]
  expect(plan.stdout).toContain('--sample N')
  expect(copy.stdout).toContain('--sample N')
  expect(copy.stdout).toContain('--no-clobber')
})

describe('a plan that was saved', () => {
  test('is run by the command with --plan: in ranges that are cut, and with what is expected', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10000', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    const made = await run(['plan', ...args, '--save', 'the plan'], { cwd })
    expect([made.code, made.stderr]).toEqual([0, expect.stringContaining("to run it, add --plan 'the plan'") as string])
    const plan = JSON.parse(await readFile(join(cwd, 'the plan/plan.json'), 'utf8')) as Record<string, unknown>
    expect(plan).toMatchObject({ format: 's3move-plan/1', listed: 10_000, totals: { copied: 10_000 } })
    expect(plan.marks).toHaveLength(5)
    const { code, stdout } = await run([...args, '--plan', 'the plan', '--json'], { cwd })
    expect(code).toBe(0)
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(records.find(({ type }) => type === 'start')).toMatchObject({ pace: { expect: 10_000 } })
    expect(records.at(-1)).toMatchObject({ type: 'summary', totals: { copied: 10_000, failedObjects: 0 } })
    expect(await contentOf(server, 'dst')).toHaveLength(10_000)
  })

  test('is of one job: another is refused, and changes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'other'] })
    await filled(server)
    const connection = ['--endpoint-url', server.url]
    expect((await run(['plan', 'copy', 's3://src', 's3://dst', ...connection, '--save', 'p'], { cwd })).code).toBe(0)
    for (const other of [
      ['s3://src', 's3://other'],
      ['s3://src', 's3://dst', '--storage-class', 'STANDARD_IA'],
    ]) {
      const { code, stderr } = await run(['copy', ...other, ...connection, '--plan', 'p'], { cwd })
      expect([code, stderr]).toEqual([2, expect.stringContaining('the plan is of another job') as string])
    }
    expect(await contentOf(server, 'other')).toHaveLength(0)
  })

  test.each([
    ['{}', 'holds no plan that can be read'],
    ['{"format":"s3move-plan/9"}', 'holds no plan that can be read'],
    [undefined, 'holds no plan that can be read: it does not exist'],
  ])('is refused when it is %j', async (content, message) => {
    const cwd = await workFolder()
    if (content !== undefined) await writeFile(join(cwd, 'p.json'), content)
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--plan', 'p.json'], { cwd })
    expect([code, stderr]).toEqual([2, expect.stringContaining(message) as string])
  })
})
