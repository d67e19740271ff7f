import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, expectCopiedOnce, expectSame, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, PROGRAM, run, start, until, workFolder } from '../support/cli-program.js'

const COUNT = 1500
const copied = (server: TestSandbox): number => server.stats().copies.dst?.unique ?? 0
const has = (command: string): boolean => spawnSync(command, ['--version']).error === undefined

async function slowServer(): Promise<TestSandbox> {
  return await sandbox({ buckets: [`src:hex:${COUNT}`, 'dst'], latency: 'copy=4-8' })
}

const copying = (server: TestSandbox): string[] => [
  ...['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--concurrency', '8', '--checkpoint', 'run'],
]

/** Starts the program by another command, in a process group of its own. Answers how it ended. */
function startedBy(command: string, args: readonly string[], cwd: string, end: (child: ChildProcess) => void) {
  const child = spawn(command, args, {
    cwd,
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore'],
    env: {
      ...{ PATH: process.env.PATH, HOME: cwd, AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey },
    },
  })
  const finished = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal))
  })
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) end(child)
  })
  return { child, finished }
}

const killGroup = (child: ChildProcess): void => void process.kill(-child.pid!, 'SIGKILL')

async function state(cwd: string): Promise<{ state: string; totals: { copied: number } }> {
  return JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as never
}

describe('SIGHUP', () => {
  test('ends a run like SIGTERM, however often it comes: what is in flight ends, all is saved, a resume repeats nothing', async () => {
    const cwd = await workFolder()
    const server = await slowServer()
    const running = start(copying(server), { cwd })
    await until(() => copied(server) >= 200, running)
    // The kernel sends one, and the shell another.
    for (let times = 0; times < 3; times++) running.kill('SIGHUP')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([130, expect.stringContaining('s3move resume run')])
    expect((await state(cwd)).totals.copied).toBe(copied(server))
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expectCopiedOnce(server, 'dst', COUNT)
  })

  test.skipIf(!has('nohup')).each<[title: string, command: string, ...before: string[]]>([
    ['by a shell', 'bash', '-c', 'nohup "$0" "$@"'],
    ['in a script of a shell that says nothing of it', 'nohup', 'sh', '-c', '"$0" "$@"; exit $?'],
  ])('ends nothing of what was started with nohup %s', async (_, command, ...before) => {
    if (process.platform !== 'linux' && command === 'nohup') return
    const cwd = await workFolder()
    const server = await slowServer()
    const args = [...before, process.execPath, PROGRAM, ...copying(server)]
    const { child, finished } = startedBy(command, args, cwd, killGroup)
    await until(() => copied(server) >= 200)
    process.kill(-child.pid!, 'SIGHUP')
    expect(await finished).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect((await state(cwd)).state).toBe('finished')
  })

  test.skipIf(!has('script'))(
    'of a terminal that is closed: nobody can be told anything, and all is saved',
    async () => {
      const cwd = await workFolder()
      const server = await slowServer()
      const words = [process.execPath, PROGRAM, ...copying(server)].map((word) => `'${word}'`).join(' ')
      const { child, finished } = startedBy('script', ['-qc', `exec ${words}`, '/dev/null'], cwd, killGroup)
      await until(() => copied(server) >= 200)
      // The terminal is its: with it the terminal goes.
      child.kill('SIGKILL')
      await finished
      await until(async () => {
        const { stdout } = await run(['status', 'run', '--json'], { cwd })
        return (JSON.parse(stdout) as { heldBy: unknown }).heldBy === null
      })
      const saved = await state(cwd)
      expect([saved.state, saved.totals.copied]).toEqual(['unfinished', copied(server)])
      expect((await readFile(join(cwd, 'run/lock.1/released.json'), 'utf8')).length).toBeGreaterThan(0)
      expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
      expect(server.stats().copies.dst).toEqual({ total: COUNT, unique: COUNT, duplicates: 0 })
    },
  )
})

describe('a reader of the output that goes away', () => {
  test.each(['stdout', 'stderr'] as const)('from %s ends no run', async (stream) => {
    const cwd = await workFolder()
    const server = await slowServer()
    const running = start([...copying(server), '--json', '-v'], { cwd })
    await until(() => copied(server) >= 100, running)
    running.close(stream)
    expect((await running.finished).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })
})
