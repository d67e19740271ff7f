import { spawnSync } from 'node:child_process'
import { chmod, chown, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, type TestContext } from 'vitest'
import { fill, smallDisk } from '../support/checkpoint-disk.js'
import { contentOf, expectSame, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, PROGRAM, run, start, until, workFolder } from '../support/cli-program.js'

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0

const copies = (server: TestSandbox): number => server.stats().copies.dst?.total ?? 0

/** Skips the test when the superuser runs it and nobody else can run the program. */
function user({ skip }: TestContext): number | undefined {
  if (process.platform === 'win32') skip('modes are not kept on this platform')
  if (!isRoot) return undefined
  const works = spawnSync(process.execPath, [PROGRAM, '--version'], { uid: NOBODY, cwd: '/' }).status === 0
  if (!works) skip('the program is in a folder that only the superuser can read')
  return NOBODY
}

describe('the folder of a run', () => {
  test('its files can be read by their owner only, and hold no secret; nor does the output', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:500:denied=10', 'dst'] })
    const token = 'FwoGZXIvYXdzTOKEN/of+the==tests'
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '-v']
    const env = { AWS_SESSION_TOKEN: token, HTTP_PROXY: '', AWS_PROFILE: undefined }
    const finished = await run(args, { cwd, env })
    const again = await run(['resume', '--only-failed', '--json'], { cwd, env })
    const told = await run(['status', '--json'], { cwd, env })
    expect([finished.code, again.code, told.code]).toEqual([3, 3, 0])
    const names = await readdir(cwd, { recursive: true })
    expect(names.filter((name) => /checkpoint\.json$|failures\.ndjson$/.test(name)).length).toBe(2)
    const texts = [finished, again, told].map(({ stdout, stderr }) => stdout + stderr)
    for (const name of names) {
      const path = join(cwd, name)
      const info = await stat(path)
      expect([name, info.mode & 0o777]).toEqual([name, info.isDirectory() ? 0o700 : 0o600])
      if (info.isFile()) texts.push(await readFile(path, 'utf8'))
    }
    for (const text of texts) {
      for (const secret of [CREDENTIALS.secretAccessKey, token, CREDENTIALS.accessKeyId]) {
        expect(text.includes(secret)).toBe(false)
        expect(text.includes(encodeURIComponent(secret))).toBe(false)
      }
    }
  })

  test('a file in its way is told, and nothing is copied', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    await writeFile(join(cwd, 'run'), 'mine')
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run/here']
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^s3move: .*a file is in the way\n {8}.*\n$/) as string])
    expect(copies(server)).toBe(0)
  })

  test('one that cannot be written stops the run before the first copy', async (context) => {
    const uid = user(context)
    const cwd = await workFolder()
    await chmod(cwd, 0o555)
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    const { code, stderr } = await run(args, { cwd, ...(uid === undefined ? {} : { uid }) })
    await chmod(cwd, 0o755)
    expect([code, stderr]).toEqual([4, expect.stringMatching(/^s3move: .*permission denied\n {8}.*\n$/) as string])
    expect(copies(server)).toBe(0)
  })

  test('one that becomes unwritable on the way stops the run, which can be resumed', async (context) => {
    const uid = user(context)
    const cwd = await workFolder()
    if (uid !== undefined) await chown(cwd, uid, uid)
    const server = await sandbox({ buckets: ['src:seq:4000', 'dst'], latency: 'copy=8-12' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const as = { cwd, ...(uid === undefined ? {} : { uid }) }
    const running = start([...args, '--concurrency', '8'], as)
    await until(() => copies(server) >= 200, running)
    await chmod(join(cwd, 'run'), 0o555)
    if (uid !== undefined) await chown(join(cwd, 'run'), 0, 0)
    const { code, stderr } = await running.finished
    expect(code).toBe(4)
    expect(stderr).toMatch(/stopped before it finished \(cannot save run\/checkpoint\.json: permission denied\)/)
    expect(stderr).toContain('s3move resume run')
    if (uid !== undefined) await chown(join(cwd, 'run'), uid, uid)
    await chmod(join(cwd, 'run'), 0o700)
    expect((await run(['resume', 'run', '--concurrency', '64'], as)).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('a disk that is full for a while is borne with: the work goes on, and all is saved in the end', async ({
    skip,
  }) => {
    const disk = await smallDisk()
    if (disk === undefined) skip('only the superuser of a Linux can mount a small disk')
    onTestFinished(() => disk!.remove())
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:4000:denied=400', 'dst'], latency: 'copy=8-12' })
    const folder = join(disk!.path, 'run')
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', folder]
    const running = start([...args, '--concurrency', '16'], { cwd })
    await until(() => copies(server) >= 200, running)
    await fill(disk!.path)
    await until(() => running.stderr().includes('the disk is full'), running)
    const then = copies(server)
    await until(() => copies(server) >= then + 500, running)
    await rm(join(disk!.path, 'ballast'))
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([3, expect.stringContaining('can be saved again') as string])
    const ledger = (await readFile(join(folder, 'failures.ndjson'), 'utf8')).trimEnd().split('\n')
    expect([ledger.length, server.stats().copies.dst?.duplicates]).toEqual([10, 0])
    expect((await run(['resume', folder], { cwd })).code).toBe(3)
    expect(copies(server)).toBe(3990)
  })

  test('a disk that is full stops the run, which can be resumed once there is room', async ({ skip }) => {
    const disk = await smallDisk()
    if (disk === undefined) skip('only the superuser of a Linux can mount a small disk')
    onTestFinished(() => disk!.remove())
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:4000:denied=400', 'dst'], latency: 'copy=8-12' })
    const folder = join(disk!.path, 'run')
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', folder]
    const running = start([...args, '--concurrency', '8', '--retry-for', '0s'], { cwd })
    await until(() => copies(server) >= 200, running)
    await fill(disk!.path)
    const { code, stderr } = await running.finished
    expect(code).toBe(4)
    expect(stderr).toContain('the disk is full')
    expect(stderr).toContain(`s3move resume ${folder}`)
    await rm(join(disk!.path, 'ballast'))
    expect((await run(['resume', folder, '--concurrency', '64'], { cwd })).code).toBe(3)
    const ledger = (await readFile(join(folder, 'failures.ndjson'), 'utf8')).trimEnd().split('\n')
    const failed = new Set(ledger.map((line) => (JSON.parse(line) as { key: string }).key))
    const source = await contentOf(server, 'src')
    expectSame(await contentOf(server, 'dst'), new Map([...source].filter(([key]) => !failed.has(key))))
    expect(failed.size).toBe(10)
  })
})
