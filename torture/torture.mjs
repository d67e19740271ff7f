// `npm run torture [-- --short] [-- --only TEXT] [-- --seed N]`: every way in which a server, a network and a machine misbehave, judged by s3sim's
// books (its path in S3SIM). CONTRIBUTING.md says what it needs.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildIfMissing } from '../bench/program.mjs'
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
const objects = flags.short ? 15_000 : 200_000
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

/** @type {Record<string, Omit<Trial, 'objects' | 'seed'> & { judgeTime?: boolean }>} */
const trials = {}
for (const command of /** @type {const} */ (['copy', 'set-headers'])) {
  for (const threads of flags.short ? [2] : [1, 2]) {
    const name = `${command}, ${String(threads)} thread${threads === 1 ? '' : 's'}`
    const base = { command, threads }
    trials[`${name}: nothing is wrong`] = base
    if (!flags.short)
      for (const kind of FAULTS)
        trials[`${name}: ${kind} at 2 %`] = { ...base, faults: [`${kind}=2%`], judgeTime: true }
    trials[`${name}: all faults at 0.5 %`] = { ...base, faults: all('0.5%'), judgeTime: true }
    const kills = flags.short ? 4 : 20
    trials[`${name}: ${String(kills)} kill -9 under all faults`] = {
      ...base,
      faults: all('0.2%'),
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

await buildIfMissing()
if (flags.minutes !== undefined) {
  process.exitCode = (await soak(Number(flags.minutes), seed)) ? 0 : 1
} else {
  process.stdout.write(`seed ${String(seed)}, ${String(objects)} objects\n`)
  const names = Object.keys(trials).filter((name) => flags.only === undefined || name.includes(flags.only))
  let failed = 0
  /** @type {number | undefined} */
  let clean
  for (const name of names) {
    const { judgeTime = false, ...trial } = /** @type {NonNullable<(typeof trials)[string]>} */ (trials[name])
    const { seconds, wrong } = await judged({ ...trial, objects, seed })
    if (name.endsWith('nothing is wrong')) clean = seconds
    const ratio = clean === undefined ? undefined : seconds / clean
    // A short trial is mostly start-up and the last second.
    if (judgeTime && !flags.short && ratio !== undefined && ratio > PATIENCE)
      wrong.push(`it took ${ratio.toFixed(1)} times as long as without`)
    if (wrong.length > 0) failed++
    const times = ratio === undefined ? '' : ` ${ratio.toFixed(1)}x`
    process.stdout.write(
      `${wrong.length === 0 ? 'ok    ' : 'WRONG '} ${seconds.toFixed(1).padStart(6)} s${times.padStart(7)}  ${name}${wrong.map((one) => `\n         ${one}`).join('')}\n`,
    )
  }
  process.stdout.write(`${String(names.length - failed)} passed, ${String(failed)} failed\n`)
  const report = process.env.S3MOVE_TEST_REPORT
  if (report !== undefined)
    await writeFile(report, JSON.stringify({ numPassedTests: names.length - failed, numFailedTests: failed }))
  process.exitCode = failed > 0 ? 1 : 0
}
