import { GetObjectCommand, GetObjectTaggingCommand } from '@aws-sdk/client-s3'
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf, ledgerOf } from '../support/batch-runs.js'
import { contentOf, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { CONFIGURATION, deliver } from '../support/delivered-inventory.js'

/** One page after the other, each of which takes longer than a save. */
const SLOWLY = [...ASKED, '--lanes', '1', '--concurrency', '16', '--yes']
const LATENCY = 'list=400,head=3'
const SET = ['batch', 'set-headers', 's3://src', ...SLOWLY]

/** Objects differ in these, and in whether their names begin with so few digits that no job is worth it, or with one of the first eight. */
const RULES = [
  ['["00*"]', 'rare'],
  ['["[0-7]*"]', 'first'],
  ['["*"]', 'second'],
]
  .map(
    ([keys, value]) =>
      `  - match: { key: ${keys} }\n    set: { cache-control: ${value}, content-type: a/b }\n` +
      '    remove: [expires, content-encoding, content-language, content-disposition, x-amz-meta-origin, x-amz-meta-owner]\n',
  )
  .join('')

const wanted = (key: string): string => (key.startsWith('00') ? 'rare' : /^[0-7]/.test(key) ? 'first' : 'second')

interface Saved {
  readonly listed: number
  readonly batch: {
    readonly planned: boolean
    readonly planning?: { readonly entries: number }
    readonly jobs: readonly { readonly manifest: string; readonly fields: readonly (readonly [string, string])[] }[]
  }
}

/** What the run in `run` has saved last; nothing before its first save. */
async function saved(cwd: string): Promise<Saved | undefined> {
  const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Saved)
}

/** The objects of each manifest that a run has written, by all that they are to have, and those that are left to s3move itself. */
async function planOf(
  { s3 }: TestSandbox,
  cwd: string,
): Promise<{ inJobs: [key: string, fields: string][]; own: string[] }> {
  const { batch } = (await saved(cwd))!
  expect(batch.planned).toBe(true)
  const inJobs: [string, string][] = []
  for (const { manifest, fields } of batch.jobs) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'own', Key: manifest }))
    for (const row of (await Body!.transformToString()).split('\n').slice(0, -1)) {
      inJobs.push([decodeURIComponent(row.slice('src,'.length)), JSON.stringify(fields)])
    }
  }
  return { inJobs, own: (await ledgerOf(cwd)).map(({ key }) => key) }
}

/** Runs until `condition`, and is killed then. Answers what it has said. */
async function killedWhen(
  args: readonly string[],
  cwd: string,
  condition: () => boolean | Promise<boolean>,
): Promise<string> {
  const running = start(args, { cwd })
  await until(condition, running)
  running.kill('SIGKILL')
  return (await running.finished).stderr
}

/** Goes on with a run until its manifests are written, and kills it then. */
async function goOnUntilPlanned(cwd: string): Promise<string> {
  return await killedWhen(['resume', 'run', '--yes'], cwd, async () => (await saved(cwd))?.batch.planned === true)
}

/** Half a line at the end of both ledgers, as a power cut leaves it. */
async function tear(cwd: string): Promise<void> {
  await appendFile(join(cwd, 'run/header-sets.ndjson'), '{"key":"0000000000000000","size":12,"etag":"\u0000\u0000')
  await appendFile(join(cwd, 'run/failures.ndjson'), '{"key":"ffff')
}

async function expectPlanned(server: TestSandbox, cwd: string, keys: readonly string[]): Promise<void> {
  const { inJobs, own } = await planOf(server, cwd)
  expect([...inJobs.map(([key]) => key), ...own].sort()).toEqual([...keys].sort())
  expect(inJobs.filter(([key, fields]) => !fields.includes(`["cache-control","${wanted(key)}"]`))).toEqual([])
  expect(own.filter((key) => wanted(key) !== 'rare')).toEqual([])
}

const headsOf = (server: TestSandbox): number => server.stats().byOperation.HeadObject ?? 0

describe('kill -9 while s3move batch looks at objects, then s3move resume', () => {
  test('no object that was saved is looked at again, each is in one manifest or left to s3move, and torn ledgers are mended', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:5000', 'own'], latency: LATENCY })
    await writeFile(join(cwd, 'rules.yaml'), `rules:\n${RULES}`)
    const keys = [...(await contentOf(server, 'src')).keys()]
    let args: readonly string[] = [...SET, '--rules', 'rules.yaml', '--endpoint-url', server.url]
    for (let kill = 0; kill < 3; kill++) {
      const before = (await saved(cwd))?.listed ?? 0
      await killedWhen(args, cwd, async () => ((await saved(cwd))?.listed ?? 0) >= before + 1)
      args = ['resume', 'run', '--yes']
      if (kill === 1) await tear(cwd)
    }
    const { listed, batch } = (await saved(cwd))!
    expect([batch.planned, listed >= 3, listed < 5000]).toEqual([false, true, true])
    const before = headsOf(server)
    await goOnUntilPlanned(cwd)
    expect(headsOf(server) - before).toBe(5000 - listed)
    await expectPlanned(server, cwd, keys)
    const end = await run(['resume', 'run', '--yes'], { cwd })
    expect([end.code, end.stderr]).toEqual([
      0,
      expect.stringContaining('5,000 objects rewritten, none skipped, none failed'),
    ])
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete'])
    expect(server.stats().copies.src).toMatchObject({ total: 5000 })
  })

  test('in the middle of the manifests, nothing is looked at again and they are written anew', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000', 'own'], latency: 'put=1000' })
    await writeFile(join(cwd, 'rules.yaml'), `rules:\n${RULES}`)
    const keys = [...(await contentOf(server, 'src')).keys()]
    const args = [...SET, '--rules', 'rules.yaml', '--endpoint-url', server.url]
    await killedWhen(args, cwd, () => (server.stats().byOperation.PutObject ?? 0) > 0)
    expect(await saved(cwd)).toMatchObject({ listed: 3000, batch: { planned: false } })
    await tear(cwd)
    await goOnUntilPlanned(cwd)
    expect(headsOf(server)).toBe(3000)
    await expectPlanned(server, cwd, keys)
  })

  test('by tags, each object is looked at once but for those under way, and has the tags that it is to have', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000:tags=9', 'own'], latency: 'list=400,other=3' })
    const keys = [...(await contentOf(server, 'src')).keys()]
    const looks = (): number => server.stats().byOperation.GetObjectTagging ?? 0
    const args = ['batch', 'set-tags', 's3://src', '--tag', 'new=1', ...SLOWLY, '--endpoint-url', server.url]
    await killedWhen(args, cwd, async () => ((await saved(cwd))?.listed ?? 0) > 0)
    const { listed } = (await saved(cwd))!
    const before = looks()
    await goOnUntilPlanned(cwd)
    expect([looks() - before, listed < 3000]).toEqual([3000 - listed, true])
    const { inJobs, own } = await planOf(server, cwd)
    expect([...inJobs.map(([key]) => key), ...own].sort()).toEqual([...keys].sort())
    expect(new Set(inJobs.map(([, fields]) => fields))).toEqual(new Set(['[["new","1"]]']))
    const tagged = async (Key: string): Promise<boolean> =>
      (await server.s3.send(new GetObjectTaggingCommand({ Bucket: 'src', Key }))).TagSet!.length > 0
    expect(await Promise.all(own.slice(0, 40).map(tagged))).not.toContain(false)
    expect(await Promise.all(inJobs.slice(0, 40).map(([key]) => tagged(key)))).not.toContain(true)
  })

  test('by an S3 Inventory, no row that was saved is looked at again', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:4000', 'own', 'inv'], latency: LATENCY })
    await writeFile(join(cwd, 'rules.yaml'), `rules:\n${RULES}`)
    const listing = [...(await contentOf(server, 'src'))]
    const rows = listing.map(([key, { size, etag }]) => ({ key, size, etag: etag.replaceAll('"', '') }))
    await deliver(server, rows, { perFile: 700 })
    const from = ['--files-from', `s3://inv/${CONFIGURATION}`]
    const args = [...SET, '--rules', 'rules.yaml', ...from, '--endpoint-url', server.url]
    await killedWhen(args, cwd, async () => ((await saved(cwd))?.listed ?? 0) > 0)
    await tear(cwd)
    const { listed } = (await saved(cwd))!
    const before = headsOf(server)
    await goOnUntilPlanned(cwd)
    // The manifest of the inventory, its checksum and its files are looked at too.
    const looks = headsOf(server) - before
    expect([looks >= 4000 - listed, looks <= 4000 - listed + 12, listed < 4000]).toEqual([true, true, true])
    await expectPlanned(
      server,
      cwd,
      rows.map(({ key }) => key),
    )
  })
})

describe('s3move batch that is stopped while it looks at objects', () => {
  test('by Ctrl-C says how to go on, and goes on from there', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:4000', 'own'], latency: LATENCY })
    await writeFile(join(cwd, 'rules.yaml'), `rules:\n${RULES}`)
    const keys = [...(await contentOf(server, 'src')).keys()]
    const running = start([...SET, '--rules', 'rules.yaml', '--endpoint-url', server.url], { cwd })
    await until(async () => ((await saved(cwd))?.listed ?? 0) > 0, running)
    running.kill('SIGINT')
    const end = await running.finished
    expect([end.code, end.stderr]).toEqual([130, expect.stringContaining('s3move resume run')])
    const { listed } = (await saved(cwd))!
    expect(listed).toBeLessThan(4000)
    expect((await run(['status', 'run', '--json'], { cwd })).stdout).toContain('it was interrupted')
    const before = headsOf(server)
    expect(await goOnUntilPlanned(cwd)).toContain(
      `${listed.toLocaleString('en')} objects were looked at before, and are not again: what was changed of their headers since may be lost`,
    )
    expect(headsOf(server) - before).toBe(4000 - listed)
    await expectPlanned(server, cwd, keys)
  })

  test('refuses a ledger of looks that was changed since, and takes no part of it for whole', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:4000', 'own'], latency: LATENCY })
    await writeFile(join(cwd, 'rules.yaml'), `rules:\n${RULES}`)
    const args = [...SET, '--rules', 'rules.yaml', '--endpoint-url', server.url]
    await killedWhen(args, cwd, async () => ((await saved(cwd))?.batch.planning?.entries ?? 0) > 0)
    const path = join(cwd, 'run/header-sets.ndjson')
    const whole = await readFile(path)
    await writeFile(path, whole.toString().replace('"size":1', '"size":2'))
    expect(refusal(await run(['resume', 'run', '--yes'], { cwd }))).toContain('it is not what was saved')
    await truncate(path, 100)
    expect(refusal(await run(['resume', 'run', '--yes'], { cwd }))).toContain('but the checkpoint counts on')
    await writeFile(path, whole)
    const before = headsOf(server)
    const { listed } = (await saved(cwd))!
    await goOnUntilPlanned(cwd)
    expect(headsOf(server) - before).toBe(4000 - listed)
  })
})
