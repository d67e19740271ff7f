// `npm run bench -- --throttling [--rate N]`: how much of what a server allows s3move makes use of, and how much is refused, against
// the same program at a fixed concurrency. The server is s3sim, whose path is in S3SIM.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startJudge } from '../torture/judge.mjs'
import { CLI, ended, SANDBOX_ENVIRONMENT } from './program.mjs'
import { table } from './table.mjs'
import { unpaced } from './unpaced.mjs'

/** Seconds until a run has found the limit, and then those that are measured. */
const WARM_UP = 15
const SECONDS = 30
const SOURCE = 'src:hex:5M:size=1000'
/** How many partitions there are, as the server limits what lies in one folder; and how the keys get into folders. */
const PARTITIONS = /** @type {const} */ ([
  [1, ['s|^|all/|']],
  [4, ['s|^([0-3])|a/\\1|', 's|^([4-7])|b/\\1|', 's|^([89ab][^/])|c/\\1|', 's|^([c-f][^/])|d/\\1|']],
  [16, ['s|^(.)|\\1/|']],
])
/** The part of a new limit at which the rate has followed it. */
const FOLLOWED = 0.95

/**
 * @typedef {{ prefix: string, write: { requests: number, throttled: number, limit: number } }} Prefix
 * @typedef {{ rate_limit: { hottest: Prefix[] } }} Rates
 */

/**
 * Copies for so long as `watch` takes, then stops. Answers what `watch` does.
 * @template T
 * @param {readonly string[]} limits
 * @param {readonly string[]} maps
 * @param {boolean} paced
 * @param {(writes: () => Promise<Prefix[]>) => Promise<T>} watch
 */
async function copying(limits, maps, paced, watch) {
  const judge = await startJudge([
    ...['--bucket', SOURCE, '--bucket', 'dst:sink:src', '--latency', 'copy=20-40,list=20-60', ...limits],
  ])
  const cwd = await mkdtemp(join(tmpdir(), 's3move-bench-'))
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', judge.url, '--quiet', '--threads', '1']
  const pace = ['--concurrency', '1024', '--lanes', '64', ...maps.flatMap((map) => ['--map', map])]
  const env = { ...process.env, ...SANDBOX_ENVIRONMENT }
  const child = spawn(process.execPath, [paced ? CLI : await unpaced(), ...args, ...pace], {
    cwd,
    env,
    stdio: 'ignore',
  })
  const end = ended(child)
  const writes = async () => {
    const answer = await fetch(`${judge.url}/_sim/stats`)
    const { rate_limit } = /** @type {Rates} */ (await answer.json())
    return rate_limit.hottest.filter(({ prefix, write }) => /^dst\/.+\//.test(prefix) && write.requests > 0)
  }
  try {
    while ((await writes()).length === 0) await sleep(50)
    return await watch(writes)
  } finally {
    child.kill('SIGKILL')
    await end
    await judge.stop()
    await rm(cwd, { recursive: true, force: true })
  }
}

/** @param {number} rate Copies a second that each partition bears. */
export async function throttlingTable(rate) {
  const rows = []
  for (const [partitions, maps] of PARTITIONS) {
    for (const paced of [true, false]) {
      const limits = ['--rate-per-prefix', `write=${String(rate)},read=1000000,depth=1`]
      const samples = await copying(limits, maps, paced, async (writes) => {
        const began = await writes()
        await sleep(WARM_UP * 1000)
        const warm = await writes()
        await sleep(SECONDS * 1000)
        return [began, warm, await writes()]
      })
      const [began = [], warm = [], after = []] = samples
      const start = gain(began, warm)
      const then = gain(warm, after)
      const least = Math.min(...then.map(({ done }) => done), then.length < partitions ? 0 : Infinity)
      rows.push([
        ...[`${String(partitions)} partition${partitions === 1 ? '' : 's'}, ${paced ? 's3move' : 'fixed concurrency'}`],
        ...[percent(total(then).done / SECONDS / rate / partitions), percent(least / SECONDS / rate)],
        ...[refusals(total(then)), refusals(total(start))],
      ])
    }
  }
  return table([['', 'of the limit', 'least partition', 'refused', `in the first ${String(WARM_UP)} s`], ...rows])
}

/**
 * What was done, and refused, in each partition between two samples.
 * @param {readonly Prefix[]} before
 * @param {readonly Prefix[]} after
 */
function gain(before, after) {
  return after.map(({ prefix, write }) => {
    const was = before.find((one) => one.prefix === prefix)?.write
    const refused = write.throttled - (was?.throttled ?? 0)
    return { refused, done: write.requests - (was?.requests ?? 0) - refused }
  })
}

/** @param {readonly { done: number, refused: number }[]} some */
const total = (some) => ({
  done: some.reduce((sum, one) => sum + one.done, 0),
  refused: some.reduce((sum, one) => sum + one.refused, 0),
})

/** @param {{ done: number, refused: number }} of */
const refusals = ({ done, refused }) => percent(refused / (done + refused))

/** @param {number} n */
const percent = (n) => `${(100 * n).toFixed(1)} %`

/** A limit that doubles whenever it was made use of for ten seconds: how long the rate takes to follow. */
export async function rampTable() {
  const limits = ['--rate-per-prefix', 'write=300,read=1000000,depth=1', '--ramp', '10']
  const rows = await copying(limits, ['s|^|all/|'], true, async (writes) => {
    /** @type {string[][]} */
    const found = []
    let limit = 300
    let changed = performance.now()
    let waiting = false
    let last = { at: changed, done: 0 }
    const began = changed
    while (performance.now() - began < 75_000) {
      await sleep(500)
      const [one] = await writes()
      if (one === undefined) continue
      const now = { at: performance.now(), done: one.write.requests - one.write.throttled }
      const rate = ((now.done - last.done) * 1000) / (now.at - last.at)
      last = now
      if (one.write.limit !== limit) {
        if (waiting) found.push([`${String(limit)}/s`, 'not before the next'])
        ;[limit, changed, waiting] = [one.write.limit, now.at, true]
      }
      if (waiting && rate >= FOLLOWED * limit) {
        found.push([`${String(limit)}/s`, `${((now.at - changed) / 1000).toFixed(1)} s`])
        waiting = false
      }
    }
    return found
  })
  return table([['a limit that doubles, to', `95 % of it after`], ...rows])
}
