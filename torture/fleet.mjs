// Hosts that lend threads to a run, and the Redis between them; what can be done to either.
import { spawn, spawnSync } from 'node:child_process'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLI, ended, freePort } from '../bench/program.mjs'
import { startProxy } from './proxy.mjs'

const HOSTS = 3
const PASSWORD = 'word-of-the-torture'

/**
 * Starts hosts that help a run by the name `run`. Undefined where there is no Redis on this machine.
 * @param {string} cwd Where the files go.
 * @param {string} endpoint Of the store.
 * @param {NodeJS.ProcessEnv} env
 */
export async function startFleet(cwd, endpoint, env) {
  for (const program of ['redis-server', 'redis-cli'])
    if (spawnSync(program, ['--version']).status !== 0) return undefined
  const port = await freePort()
  const dir = join(cwd, 'redis')
  await mkdir(dir)
  const redis = {
    child: await serve(port, dir),
    /** Ends it as a power cut does, and starts it again after so many milliseconds, with the file of `SAVE` if there is one. */
    async kill(away = 0) {
      const end = ended(redis.child)
      redis.child.kill('SIGKILL')
      await end
      await sleep(away)
      redis.child = await serve(port, dir)
    },
    /** It says nothing for so many milliseconds. */
    async stop(away = 0) {
      redis.child.kill('SIGSTOP')
      await sleep(away)
      redis.child.kill('SIGCONT')
    },
    /** It goes back to what it was so many milliseconds before. */
    async goBack(by = 0) {
      ask(port, 'SAVE')
      await copyFile(join(dir, 'dump.rdb'), join(dir, 'before.rdb'))
      await sleep(by)
      await copyFile(join(dir, 'before.rdb'), join(dir, 'dump.rdb'))
      await redis.kill()
    },
    flush: () => void ask(port, 'FLUSHALL'),
    /** What hosts have said and the run has not read is forgotten. */
    forget() {
      const streams = ask(port, '--scan', '--pattern', 's3move:*:in').split('\n').filter(Boolean)
      for (const stream of streams) ask(port, 'XTRIM', stream, 'MAXLEN', '0')
    },
  }
  const url = (/** @type {number | string} */ at) => `redis://:${PASSWORD}@127.0.0.1:${String(at)}`
  const wire = await startProxy(`http://127.0.0.1:${String(port)}`)
  const allowed = ['--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', endpoint]
  const lent = ['--threads', '1', '--concurrency', '16', '--name', 'run']
  const start = () => {
    const args = ['worker', url(new URL(wire.url).port), ...allowed, ...lent]
    return spawn(process.execPath, [CLI, ...args], { cwd, env, stdio: 'ignore' })
  }
  const hosts = Array.from({ length: HOSTS }, start)
  return {
    redis,
    /** Between the hosts and the Redis; the run has its own. */
    wire,
    /** Of a run that only hosts work on. */
    flags: ['--fleet', url(port), '--threads', '0'],
    /** Ends the host that is there longest, and starts another. */
    replace() {
      hosts.shift()?.kill('SIGKILL')
      hosts.push(start())
    },
    /** A host hears and says nothing for so many milliseconds. */
    async freeze(away = 0) {
      const [host] = hosts
      host?.kill('SIGSTOP')
      await sleep(away)
      host?.kill('SIGCONT')
    },
    async stop() {
      wire.stop()
      const ends = [...hosts, redis.child].map((child) => (child.exitCode === null ? ended(child) : undefined))
      for (const child of [...hosts, redis.child]) child.kill('SIGKILL')
      await Promise.all(ends)
    },
  }
}

/** @typedef {NonNullable<Awaited<ReturnType<typeof startFleet>>>} Fleet */

/**
 * @param {number} port
 * @param {string} dir
 */
async function serve(port, dir) {
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--requirepass', PASSWORD]
  const child = spawn('redis-server', [...flags, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  while (ask(port, 'PING').trim() !== 'PONG') {
    if (child.exitCode !== null) throw new Error(`redis-server ended with code ${String(child.exitCode)}`)
    await sleep(20)
  }
  return child
}

/**
 * @param {number} port
 * @param {readonly string[]} command
 */
function ask(port, ...command) {
  const args = ['-p', String(port), '-a', PASSWORD, '--no-auth-warning', ...command]
  return spawnSync('redis-cli', args).stdout.toString()
}
