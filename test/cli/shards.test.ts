import { DeleteObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readShard } from '../../src/commands/options/shard-options.js'
import { contains } from '../../src/keys.js'
import { rangesOfShard, shardOf } from '../../src/rules/shards.js'
import { contentOf, expectCopiedOnce, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'
import { flagsOf } from '../support/parsed-flags.js'

const COPY = ['copy', 's3://src', 's3://dst']

interface Merged {
  readonly complete: boolean
  readonly shards: number
  readonly missing: readonly number[]
  readonly done: number
  readonly totals: { readonly copied: number; readonly bytes: number; readonly failedObjects: number }
  readonly verdicts?: Readonly<Record<string, number>>
  readonly runs: readonly { readonly shard: number; readonly state: string; readonly folder: string }[]
}

/** Cuts the keys of a job for so many shards, in the folder `plan`. */
async function cut(cwd: string, server: TestSandbox, n: number, words: readonly string[] = COPY): Promise<void> {
  const args = ['plan', ...words, '--shards', String(n), '--save', 'plan', '--endpoint-url', server.url]
  const { code, stderr } = await run(args, { cwd })
  expect([code, stderr]).toEqual([0, expect.stringContaining(`--plan plan --shard K/${n}`) as string])
}

/** The command lines of all shards of a job. */
function shardsOf(words: readonly string[], n: number, server: TestSandbox, kept = 'runs'): string[][] {
  const options = ['--plan', 'plan', '--endpoint-url', server.url]
  return Array.from({ length: n }, (_, at) => [
    ...words,
    ...['--shard', `${at + 1}/${n}`, '--checkpoint', `${kept}/${at + 1}`],
    ...options,
  ])
}

async function all(lines: readonly (readonly string[])[], cwd: string): Promise<Finished[]> {
  return await Promise.all(lines.map((line) => run(line, { cwd })))
}

async function merged(cwd: string, dirs: readonly string[]): Promise<Merged & { readonly code: number | undefined }> {
  const { code, stdout, stderr } = await run(['status', '--merge', ...dirs, '--json'], { cwd })
  expect(stderr).toBe('')
  return { ...(JSON.parse(stdout) as Merged), code }
}

async function boundariesIn(cwd: string): Promise<readonly string[]> {
  return (JSON.parse(await readFile(join(cwd, 'plan/plan.json'), 'utf8')) as { boundaries: string[] }).boundaries
}

describe('shards of a copy', () => {
  test('in processes of their own, of which one is killed with -9 and goes on, copy each object once', async () => {
    const cwd = await workFolder()
    const objects = 4_000
    const server = await sandbox({ buckets: [`src:odd:${objects}`, 'dst'], latency: 'copy=4-10' })
    await cut(cwd, server, 4)
    const words = [...COPY, '--shard', 'auto/4', '--plan', 'plan', '--endpoint-url', server.url, '--concurrency', '8']
    const running = Array.from({ length: 4 }, (_, at) =>
      start([...words, '--checkpoint', `runs/${at}`], { cwd, env: { JOB_COMPLETION_INDEX: String(at) } }),
    )
    const saved = async (): Promise<number> => {
      const text = await readFile(join(cwd, 'runs/1/checkpoint.json'), 'utf8').catch(() => undefined)
      return text === undefined ? 0 : (JSON.parse(text) as { totals: { copied: number } }).totals.copied
    }
    await until(async () => (await saved()) > 0, running[1])
    running[1]!.kill('SIGKILL')
    const ended = await Promise.all(running.map(({ finished }) => finished))
    expect(ended.map(({ code }) => code)).toEqual([0, undefined, 0, 0])

    const dirs = ['runs/0', 'runs/1', 'runs/2', 'runs/3']
    const killed = await merged(cwd, dirs)
    expect(killed).toMatchObject({ code: 3, complete: false, shards: 4, missing: [] })
    expect(killed.runs.map(({ state }) => state)).toEqual(['finished', 'unfinished', 'finished', 'finished'])
    const told = await run(['status', '--merge', ...dirs], { cwd })
    expect(told.stdout).toMatch(
      /^ {2}state {5}incomplete: 3 of 4 shards are finished\n {2}shard 2 {3}killed, .* s3move resume runs\/1$/m,
    )
    const without = await run(['status', '--merge', 'runs/3', 'runs/0', 'runs/1'], { cwd })
    expect([without.code, without.stdout]).toEqual([
      3,
      expect.stringContaining('shard 3 of 4: in none of these folders') as string,
    ])

    expect((await run(['resume', 'runs/1'], { cwd })).code).toBe(0)
    const done = await merged(cwd, dirs)
    expect(done).toMatchObject({ code: 0, complete: true, missing: [], done: objects, totals: { copied: objects } })
    expect((await run(['status', '--merge', ...dirs], { cwd })).stdout).toMatch(
      /complete: the 4 shards have every key once/,
    )
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect(server.stats().copies.dst!.unique).toBe(objects)
  })

  test('take in what was written since the plan, wherever that is, and each has a folder of its own', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (let i = 0; i < 20; i++) await put(server, 'src', `k${String(i).padStart(2, '0')}`)
    await cut(cwd, server, 3)
    for (const key of ['a', 'k05x', 'k06.1', 'k13', 'z', 'é', '\u{10ffff}'])
      await put(server, 'src', key, { Body: 'new' })
    const lines = shardsOf(COPY, 3, server).map((line) =>
      line.filter((word) => !/^(?:--checkpoint|runs\/\d)$/.test(word)),
    )
    expect((await all(lines, cwd)).map(({ code }) => code)).toEqual([0, 0, 0])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expectCopiedOnce(server, 'dst', 26)
    const { stdout } = await run(['runs', '--json'], { cwd })
    const folders = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { folder: string }).folder)
    expect(folders.sort()).toEqual(
      [1, 2, 3].map(
        (n) => expect.stringMatching(new RegExp(`^\\.s3move/src-to-dst-shard-${n}-of-3-[0-9a-f]{8}$`)) as string,
      ),
    )
    expect(await merged(cwd, folders)).toMatchObject({ code: 0, complete: true, totals: { copied: 26 } })
    // What it has done it does not do again unasked.
    expect(refusal(await run(lines[1]!, { cwd }))).toMatch(/this job finished/)
  })

  test('of which there are more than keys end at once, and say that they have none', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'a')
    await put(server, 'src', 'b')
    await cut(cwd, server, 4)
    const ended = await all(shardsOf(COPY, 4, server), cwd)
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    expect(ended[1]!.stderr).toContain('finished: shard 2 of 4 of s3://src/ has no objects, so nothing was copied')
    expect(ended[0]!.stderr).toContain('copying s3://src/ to s3://dst/, shard 1 of 4')
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['a', 'b'])
    expect(await merged(cwd, ['runs/1', 'runs/2', 'runs/3', 'runs/4'])).toMatchObject({
      code: 0,
      totals: { copied: 2 },
    })
  })

  test('tell what failed in any of them, and the exit code says so', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:300:denied=7', 'dst'] })
    await cut(cwd, server, 2)
    expect((await all(shardsOf(COPY, 2, server), cwd)).map(({ code }) => code)).toEqual([3, 3])
    const { code, complete, totals } = await merged(cwd, ['runs/1', 'runs/2'])
    expect([code, complete, totals.copied + totals.failedObjects]).toEqual([3, true, 300])
    const { stdout } = await run(['status', '--merge', 'runs/1', 'runs/2'], { cwd })
    expect(stdout).toMatch(/^ {2}shard 2 {3}\d+ failed; s3move failures runs\/2$/m)
  })

  test('that have ended are done, and end again as they did, where --or-resume starts them once more', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:400:denied=200', 'dst'] })
    await cut(cwd, server, 2)
    const lines = shardsOf(COPY, 2, server)
    const ended = await all(lines, cwd)
    expect(ended.map(({ code }) => code).sort()).toEqual([3, 3])
    const requests = server.stats().copies.dst?.total
    const again = await all(
      lines.map((line) => [...line, '--or-resume']),
      cwd,
    )
    for (const { code, stderr } of again)
      expect([code, stderr]).toEqual([
        3,
        expect.stringMatching(/^this shard finished .* ago \(.*\): nothing is done$/m),
      ])
    expect(server.stats().copies.dst?.total).toBe(requests)
    expect(refusal(await run(lines[0]!, { cwd }))).toContain('this job finished')
  })

  test('keep the boundaries that they began with', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000', 'dst'], latency: 'copy=4-10' })
    await cut(cwd, server, 2)
    const [first = []] = shardsOf(COPY, 2, server)
    const running = start([...first, '--concurrency', '4'], { cwd })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 50, running)
    running.kill('SIGTERM')
    expect((await running.finished).code).toBe(130)
    const plan = await readFile(join(cwd, 'plan/plan.json'), 'utf8')
    await writeFile(join(cwd, 'plan/plan.json'), plan.replace(/"boundaries": \[\s*"./, '$&0'))
    expect(refusal(await run([...first, '--or-resume'], { cwd }))).toMatch(
      /holds the checkpoint of another job.*"sharing"/,
    )
    await writeFile(join(cwd, 'plan/plan.json'), plan)
    expect((await run([...first, '--or-resume'], { cwd })).code).toBe(0)
    const [boundary = ''] = await boundariesIn(cwd)
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(
      [...(await contentOf(server, 'src')).keys()].filter((key) => key <= boundary),
    )
  })
})

describe('what only looks like all shards of one job is refused by status --merge:', () => {
  test('those of two plans, of two jobs, one twice, and runs of no shard', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'other', 'dst'] })
    for (const key of ['a', 'b', 'c', 'd']) await put(server, 'src', key)
    await cut(cwd, server, 2)
    await all(shardsOf(COPY, 2, server), cwd)
    await run([...COPY, '--checkpoint', 'whole', '--endpoint-url', server.url], { cwd })
    await put(server, 'src', '0')
    await put(server, 'src', '1')
    await cut(cwd, server, 2)
    await all(shardsOf(COPY, 2, server, 'later'), cwd)
    await cut(cwd, server, 2, ['copy', 's3://src', 's3://other'])
    await all(shardsOf(['copy', 's3://src', 's3://other'], 2, server, 'elsewhere'), cwd)
    const merge = async (...dirs: string[]): Promise<string> =>
      refusal(await run(['status', '--merge', ...dirs], { cwd }))
    expect(await merge('runs/1', 'later/2')).toMatch(/cut by two plans, so that keys may be in none of them, or in two/)
    expect(await merge('later/1', 'elsewhere/2')).toMatch(
      /of two jobs \(destination: s3:\/\/dst\/ and s3:\/\/other\/\)/,
    )
    expect(await merge('runs/1', 'runs/2', 'runs/2')).toMatch(/shard 2 of 2 is in two of the folders/)
    expect(await merge('runs/1', 'whole')).toMatch(/the run in whole is of no shard/)
    expect(await merge('runs/1', 'nowhere')).toMatch(/nowhere/)
    expect(await merge()).toMatch(/none was given/)
    expect(refusal(await run(['status', 'runs/1', 'runs/2'], { cwd }))).toMatch(/add --merge/)
    expect(refusal(await run(['status', '--merge', 'runs/1', '--watch'], { cwd }))).toMatch(
      /--merge does not go with --watch/,
    )
    expect(await merged(cwd, ['later/1', 'later/2'])).toMatchObject({ code: 0, complete: true })
  })
})

test('what cannot be shared out is refused before anything is asked, with the reason', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await put(server, 'src', 'a')
  await writeFile(join(cwd, 'keys'), 'a\n')
  await cut(cwd, server, 2)
  const asked = server.stats().byStatus
  const refused = async (...args: string[]): Promise<string> =>
    refusal(await run([...args, '--endpoint-url', server.url], { cwd }))
  expect(await refused(...COPY, '--shard', '1/2')).toMatch(/--shard needs a plan.*\n.*--shards 2 --save DIR/)
  expect(await refused(...COPY, '--shard', '1/3', '--plan', 'plan')).toMatch(
    /has 2 shards, and --shard asks for one of 3/,
  )
  expect(await refused(...COPY, '--shard', '3/2', '--plan', 'plan')).toMatch(/shards count from 1/)
  expect(await refused(...COPY, '--shard', 'auto/2', '--plan', 'plan')).toMatch(/none of JOB_COMPLETION_INDEX/)
  expect(await refused(...COPY, '--shard', '1/2', '--plan', 'plan', '--files-from', 'keys')).toMatch(
    /a list is read by its lines/,
  )
  expect(await refused('copy', 's3://src', `file://${cwd}/x`, '--shard', '1/2', '--plan', 'plan')).toMatch(
    /a folder is of one machine/,
  )
  expect(await refused(...COPY, '--shard', '1/2', '--plan', 'plan', '--map', 's/a/b/', '--no-clobber')).toMatch(
    /take turns/,
  )
  expect(await refused('sync', 's3://src', 's3://dst', '--shard', '1/2', '--plan', 'plan')).toMatch(
    /sync has no option --shard/,
  )
  expect(await refused('move', 's3://src', 's3://dst', '--shard', '1/2', '--plan', 'plan')).toMatch(
    /move has no option --shard/,
  )
  expect(await refused('plan', 'sync', 's3://src', 's3://dst', '--shards', '2', '--save', 'p')).toMatch(
    /sync is for one process/,
  )
  expect(await refused('plan', ...COPY, '--shards', '2')).toMatch(
    /--shards cuts the keys for processes.*\n.*add --save DIR/,
  )
  expect(await refused('plan', ...COPY, '--shard', '1/2', '--plan', 'plan', '--save', 'p')).toMatch(/--shard is a part/)
  expect(await refused('ls', 's3://src', '--plan', 'plan')).toMatch(/--shard is missing/)
  expect(await refused('ls', 's3://src', '--folders', '--shard', '1/2', '--plan', 'plan')).toMatch(/--folders/)
  expect(server.stats().byStatus).toEqual(asked)
  await run(['plan', ...COPY, '--save', 'unsharded', '--endpoint-url', server.url], { cwd })
  expect(await refused(...COPY, '--shard', '1/2', '--plan', 'unsharded')).toMatch(/has no shards/)
  // Where shards end says something of one place alone.
  expect(await refused('ls', 's3://dst', '--shard', '1/2', '--plan', 'plan')).toMatch(
    /the plan is of another place \(source: it has s3:\/\/src\//,
  )
  expect(await refused('copy', 's3://dst', 's3://src', '--shard', '1/2', '--plan', 'plan')).toMatch(
    /the plan is of another job/,
  )
  const plan = join(cwd, 'plan/plan.json')
  await writeFile(plan, (await readFile(plan, 'utf8')).replace(/"boundaries": \[[^\]]*\]/, '"boundaries": ["b", "a"]'))
  expect(await refused(...COPY, '--shard', '1/3', '--plan', 'plan')).toMatch(
    /boundaries\[1\] is before the one before it/,
  )
})

describe('shards of', () => {
  const OBJECTS = 3_000

  async function filled(): Promise<{ cwd: string; server: TestSandbox; options: string[] }> {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:dates:${OBJECTS}`, 'dst'] })
    await cut(cwd, server, 3)
    return { cwd, server, options: ['--endpoint-url', server.url] }
  }

  test('ls --sorted are the whole listing, one behind the other', async () => {
    const { cwd, server } = await filled()
    // Where shards end does not depend on what is done there.
    await cut(cwd, server, 3, ['delete', 's3://src', '--quick'])
    const lines = shardsOf(['ls', 's3://src', '--sorted', '--format', 'json'], 3, server)
    const parts = await all(lines, cwd)
    const whole = await run(['ls', 's3://src', '--sorted', '--format', 'json', '--endpoint-url', server.url], { cwd })
    expect(parts.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(parts.every(({ stdout }) => stdout !== '')).toBe(true)
    expect(parts.map(({ stdout }) => stdout).join('')).toBe(whole.stdout)
    expect(await merged(cwd, ['runs/1', 'runs/2', 'runs/3'])).toMatchObject({ code: 0, done: OBJECTS })
  })

  test('du add up, and verify too, and a difference is found in its shard', async () => {
    const { cwd, server, options } = await filled()
    await run([...COPY, ...options], { cwd })
    const totalOf = ({ stdout }: Finished): { objects: number; bytes: number } =>
      JSON.parse(stdout) as { objects: number; bytes: number }
    const parts = (await all(shardsOf(['du', 's3://src', '--format', 'json'], 3, server, 'du'), cwd)).map(totalOf)
    const whole = totalOf(await run(['du', 's3://src', '--format', 'json', ...options], { cwd }))
    expect(parts.reduce((sum, { objects }) => sum + objects, 0)).toBe(whole.objects)
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(whole.bytes)
    expect(whole.objects).toBe(OBJECTS)

    const verify = ['verify', 's3://src', 's3://dst']
    expect((await all(shardsOf(verify, 3, server), cwd)).map(({ code }) => code)).toEqual([0, 0, 0])
    const dirs = ['runs/1', 'runs/2', 'runs/3']
    expect(await merged(cwd, dirs)).toMatchObject({ code: 0, complete: true, verdicts: { same: OBJECTS } })
    const [boundary = ''] = await boundariesIn(cwd)
    await put(server, 'dst', `${boundary}0`, { Body: 'extra' })
    const again = await all(
      shardsOf(verify, 3, server, 'again').map((line) => [...line, '--to', `${line[4]!.replace('/', '-')}.ndjson`]),
      cwd,
    )
    expect(again.map(({ code }) => code)).toEqual([0, 3, 0])
    expect(await merged(cwd, ['again/1', 'again/2', 'again/3'])).toMatchObject({
      ...{ code: 3, complete: true },
      verdicts: { same: OBJECTS, extra: 1 },
    })
  })

  test('set-headers and delete do all of the bucket between them, and ask for the same consent', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    for (let i = 0; i < 9; i++) await put(server, 'src', `k${i}`)
    const headers = ['set-headers', 's3://src', '--cache-control', 'no-cache']
    await cut(cwd, server, 3, headers)
    expect((await all(shardsOf(headers, 3, server), cwd)).map(({ code }) => code)).toEqual([0, 0, 0])
    expect(await merged(cwd, ['runs/1', 'runs/2', 'runs/3'])).toMatchObject({ code: 0, totals: { copied: 9 } })
    await cut(cwd, server, 3, ['delete', 's3://src'])
    const lines = shardsOf(['delete', 's3://src'], 3, server, 'gone')
    expect(refusal(await run(lines[0]!, { cwd }))).toMatch(/every selected object.*would be deleted.*--yes/s)
    const [first, ...others] = lines.map((line) => [...line, '--yes'])
    expect((await run(first!, { cwd })).code).toBe(0)
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(['k3', 'k4', 'k5', 'k6', 'k7', 'k8'])
    await all(others, cwd)
    expect((await contentOf(server, 'src')).size).toBe(0)
  })

  test('delete --all-versions have all versions of a key in one', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:versioned'] })
    for (const Body of ['1', '2', '3']) for (let i = 0; i < 4; i++) await put(server, 'src', `k${i}`, { Body })
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'src', Key: 'k1' }))
    const words = ['delete', 's3://src', '--all-versions']
    await cut(cwd, server, 2, words)
    const left = async (): Promise<string[]> => {
      const { Versions = [], DeleteMarkers = [] } = await server.s3.send(
        new ListObjectVersionsCommand({ Bucket: 'src' }),
      )
      return [...Versions, ...DeleteMarkers].map(({ Key = '' }) => Key).sort()
    }
    expect(await left()).toHaveLength(13)
    const [first = [], second = []] = shardsOf(words, 2, server)
    expect((await run([...second, '--yes'], { cwd })).code).toBe(0)
    expect(await left()).toEqual(['k0', 'k0', 'k0', 'k1', 'k1', 'k1', 'k1'])
    expect((await run([...first, '--yes'], { cwd })).code).toBe(0)
    expect(await left()).toEqual([])
    expect(await merged(cwd, ['runs/1', 'runs/2'])).toMatchObject({ code: 0, complete: true })
  })

  test('verify DIR compare what the shard was to copy', async () => {
    const { cwd, server } = await filled()
    const [, second = []] = shardsOf(COPY, 3, server)
    expect((await run(second, { cwd })).code).toBe(0)
    const { code, stderr } = await run(['verify', 'runs/2'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/same +9\d\d objects|same +1,0\d\d objects/) as string])
  })
})

describe('a plan cuts shards of about as many objects', () => {
  const OBJECTS = 12_000
  const sizesBy = async (server: TestSandbox, boundaries: readonly string[]): Promise<number[]> => {
    const keys = [...(await contentOf(server, 'src')).keys()]
    const shards = Array.from({ length: boundaries.length + 1 }, (_, at) => rangesOfShard(shardOf(boundaries, at + 1)))
    const sizes = shards.map((ranges) => keys.filter((key) => ranges.some((range) => contains(range, key))).length)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(keys.length)
    return sizes
  }

  test.each(['hex', 'seq', 'dates', 'hot', 'deep', 'odd'])('of all objects (%s)', async (layout) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:${layout}:${OBJECTS}`, 'dst'] })
    await cut(cwd, server, 8)
    const sizes = await sizesBy(server, await boundariesIn(cwd))
    expect(Math.min(...sizes)).toBeGreaterThan((OBJECTS / 8) * 0.7)
    expect(Math.max(...sizes)).toBeLessThan((OBJECTS / 8) * 1.3)
  })

  test('of a sample', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:dates:${OBJECTS}`, 'dst'] })
    // Where each object has to be looked at, fewer are worth a sample.
    await cut(cwd, server, 4, [...COPY, '--no-clobber', '--quick'])
    const sizes = await sizesBy(server, await boundariesIn(cwd))
    expect(Math.min(...sizes)).toBeGreaterThan((OBJECTS / 4) * 0.5)
    expect(Math.max(...sizes)).toBeLessThan((OBJECTS / 4) * 1.6)
    const lines = shardsOf([...COPY, '--no-clobber'], 4, server)
    expect((await all(lines, cwd)).map(({ code }) => code)).toEqual([0, 0, 0, 0])
    expect(await merged(cwd, ['runs/1', 'runs/2', 'runs/3', 'runs/4'])).toMatchObject({
      code: 0,
      totals: { copied: OBJECTS },
    })
  })
})

describe('the examples for schedulers', () => {
  const CONTRIB = fileURLToPath(new URL('../../contrib/', import.meta.url))

  const shellWords = (line: string): string[] => line.replaceAll('"', '').trim().split(/\s+/)

  test('Kubernetes: an indexed Job with as many pods as shards', async () => {
    const { spec } = parse(await readFile(`${CONTRIB}kubernetes/s3move-shards.yaml`, 'utf8')) as {
      spec: {
        completions: number
        completionMode: string
        podFailurePolicy: { rules: { onExitCodes?: { containerName: string; values: number[] } }[] }
        template: { spec: { restartPolicy: string; containers: { name: string; args: string[] }[] } }
      }
    }
    const [{ name, args }] = spec.template.spec.containers as [{ name: string; args: string[] }]
    const flags = await flagsOf(args)
    expect(spec.completionMode).toBe('Indexed')
    expect(readShard(flags, { JOB_COMPLETION_INDEX: '7' })).toEqual({ number: 8, of: spec.completions })
    expect(flags).toMatchObject({ plan: '/plan', 'or-resume': true, checkpoint: '/runs/$(JOB_COMPLETION_INDEX)' })
    // Both need it, or are not understood.
    expect(spec.template.spec.restartPolicy).toBe('Never')
    expect(spec.podFailurePolicy.rules[1]).toMatchObject({ onExitCodes: { containerName: name, values: [2, 3] } })
  })

  test('AWS Batch: a job definition for an array', async () => {
    const { containerProperties } = JSON.parse(await readFile(`${CONTRIB}aws-batch/job-definition.json`, 'utf8')) as {
      containerProperties: { command: string[] }
    }
    const [, line = ''] = /exec s3move (.*)$/.exec(containerProperties.command[0]!) ?? []
    const flags = await flagsOf(shellWords(line))
    expect(readShard(flags, { AWS_BATCH_JOB_ARRAY_INDEX: '0', AWS_BATCH_JOB_ARRAY_SIZE: '8' })).toEqual({
      number: 1,
      of: 8,
    })
    expect(flags).toMatchObject({ plan: '/runs/plan', 'or-resume': true })
  })

  test('Slurm: an array with as many tasks as shards', async () => {
    const script = await readFile(`${CONTRIB}slurm/s3move-shards.sbatch`, 'utf8')
    const [, line = ''] = /^exec s3move (.*)$/m.exec(script.replaceAll('\\\n', '')) ?? []
    const [, last = ''] = /^#SBATCH --array=0-(\d+)$/m.exec(script) ?? []
    const flags = await flagsOf(shellWords(line))
    expect(readShard(flags, { SLURM_ARRAY_TASK_ID: last, SLURM_PROCID: '0' })).toEqual({ number: 8, of: 8 })
    expect(flags).toMatchObject({ plan: 'plan', 'or-resume': true })
  })
})
