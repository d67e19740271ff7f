// One run of s3move against the judge, with whatever is done to it on the way, and the judgement on it.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLI, ended, SANDBOX_ENVIRONMENT } from '../bench/program.mjs'
import { startJudge } from './judge.mjs'
import { startProxy } from './proxy.mjs'

/** One object in so many is archived, or refused for good. */
const ARCHIVED = '1/997'
const REFUSED_EVERY = 1500
/**
 * The commands for which an archived object is a failure; for others it is skipped.
 * @type {readonly Trial['command'][]}
 */
const ARCHIVED_FAILS = ['copy']

/**
 * @typedef {{ kill: (signal: NodeJS.Signals) => void, over: () => boolean, pid: number | undefined }} Victim
 * @typedef {{ objects: number, proxy: { cut(): void, mend(): Promise<void> } | undefined, folder: string,
 *   done: () => Promise<number>, random: () => number }} Scene
 * @typedef {{ command: 'copy' | 'set-headers', threads: number, objects: number, faults?: readonly string[], proxied?: boolean,
 *   env?: Record<string, string>, judge?: readonly string[], disturb?: (victim: Victim, scene: Scene) => Promise<void>,
 *   sessions?: number, seed: number }} Trial
 */

/**
 * Runs a trial, resuming as often as it takes. Answers how long it took and what is wrong, if anything is.
 * @param {Trial} trial
 */
export async function judged(trial) {
  const { command, threads, objects, faults = [], seed } = trial
  const judge = await startJudge([
    ...['--bucket', `src:mix:${String(objects)}:glacier=${ARCHIVED}`, '--bucket', 'dst:sink:src:map=>'],
    ...['--fail-key-every', String(REFUSED_EVERY), '--seed', String(seed), ...(trial.judge ?? [])],
    ...['--latency', 'copy=10-30,head=5-15,list=20-60', ...faults.flatMap((fault) => ['--fault', fault])],
  ])
  const proxy = trial.proxied === true ? await startProxy(judge.url) : undefined
  const cwd = await mkdtemp(join(tmpdir(), 's3move-torture-'))
  const folder = join(cwd, 'run')
  const places =
    command === 'copy'
      ? ['s3://src', 's3://dst']
      : ['s3://src', '--reset-acl', '--folder-markers', '--cache-control', 'no-cache']
  const flags = [
    '--endpoint-url',
    proxy?.url ?? judge.url,
    '--threads',
    String(threads),
    '--checkpoint',
    folder,
    '--quiet',
  ]
  const env = { ...process.env, ...SANDBOX_ENVIRONMENT, ...trial.env }
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  const done = async () => {
    const { buckets } = await judge.stats()
    return (command === 'copy' ? buckets.dst?.unique : buckets.src?.rewritten_unique) ?? 0
  }
  const began = performance.now()
  let args = [command, ...places, ...flags]
  let said = ''
  /** @type {number | null} */
  let code = null
  try {
    for (let session = 0; session < (trial.sessions ?? 1) + 5; session++) {
      const child = spawn(process.execPath, [CLI, ...args], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] })
      said = ''
      child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => (said += text))
      const end = ended(child)
      const victim = {
        kill: (/** @type {NodeJS.Signals} */ signal) => void child.kill(signal),
        over: () => child.exitCode !== null || child.signalCode !== null,
        pid: child.pid,
      }
      if (trial.disturb !== undefined && session < (trial.sessions ?? 1)) {
        await trial.disturb(victim, { objects, proxy, folder, done, random })
      }
      ;({ code } = await end)
      if (code === 0 || code === 3) break
      // Killed before its first save, it has nothing to resume.
      const saved = await readFile(join(folder, 'checkpoint.json')).then(
        () => true,
        () => false,
      )
      args = saved ? ['resume', folder, ...flags.slice(0, 4), '--quiet'] : [command, ...places, ...flags]
      while ((await judge.stats()).in_flight.now > 1) await sleep(20)
    }
    const seconds = (performance.now() - began) / 1000
    return { seconds, wrong: await verdict(trial, judge, folder, code, said) }
  } finally {
    proxy?.stop()
    await judge.stop()
    await rm(cwd, { recursive: true, force: true })
  }
}

/**
 * What is wrong with the end of a trial; nothing, if all is as it must be.
 * @param {Trial} trial
 * @param {Awaited<ReturnType<typeof startJudge>>} judge
 * @param {string} folder
 * @param {number | null} code
 * @param {string} said
 */
async function verdict({ command, objects, disturb }, judge, folder, code, said) {
  const wrong = []
  const all = await judge.objects(objects)
  const { buckets } = await judge.stats()
  const ledger = (await readFile(join(folder, 'failures.ndjson'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => /** @type {{ key: string }} */ (JSON.parse(line)).key)
  const archived = all.filter(({ storage_class }) => storage_class === 'GLACIER').length
  const archivedFails = ARCHIVED_FAILS.includes(command)
  const failing = all.filter(({ fail_key, storage_class }) => (storage_class === 'GLACIER' ? archivedFails : fail_key))
  const doable = objects - (archivedFails ? 0 : archived) - failing.length
  const expected = failing.map(({ key }) => key).sort()
  if (code !== 3) wrong.push(`exit code ${String(code)}: ${said.trim().slice(-300)}`)
  if (JSON.stringify([...ledger].sort()) !== JSON.stringify(expected)) {
    wrong.push(
      `the ledger has ${String(ledger.length)} keys (${String(new Set(ledger).size)} different) where ${String(expected.length)} fail`,
    )
  }
  if (/unhandled|^\s+at /im.test(said)) wrong.push(`it said: ${said.slice(0, 300)}`)
  if (command === 'copy') {
    const books = buckets.dst
    if (books === undefined) return ['no books']
    if (books.unique !== doable) wrong.push(`${String(books.unique)} copied of ${String(doable)}`)
    if (books.missing_copyable !== 0 || books.wrong !== 0)
      wrong.push(`${String(books.missing_copyable)} missing, ${String(books.wrong)} wrong`)
    const excused = books.duplicates_after_lost_response + books.duplicates_after_client_reset
    if (disturb === undefined && books.duplicates > excused)
      wrong.push(`${String(books.duplicates - excused)} copied twice for no reason`)
  } else {
    const books = buckets.src
    if (books === undefined) return ['no books']
    if (books.rewritten_unique !== doable)
      wrong.push(`${String(books.rewritten_unique)} rewritten of ${String(doable)}`)
    if (books.metadata_lost !== 0 || books.metadata_changed !== 0)
      wrong.push(`metadata: ${String(books.metadata_lost)} lost, ${String(books.metadata_changed)} changed`)
  }
  return wrong
}
