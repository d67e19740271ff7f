// `npm run torture [-- --short] [-- --only TEXT] [-- --seed N]`: every way in which a server, a network and a machine misbehave, judged by s3sim's
// books (its path in S3SIM). CONTRIBUTING.md says what it needs.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildIfMissing } from '../bench/program.mjs'
import * as blows from './blows.mjs'
import { judged } from './run.mjs'
import { soak } from './soak.mjs'

/** @typedef {import('./run.mjs').Trial} Trial */
/** @typedef {import('./run.mjs').Victim} Victim */
/** @typedef {import('./run.mjs').Scene} Scene */

const { values: flags } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    minutes: { type: 'string' },
  },
})
const seed = Number(flags.seed)
/** How many objects a trial has; and one that is of a single fault or a single blow, of which there are many. */
const MANY = flags.short ? 15_000 : 200_000
const FEW = flags.short ? 10_000 : 50_000
/** A trial may take so many times as long as one without any disturbance. */
const PATIENCE = 3

const FAULTS = [
  '500',
  '503',
  'reset',
  'reset-after',
  'reset-mid',
  'hang',
  'slow',
  'truncated-list',
  'copy200err',
  'keepalive-space',
]
/** These cost some seconds whatever there is to do, of which a run of few objects would be judged. */
const SILENT = new Set(['hang', 'slow'])
/** @param {string} rate */
const all = (rate) => FAULTS.map((kind) => `${kind}=${rate}`)

/**
 * Waits until so much of the work is done, or the run is over.
 * @param {Victim} victim
 * @param {Scene} scene
 * @param {number} part
 */
async function reached(victim, { done, objects }, part) {
  while (!victim.over() && (await done()) < part * objects) await sleep(20)
}

/** @param {number} sessions @returns {NonNullable<Trial['disturb']>} */
const killing = (sessions) => {
  let before = 0
  return async (victim, scene) => {
    before += (scene.random() * 1.8) / sessions
    await reached(victim, scene, Math.min(0.95, before))
    victim.kill('SIGKILL')
  }
}

/**
 * Waits until something was said, or the run is over.
 * @param {Victim} victim
 * @param {string} text
 */
async function told(victim, text) {
  while (!victim.over() && !victim.said().includes(text)) await sleep(20)
}

/** How long the others may take of a run in which some objects never succeed, beside a run without these. */
const UNHINDERED = 1.35
/** What never succeeds is in the ledger so many seconds after its time is over, at the latest. */
const SOME_SECONDS = 20

/** @type {Record<string, Omit<Trial, 'seed'> & { judgeTime?: boolean, hopeless?: number }>} */
const trials = {}
for (const command of /** @type {const} */ (['copy', 'set-headers'])) {
  for (const threads of flags.short ? [2] : [1, 2]) {
    const name = `${command}, ${String(threads)} thread${threads === 1 ? '' : 's'}`
    const many = { command, threads, objects: MANY }
    const base = { command, threads, objects: FEW }
    trials[`${name}: nothing is wrong`] = many
    trials[`${name}: nothing is wrong with a part of them`] = base
    if (!flags.short)
      for (const kind of FAULTS)
        trials[`${name}: ${kind} at 2 %`] = {
          ...(SILENT.has(kind) ? many : base),
          faults: [`${kind}=2%`],
          judgeTime: true,
        }
    trials[`${name}: all faults at 0.5 %`] = { ...many, faults: all('0.5%'), judgeTime: true }
    const kills = flags.short ? 4 : 20
    trials[`${name}: ${String(kills)} kill -9 under all faults`] = {
      ...many,
      faults: all('0.2%'),
      sessions: kills,
      disturb: killing(kills),
    }
    const hopeless = flags.short ? 5 : 40
    const never = {
      ...many,
      judge: ['--fail-key-every', '1000', '--fail-key-status', '500'],
      flags: ['--retry-for', `${String(hopeless)}s`],
    }
    trials[`${name}: some objects fail for ever with 500`] = { ...never, hopeless }
    trials[`${name}: some objects fail for ever with 500, and kills`] = {
      ...never,
      sessions: kills,
      disturb: killing(kills),
    }
    trials[`${name}: SIGTERM`] = {
      ...base,
      faults: all('0.2%'),
      sessions: 3,
      disturb: async (victim, scene) => {
        await reached(victim, scene, (await scene.done()) / scene.objects + 0.2)
        victim.kill('SIGTERM')
      },
    }
    trials[`${name}: SIGSTOP and SIGCONT`] = {
      ...base,
      disturb: async (victim, scene) => {
        await reached(victim, scene, 0.3)
        victim.kill('SIGSTOP')
        await sleep(flags.short ? 4_000 : 30_000)
        victim.kill('SIGCONT')
      },
    }
    trials[`${name}: the server is away for a while`] = {
      ...base,
      proxied: true,
      disturb: async (victim, scene) => {
        await reached(victim, scene, 0.3)
        scene.proxy?.cut()
        await sleep(flags.short ? 2_000 : 20_000)
        await scene.proxy?.mend()
      },
    }
    trials[`${name}: the checkpoint’s disk is full for a while`] = {
      ...base,
      smallDisk: true,
      disturb: async (victim, scene) => {
        await reached(victim, scene, 0.2)
        await scene.disk?.fill()
        await told(victim, 'the disk is full')
        await reached(victim, scene, 0.7)
        await scene.disk?.free()
      },
      ends: [{ code: 3, says: /the disk is full\. The work goes on.*\n.*the checkpoint can be saved again/ }],
    }
    trials[`${name}: the checkpoint’s disk is full until it is resumed, and at a kill -9`] = {
      ...base,
      // So slow that much is left to do when it stops.
      objects: 10_000,
      flags: ['--retry-for', '1s', '--concurrency', '32'],
      smallDisk: true,
      sessions: 3,
      disturb: async (victim, scene) => {
        // The second session is to find no room.
        if (scene.session === 1) return
        await reached(victim, scene, scene.session === 0 ? 0.3 : 0.6)
        await scene.disk?.fill()
        if (scene.session === 0) return
        await told(victim, 'the disk is full')
        victim.kill('SIGKILL')
      },
      after: async (_, { session, disk }) => {
        if (session > 0) await disk?.free()
      },
      ends: [
        { code: 4, says: /^.*stopped before it finished \(.*the disk is full.*$/m },
        { code: 4, says: /^s3move: cannot lock .*the disk is full\n.*Free some space, then resume the run/ },
        { code: null, says: /the disk is full/ },
        { code: 3, says: /./ },
      ],
    }
    trials[`${name}: tokens expire, and there are others`] = {
      ...base,
      expiring: true,
      disturb: async (victim, scene) => {
        for (const part of [0.3, 0.6]) {
          await reached(victim, scene, part)
          await scene.tokens?.renew()
        }
      },
      ends: [{ code: 3, says: /^(?!.*could not be renewed)/s }],
    }
    trials[`${name}: the token expires, and there is no other until it is resumed`] = {
      ...base,
      expiring: true,
      flags: ['--retry-for', '2s'],
      disturb: async (victim, scene) => {
        await reached(victim, scene, 0.4)
        await scene.tokens?.lose()
      },
      after: async (_, { session, tokens }) => {
        if (session === 0) await tokens?.issue()
      },
      ends: [
        { code: 4, says: /could not be renewed.*ExpiredToken.*get new credentials.*s3move resume/s },
        { code: 3, says: /./ },
      ],
    }
    trials[`${name}: the clock is 40 minutes wrong`] = {
      ...base,
      judge: ['--require-auth', 'sandbox:sandbox'],
      env: {
        NODE_OPTIONS: `--import=${fileURLToPath(new URL('clock.mjs', import.meta.url))}`,
        TORTURE_CLOCK: '2400000',
      },
    }
  }
}

/**
 * So many blows, each when another part of the work is done.
 * @param {readonly import('./blows.mjs').Blow[]} acts
 * @returns {Pick<Trial, 'blows' | 'disturb'>}
 */
const struck = (...acts) => ({
  blows: acts.length,
  disturb: async (victim, scene) => {
    if (scene.session > 0) return
    for (const [index, act] of acts.entries()) {
      await reached(victim, scene, (0.85 * (index + 1)) / acts.length)
      if (victim.over() || scene.fleet === undefined) return
      scene.fell()
      await act(victim, scene.fleet)
    }
  },
})
/** @template T @param {number} times @param {T} act */
const often = (times, act) => Array.from({ length: times }, () => act)
const lent = { command: /** @type {const} */ ('copy'), objects: FEW, hosts: true }
if (!flags.short) {
  trials['3 hosts: nothing is wrong'] = lent
  trials['3 hosts: 8 of them killed, others started'] = { ...lent, ...struck(...often(8, blows.hostKilled)) }
  trials['3 hosts: one of them stopped for 18 s, twice'] = {
    ...lent,
    objects: MANY,
    ...struck(...often(2, blows.hostStopped)),
  }
  trials['3 hosts: cut off from Redis for 9 s, twice'] = { ...lent, ...struck(...often(2, blows.cutOff)) }
  trials['3 hosts: Redis stopped for 8 s, twice'] = { ...lent, ...struck(...often(2, blows.redisStopped)) }
  trials['3 hosts: Redis killed and empty, 4 times'] = { ...lent, ...struck(...often(4, blows.redisKilled)) }
  trials['3 hosts: FLUSHALL, 4 times'] = { ...lent, ...struck(...often(4, blows.redisFlushed)) }
  trials['3 hosts: Redis as it was 4 s before, twice'] = { ...lent, ...struck(...often(2, blows.redisBack)) }
  trials['3 hosts: entries forgotten that were not read, 3 times'] = {
    ...lent,
    ...struck(...often(3, blows.entriesForgotten)),
  }
  trials['3 hosts: the run stopped for 9 s'] = { ...lent, ...struck(blows.runStopped) }
  trials['3 hosts: the run killed and resumed'] = { ...lent, sessions: 2, ...struck(blows.runKilled) }
}
trials['3 hosts: all that can happen to them, to Redis and to the run'] = {
  ...lent,
  sessions: 2,
  ...struck(
    ...[
      blows.hostKilled,
      blows.redisFlushed,
      blows.redisKilled,
      blows.entriesForgotten,
      blows.cutOff,
      blows.redisBack,
      blows.hostKilled,
    ],
    ...(flags.short ? [] : [blows.hostStopped, blows.redisStopped, blows.runStopped]),
    blows.runKilled,
  ),
}

if (process.env.S3SIM === undefined) {
  process.stderr.write('torture: S3SIM must be the path of the s3sim program; without it no trial can be run\n')
  process.exit(2)
}
await buildIfMissing()
if (flags.minutes !== undefined) {
  process.exitCode = (await soak(Number(flags.minutes), seed)) ? 0 : 1
} else {
  process.stdout.write(`seed ${String(seed)}, ${String(MANY)} objects; ${String(FEW)} under a single fault or blow\n`)
  const names = Object.keys(trials).filter((name) => flags.only === undefined || name.includes(flags.only))
  /** @type {{ name: string, reason: string }[]} */
  const failed = []
  /** @type {{ name: string, reason: string }[]} */
  const skipped = []
  /** @type {Map<number, number>} Seconds of the same command and threads with so many objects, undisturbed. */
  const clean = new Map()
  for (const name of names) {
    const { judgeTime = false, hopeless, ...trial } = /** @type {NonNullable<(typeof trials)[string]>} */ (trials[name])
    const outcome = await judged({ ...trial, seed })
    if ('cannot' in outcome) {
      const { cannot: reason } = outcome
      skipped.push({ name, reason })
      process.stdout.write(`SKIPPED                ${name}: ${reason}\n`)
      continue
    }
    const { seconds, othersDone, wrong } = outcome
    if (name.includes('nothing is wrong')) clean.set(trial.objects, seconds)
    const usual = clean.get(trial.objects)
    const ratio = usual === undefined ? undefined : seconds / usual
    // A short trial is mostly start-up and the last second.
    if (judgeTime && !flags.short && ratio !== undefined && ratio > PATIENCE)
      wrong.push(`it took ${ratio.toFixed(1)} times as long as without`)
    if (hopeless !== undefined && usual !== undefined && !flags.short) {
      const others = othersDone / usual
      if (others > UNHINDERED) wrong.push(`the others took ${others.toFixed(2)} times as long as without`)
      const late = seconds - othersDone - hopeless
      if (late > SOME_SECONDS) wrong.push(`what never succeeds was in the ledger ${late.toFixed(0)} s late`)
    }
    if (wrong.length > 0) failed.push({ name, reason: wrong.join('; ') })
    const times = ratio === undefined ? '' : ` ${ratio.toFixed(1)}x`
    process.stdout.write(
      `${wrong.length === 0 ? 'ok    ' : 'WRONG '} ${seconds.toFixed(1).padStart(6)} s${times.padStart(7)}  ${name}${wrong.map((one) => `\n         ${one}`).join('')}\n`,
    )
  }
  const passed = names.length - failed.length - skipped.length
  // Once more, where nobody misses it.
  for (const { name, reason } of skipped) process.stdout.write(`skipped: ${name} (${reason})\n`)
  process.stdout.write(`${String(passed)} passed, ${String(failed.length)} failed, ${String(skipped.length)} skipped\n`)
  const report = process.env.S3MOVE_TEST_REPORT
  if (report !== undefined) {
    const counts = { numPassedTests: passed, numFailedTests: failed.length, failed, skipped }
    await writeFile(report, JSON.stringify(counts))
  }
  if (names.length === 0) process.stderr.write(`torture: no trial has ${String(flags.only)} in its name\n`)
  process.exitCode = failed.length > 0 || names.length === 0 ? 1 : 0
}
