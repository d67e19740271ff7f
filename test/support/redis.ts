import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { freePort } from './free-port.js'

/** Whether there is a Redis on this machine. */
export const HAS_REDIS = spawnSync('redis-server', ['--version']).status === 0

/** What a user needs of a Redis to lend and borrow hosts, as docs/fleet.md has it. */
const ACL = '~s3move:* +@connection +@stream +set +get +del +pexpire +zadd +zrange +zrem +eval'

/** A Redis that keeps nothing on a disk. */
export interface TestRedis {
  readonly port: number
  /** For a user who may do what `ACL` says, and nothing else. */
  readonly url: string
  /** Ends it as a power cut does. */
  kill(): Promise<void>
  /** Starts it again, empty. */
  restart(): Promise<void>
  /** All commands that it was given since the call. */
  monitor(): Promise<() => string>
  /** Carries out a command as one who may do all. */
  ask(...command: readonly string[]): string
}

export const PASSWORD = 'word-of-the-tests'

/** Starts a Redis for the time of the test, with `more` flags. */
export async function startRedis(...more: readonly string[]): Promise<TestRedis> {
  const port = await freePort()
  let server = await serve(port, more)
  const monitors: ChildProcess[] = []
  onTestFinished(async () => {
    for (const monitor of monitors) monitor.kill('SIGKILL')
    await end(server)
  })
  const cli = ['-p', String(port), '--no-auth-warning']
  return {
    port,
    url: `redis://tester:${PASSWORD}@127.0.0.1:${port}`,
    kill: () => end(server),
    restart: async () => void (server = await serve(port, more)),
    async monitor() {
      const child = spawn('redis-cli', [...cli, 'monitor'])
      monitors.push(child)
      const chunks: Buffer[] = []
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
      while (chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
      return () => Buffer.concat(chunks).toString()
    },
    ask: (...command) => spawnSync('redis-cli', [...cli, ...command]).stdout.toString(),
  }
}

async function serve(port: number, more: readonly string[]): Promise<ChildProcess> {
  const user = ['on', `>${PASSWORD}`, ...ACL.split(' ')]
  const child = spawn('redis-server', [
    ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--user', 'tester', ...user],
    ...more,
  ])
  child.stdout.resume()
  while (spawnSync('redis-cli', ['-p', String(port), 'ping']).stdout.toString() !== 'PONG\n') {
    if (child.exitCode !== null) throw new Error('redis-server did not start')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await closed
}
