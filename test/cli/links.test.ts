import { link, lstat, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'

describe('s3move resume never writes through a link', () => {
  /** A killed run in `run`, with these arguments. */
  async function killed(cwd: string, args: readonly string[], ready: () => boolean | Promise<boolean>): Promise<void> {
    const running = start(args, { cwd })
    await until(ready, running)
    running.kill('SIGKILL')
    await running.finished
  }

  const isThere = (path: string) => async (): Promise<boolean> =>
    ((await lstat(path).catch(() => undefined))?.size ?? 0) > 0

  test.each([
    ['checkpoint.json', 'symbolic'],
    ['checkpoint.json', 'hard'],
    ['failures.ndjson', 'symbolic'],
    ['failures.ndjson', 'hard'],
    ['moved.ndjson', 'symbolic'],
    ['failures.retrying.ndjson', 'symbolic'],
  ])('%s, a %s link', async (name, kind) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (let i = 0; i < 40; i++) await put(server, 'src', `k${i}`, { Body: 'x' })
    await server.fault('hang', '1/2', 'CopyObject')
    const args = ['move', '--yes', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    await killed(cwd, args, isThere(join(cwd, 'run/checkpoint.json')))
    const [path, victim] = [join(cwd, 'run', name), join(cwd, 'victim')]
    if ((await lstat(path).catch(() => undefined)) === undefined) await writeFile(victim, 'all that I have\n')
    else await rename(path, victim)
    await (kind === 'hard' ? link(victim, path) : symlink(victim, path))
    const before = await readFile(victim)
    await server.fault('hang', '0', 'CopyObject')
    const line = refusal(await run(['resume', 'run'], { cwd }))
    expect(line).toContain(`run/${name} is a link, and what is written to it would be written to another file`)
    expect(await readFile(victim)).toEqual(before)
    await rm(path)
    await rename(victim, path)
    if (name === 'failures.retrying.ndjson') await rm(path)
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(40)
  })

  test.each(['ls', 'verify'])('the output of %s', async (command) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20000', 'dst'], latency: 'list=50' })
    const places = command === 'ls' ? ['s3://src'] : ['s3://src', 's3://dst']
    const args = [
      command,
      ...places,
      '--to',
      'out',
      '--lanes',
      '1',
      '--checkpoint',
      'run',
      '--endpoint-url',
      server.url,
    ]
    await killed(cwd, args, isThere(join(cwd, 'out.part')))
    await rename(join(cwd, 'out.part'), join(cwd, 'victim'))
    await symlink('victim', join(cwd, 'out.part'))
    const before = await readFile(join(cwd, 'victim'))
    const linked = await run(['resume', 'run'], { cwd })
    expect([linked.code, linked.stderr]).toEqual([2, expect.stringContaining('out.part is a link') as string])
    // Nor does a new one.
    const anew = await run([...args, '--fresh'], { cwd })
    expect([anew.code, anew.stderr]).toEqual([2, expect.stringContaining('out.part is a link') as string])
    expect(await readFile(join(cwd, 'victim'))).toEqual(before)
  })
})

describe('the checkpoint folder', () => {
  /** Refused, and no file made. */
  const inside = (finished: Finished): string => {
    const line = refusal(finished)
    expect(line).toMatch(/lies in the (source|destination), file:/)
    return line
  }

  test('is refused in a folder that is a side, by whatever path', { timeout: 60_000 }, async () => {
    const cwd = await workFolder()
    const data = join(cwd, 'data')
    await mkdir(join(data, 'deep'), { recursive: true })
    await mkdir(join(cwd, 'beside'))
    await writeFile(join(data, 'deep/file'), 'x')
    await symlink(join(data, 'deep'), join(cwd, 'beside/in'))
    await symlink(data, join(cwd, 'alias'))
    const server = await sandbox({ buckets: ['bucket'] })
    const at = ['--endpoint-url', server.url]
    const [from, to, alias] = [`file://${data}`, `file://${data}/new`, `file://${cwd}/alias`]
    for (const checkpoint of [
      'data',
      'data/ck',
      'data/deep/../a/b',
      'beside/../data/x',
      'alias/x',
      'beside/in/x',
      `${data}/x`,
    ]) {
      inside(await run(['copy', from, 's3://bucket', '--checkpoint', checkpoint, ...at], { cwd }))
    }
    inside(await run(['copy', alias, 's3://bucket', '--checkpoint', 'data/x', ...at], { cwd }))
    for (const command of ['copy', 'sync', 'move']) {
      inside(await run([command, 's3://bucket', to, '--checkpoint', 'data/new/ck', ...at], { cwd }))
      inside(await run([command, from, 's3://bucket', '--dry-run', '--checkpoint', 'data/ck', ...at], { cwd }))
      // By itself it is below the working directory.
      expect(inside(await run([command, from, 's3://bucket', ...at], { cwd: join(data, 'deep') }))).toContain('.s3move')
    }
    for (const args of [
      ['ls', from],
      ['du', from],
      ['verify', from, 's3://bucket'],
      ['verify', 's3://bucket', from],
    ]) {
      inside(await run([...args, '--checkpoint', 'data/ck', ...at], { cwd }))
    }
    inside(await run(['ls', from, '--to', 'data/deep/list'], { cwd }))
    inside(await run(['verify', from, 's3://bucket', '--to', 'data/list', ...at], { cwd }))
    expect(server.stats().requests).toBe(0)
    // Without any it is nowhere, and beside it is fine.
    expect((await run(['ls', from], { cwd: data })).code).toBe(0)
    expect((await run(['copy', from, 's3://bucket', '--checkpoint', 'data2', ...at], { cwd })).code).toBe(0)
    expect([...(await contentOf(server, 'bucket')).keys()]).toEqual(['deep/file'])
    await rename(join(cwd, 'data2'), join(data, 'moved-in'))
    inside(await run(['resume', 'data/moved-in'], { cwd }))
  })
})
