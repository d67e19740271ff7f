import { existsSync } from 'node:fs'
import { copyFile, cp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, expectSame, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { run, start, until, workFolder, type Running } from '../support/cli-program.js'

const copied = (server: TestSandbox): number => server.stats().copies.dst?.unique ?? 0

/** A copy of 3,000 objects, of which some fail, in folder `run`: at work, saved, with failures in its ledger. */
async function atWork(cwd: string): Promise<{ server: TestSandbox; running: Running }> {
  const server = await sandbox({ buckets: ['src:hex:3000:denied=10', 'dst'], latency: 'copy=4-8' })
  const args = [
    'copy',
    's3://src',
    's3://dst',
    '--endpoint-url',
    server.url,
    '--concurrency',
    '8',
    '--checkpoint',
    'run',
  ]
  const running = start(args, { cwd })
  await until(async () => {
    const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => undefined)
    return text !== undefined && (JSON.parse(text) as Saved).ledger.entries > 20
  }, running)
  return { server, running }
}

async function failedKeys(cwd: string): Promise<string[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8').catch(() => '')
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => (JSON.parse(line) as { key: string }).key)
}

/** Goes on with the run of `atWork`: each object is copied or in the ledger, none in both. */
async function completes(cwd: string, server: TestSandbox): Promise<void> {
  expect((await run(['resume', 'run', '--concurrency', '64'], { cwd })).code).toBe(3)
  await isWhole(cwd, server)
}

async function isWhole(cwd: string, server: TestSandbox): Promise<void> {
  const there = await contentOf(server, 'dst')
  const all = [...(await contentOf(server, 'src')).keys()]
  expect((await failedKeys(cwd)).sort()).toEqual(all.filter((key) => !there.has(key)))
}

describe('a run whose folder is touched while it goes on', () => {
  test.each<
    [what: string, says: string, touch: (folder: string) => Promise<void>, mend: (folder: string) => Promise<void>]
  >([
    [
      'its failure ledger is removed',
      'run/failures.ndjson was removed while the run went on; it was written again',
      (folder) => rm(join(folder, 'failures.ndjson')),
      () => Promise.resolve(),
    ],
    [
      'its failure ledger is replaced by an empty one',
      'run/failures.ndjson was replaced by another file while the run went on',
      async (folder) => {
        await rename(join(folder, 'failures.ndjson'), join(folder, 'old'))
        await writeFile(join(folder, 'failures.ndjson'), '')
      },
      (folder) => rename(join(folder, 'old'), join(folder, 'failures.ndjson')),
    ],
    [
      'its checkpoint is removed',
      'run/checkpoint.json was removed while the run went on; it was written again',
      (folder) => rm(join(folder, 'checkpoint.json')),
      () => Promise.resolve(),
    ],
    [
      'its folder is moved',
      'the checkpoint folder run was moved or removed while the run went on',
      (folder) => rename(folder, `${folder}.elsewhere`),
      (folder) => rename(`${folder}.elsewhere`, folder),
    ],
    [
      'its folder is replaced by a copy',
      'the checkpoint folder run was ',
      async (folder) => {
        await rename(folder, `${folder}.old`)
        await cp(`${folder}.old`, folder, { recursive: true })
      },
      async (folder) => {
        await rm(folder, { recursive: true })
        await rename(`${folder}.old`, folder)
      },
    ],
  ])('when %s it stops with exit code 4, says so, and can be resumed', async (_, says, touch, mend) => {
    const cwd = await workFolder()
    const { server, running } = await atWork(cwd)
    await touch(join(cwd, 'run'))
    const { code, stderr } = await running.finished
    expect(stderr).toContain(says)
    expect(code).toBe(4)
    expect(copied(server)).toBeLessThan(2700)
    await mend(join(cwd, 'run'))
    await completes(cwd, server)
  })

  test('when its folder is removed it stops with exit code 4, and makes none', async () => {
    const cwd = await workFolder()
    const { running } = await atWork(cwd)
    await rm(join(cwd, 'run'), { recursive: true })
    const { code, stderr } = await running.finished
    expect([code, await readdir(cwd)]).toEqual([4, []])
    expect(stderr).toContain('the checkpoint folder run was moved or removed while the run went on')
  })
})

describe('two processes on one checkpoint', () => {
  test.each([
    ['its lock was deleted', (folder: string) => rm(join(folder, 'lock.1'), { recursive: true })],
    [
      'it was seen as one of before the last start of the machine',
      async (folder: string) => {
        const path = join(folder, 'lock.1/holder.json')
        const holder = JSON.parse(await readFile(path, 'utf8')) as object
        await writeFile(path, JSON.stringify({ ...holder, boot: 'another' }))
      },
    ],
  ])('the first stops at its next save when %s; the second loses nothing', async (title, loosen) => {
    const cwd = await workFolder()
    const { server, running } = await atWork(cwd)
    if (title.startsWith('it was seen') && process.platform !== 'linux') return
    await loosen(join(cwd, 'run'))
    const second = await run(['resume', 'run', '--concurrency', '16'], { cwd })
    const first = await running.finished
    expect([first.code, second.code]).toEqual([4, 3])
    expect(first.stderr).toContain('another process has taken the run in run over: its checkpoint is that of session 2')
    expect(first.stderr).toContain('Let the other process go on')
    await isWhole(cwd, server)
  })

  test('a job that was begun anew in the folder stops the one of before', async () => {
    const cwd = await workFolder()
    const { server, running } = await atWork(cwd)
    await rm(join(cwd, 'run/lock.1'), { recursive: true })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run', '--fresh']
    const second = await run([...args, '--concurrency', '16'], { cwd })
    expect([(await running.finished).code, second.code]).toEqual([4, 3])
    await isWhole(cwd, server)
  })
})

describe('the output of s3move ls --to', () => {
  const LS = ['ls', 's3://src', '--to', 'keys', '--checkpoint', 'run', '--lanes', '2']

  async function listing(cwd: string): Promise<Running> {
    const server = await sandbox({ buckets: ['src:hex:200k'], latency: 'list=30-60' })
    const running = start([...LS, '--endpoint-url', server.url], { cwd })
    await until(async () => (await readFile(join(cwd, 'keys.part')).catch(() => '')).length > 100_000, running)
    return running
  }

  test.each<[what: string, says: string, touch: (part: string) => Promise<void>]>([
    ['removed', 'keys.part was removed while the run went on', (part) => rm(part)],
    [
      'replaced',
      'keys.part was replaced by another file while the run went on',
      async (part) => {
        await copyFile(part, `${part}.copy`)
        await rename(`${part}.copy`, part)
      },
    ],
  ])('that is %s while it is written stops it with exit code 4', async (_, says, touch) => {
    const cwd = await workFolder()
    const running = await listing(cwd)
    await touch(join(cwd, 'keys.part'))
    const { code, stderr } = await running.finished
    expect(stderr).toContain(says)
    expect([code, existsSync(join(cwd, 'keys'))]).toEqual([4, false])
  })

  test('that was changed between two sessions is refused, and left alone', async () => {
    const cwd = await workFolder()
    const running = await listing(cwd)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    const part = join(cwd, 'keys.part')
    const text = await readFile(part, 'utf8')
    const lines = text.split('\n')
    const swapped = [lines[1], lines[0], ...lines.slice(2)].join('\n')
    expect(swapped).not.toBe(text)
    await writeFile(part, swapped)
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    expect(stderr).toContain('keys.part, which holds what was written so far: it was changed')
    expect([code, await readFile(part, 'utf8')]).toEqual([2, swapped])
    await writeFile(part, text)
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect((await readFile(join(cwd, 'keys'), 'utf8')).split('\n').length).toBe(200_001)
  })
})

describe('s3move resume, with a checkpoint that does not prove itself', () => {
  test.each<[title: string, change: (saved: Saved) => void, says: string]>([
    [
      'a key of a range has another digit',
      ({ ranges }) => (ranges[0]!.after = `${ranges[0]!.after ?? ''}0`),
      'its checksum tells',
    ],
    ['no range is left', (saved) => (saved.ranges = []), 'its checksum tells'],
    ['a count is another', (saved) => saved.listed++, 'its checksum tells'],
    ['the checksum is gone', (saved) => delete saved.checksum, 'checksum is missing'],
    [
      'it says that it is of the format before and no range is left',
      (saved) => {
        delete saved.checksum
        Object.assign(saved, { format: 1, ranges: [], history: [] })
      },
      'is damaged',
    ],
  ])('is refused when %s, and nothing is copied', async (_, change, says) => {
    const cwd = await workFolder()
    const { server, running } = await atWork(cwd)
    running.kill('SIGKILL')
    await running.finished
    const path = join(cwd, 'run/checkpoint.json')
    const whole = await readFile(path, 'utf8')
    const saved = JSON.parse(whole) as Saved
    change(saved)
    await writeFile(path, JSON.stringify(saved))
    await until(() => server.stats().inFlight.now === 0)
    const before = copied(server)
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    expect(stderr).toContain(says)
    expect([code, copied(server)]).toEqual([2, before])
    await writeFile(path, whole)
    await completes(cwd, server)
  })

  test('goes on with one of the format before, which had none', async () => {
    const cwd = await workFolder()
    const { server, running } = await atWork(cwd)
    running.kill('SIGKILL')
    await running.finished
    const path = join(cwd, 'run/checkpoint.json')
    const saved = JSON.parse(await readFile(path, 'utf8')) as Saved
    delete saved.checksum
    delete saved.ledger.sha256
    const history = [{ at: '2026-01-01T00:00:00.000Z', settled: 0, bytes: 0, throttled: 0 }]
    await writeFile(path, JSON.stringify({ ...saved, format: 1, ranges: saved.ranges.reverse(), history }))
    await completes(cwd, server)
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ format: 2, state: 'finished' })
  })

  test('is refused when a line of its ledger was changed, before anything is asked of the store', async () => {
    const cwd = await workFolder()
    const { server, running } = await atWork(cwd)
    running.kill('SIGKILL')
    await running.finished
    const path = join(cwd, 'run/failures.ndjson')
    await writeFile(path, (await readFile(path, 'utf8')).replace('AccessDenied', 'AccessDenyed'))
    await until(() => server.stats().inFlight.now === 0)
    const before = server.stats().requests
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    expect(stderr).toContain('the failure ledger run/failures.ndjson was changed')
    expect([code, server.stats().requests]).toEqual([2, before])
  })

  test('a list of which a part was changed, its size and time as before, is refused', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:6000', 'dst'], latency: 'copy=4-8' })
    const keys = [...(await contentOf(server, 'src')).keys()]
    const list = join(cwd, 'list')
    // Behind the first 64 KiB.
    await writeFile(list, `${[...keys, ...keys, ...keys].join('\n')}\n`)
    await utimes(list, 1.7e9, 1.7e9)
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--files-from', 'list']
    const running = start([...args, '--concurrency', '8', '--checkpoint', 'run'], { cwd })
    await until(() => copied(server) > 50, running)
    running.kill('SIGKILL')
    await running.finished
    const { size } = await stat(list)
    const text = await readFile(list, 'utf8')
    await writeFile(list, `${text.slice(0, -3)}${text.at(-3) === 'x' ? 'y' : 'x'}${text.slice(-2)}`)
    await utimes(list, 1.7e9, 1.7e9)
    expect((await stat(list)).size).toBe(size)
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    expect([code, stderr]).toEqual([2, expect.stringContaining('list')])
    await writeFile(list, text)
    await utimes(list, 1.7e9, 1.7e9)
    expect((await run(['resume', 'run', '--concurrency', '256'], { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })
})

interface Saved {
  ranges: { after?: string }[]
  listed: number
  checksum?: string
  ledger: { entries: number; sha256?: string }
}
