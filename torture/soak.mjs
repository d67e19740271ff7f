// A long run under faults, whose memory, open files (sockets are some) and timers must not grow.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CLI, ended, SANDBOX_ENVIRONMENT } from '../bench/program.mjs'
import { startJudge } from './judge.mjs'

/** Of the median of the first third, what that of the last third may be: caches fill, leaks go on. */
const GROWTH = 1.25
/** So many more may be open at one moment than at another, as retries come and go. */
const CHANCE = 20

/**
 * Copies for so many minutes under faults. Answers whether nothing grew.
 * @param {number} minutes
 * @param {number} seed
 */
export async function soak(minutes, seed) {
  const faults = ['500=1/500', '503=1/500', 'reset=1/1000', 'reset-mid=1/1000', 'hang=1/5000', 'copy200err=1/500']
  const judge = await startJudge([
    ...['--bucket', 'src:mix:1e9', '--bucket', 'dst:sink:src:map=>', '--seed', String(seed)],
    ...['--latency', 'copy=10-30,list=20-60', ...faults.flatMap((fault) => ['--fault', fault])],
  ])
  const cwd = await mkdtemp(join(tmpdir(), 's3move-soak-'))
  const resources = join(cwd, 'resources')
  await mkdir(resources)
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', judge.url, '--quiet']
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: {
      ...process.env,
      ...SANDBOX_ENVIRONMENT,
      NODE_OPTIONS: `--import=${fileURLToPath(new URL('resources.mjs', import.meta.url))}`,
      TORTURE_RESOURCES: resources,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => (said += text))
  const end = ended(child)
  /** @type {{ rss: number, files: number, timers: number }[]} */
  const samples = []
  const until = performance.now() + minutes * 60_000
  while (performance.now() < until && child.exitCode === null) {
    await sleep(Math.min(5_000, minutes * 1_000))
    if (child.exitCode !== null) break
    const status = readFileSync(`/proc/${String(child.pid)}/status`, 'latin1')
    samples.push({
      rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
      files: readdirSync(`/proc/${String(child.pid)}/fd`).length,
      timers: readdirSync(resources)
        .map((thread) => Number(readFileSync(join(resources, thread), 'latin1')))
        .reduce((sum, timers) => sum + timers, 0),
    })
  }
  child.kill('SIGTERM')
  const { code } = await end
  await judge.stop()
  await rm(cwd, { recursive: true, force: true })
  const third = Math.floor(samples.length / 3)
  const first = samples.slice(0, third)
  const last = samples.slice(-third)
  let fine = code === 130 && !/unhandled|^\s+at /im.test(said)
  if (!fine) process.stdout.write(`ended with ${String(code)}: ${said.slice(-500)}\n`)
  for (const [trait, name, chance] of /** @type {const} */ ([
    ['rss', 'RSS, MiB', 0],
    ['files', 'open files', CHANCE],
    ['timers', 'timers', CHANCE],
  ])) {
    const [early, late] = [first, last].map((some) => median(some.map((sample) => sample[trait])))
    if (!(Number(late) <= GROWTH * Number(early) + chance)) fine = false
    process.stdout.write(
      `${name}: ${String(Math.round(Number(early)))} in the first third, ${String(Math.round(Number(late)))} in the last\n`,
    )
  }
  process.stdout.write(fine ? 'nothing grew\n' : 'FAILED\n')
  return fine
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}
