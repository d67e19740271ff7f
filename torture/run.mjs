// One run of s3move against the judge, with whatever is done to it on the way, and the judgement on it.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLI, ended, SANDBOX_ENVIRONMENT } from '../bench/program.mjs'
import { mountDisk } from './disk.mjs'
import { startFleet } from './fleet.mjs'
import { startJudge } from './judge.mjs'
import { startProxy } from './proxy.mjs'
import { startTokens } from './token.mjs'

/** One object in so many is archived, or refused for good. */
const ARCHIVED = '1/997'
const REFUSED_EVERY = 1500
/**
 * @typedef {{ kill: (signal: NodeJS.Signals) => void, over: () => boolean, said: () => string }} Victim
 * @typedef {{ objects: number, session: number, proxy: { cut(): void, mend(): Promise<void> } | undefined,
 *   disk: Pick<NonNullable<Awaited<ReturnType<typeof mountDisk>>>, 'fill' | 'free'> | undefined,
 *   tokens: Awaited<ReturnType<typeof startTokens>> | undefined, fleet: import('./fleet.mjs').Fleet | undefined,
 *   done: () => Promise<number>, random: () => number, fell: () => void }} Scene
 * @typedef {{ code: number | null, said: string }} End
 * @typedef {{ command: 'copy' | 'set-headers', threads?: number, objects: number, faults?: readonly string[], proxied?: boolean,
 *   smallDisk?: boolean, expiring?: boolean, hosts?: boolean, blows?: number, flags?: readonly string[], env?: Record<string, string>, judge?: readonly string[],
 *   disturb?: (victim: Victim, scene: Scene) => Promise<void>, after?: (end: End, scene: Scene) => Promise<void>,
 *   sessions?: number, ends?: readonly { code: number | null, says: RegExp }[], seed: number }} Trial
 */

/**
 * Runs a trial, resuming as often as it takes. Answers how long it took and what is wrong, if anything is; or why it cannot be run on
 * this machine.
 * @param {Trial} trial
 */
export async function judged(trial) {
  const disk = trial.smallDisk === true ? await mountDisk() : undefined
  if (trial.smallDisk === true && disk === undefined)
    return { cannot: 'only the superuser of a Linux can mount a small disk' }
  const { command, threads = 0, objects, faults = [], seed } = trial
  const judge = await startJudge([
    ...['--bucket', `src:mix:${String(objects)}:glacier=${ARCHIVED}`, '--bucket', 'dst:sink:src:map=>'],
    // What is said last counts.
    ...['--fail-key-every', String(REFUSED_EVERY), '--seed', String(seed), ...(trial.judge ?? [])],
    ...['--latency', 'copy=10-30,head=5-15,list=20-60', ...faults.flatMap((fault) => ['--fault', fault])],
  ])
  const proxy = trial.proxied === true ? await startProxy(judge.url) : undefined
  const cwd = await mkdtemp(join(tmpdir(), 's3move-torture-'))
  const folder = join(disk?.path ?? cwd, 'run')
  const tokens = trial.expiring === true ? await startTokens(cwd, judge.expire) : undefined
  const places =
    command === 'copy'
      ? ['s3://src', 's3://dst']
      : ['s3://src', '--reset-acl', '--folder-markers', '--cache-control', 'no-cache']
  const env = { ...process.env, ...SANDBOX_ENVIRONMENT, ...tokens?.env, ...trial.env }
  const fleet = trial.hosts === true ? await startFleet(cwd, judge.url, env) : undefined
  if (trial.hosts === true && fleet === undefined) {
    await judge.stop()
    return { cannot: 'there is no redis-server' }
  }
  const again = ['--endpoint-url', proxy?.url ?? judge.url, ...(fleet?.flags ?? ['--threads', String(threads)])]
  const flags = [...again, '--checkpoint', folder, '--quiet']
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
  // When the objects were done that can be: what is done last is seen at the last change.
  let [othersDone, before, watching] = [0, 0, true]
  const watch = (async () => {
    while (watching) {
      const now = await done().catch(() => before)
      if (now > before) othersDone = (performance.now() - began) / 1000
      before = now
      await sleep(250)
    }
  })()
  const first = [command, ...places, ...flags, ...(trial.flags ?? [])]
  let args = first
  let said = ''
  /** @type {number | null} */
  let code = null
  /** @type {End[]} */
  const ends = []
  let fallen = 0
  try {
    for (let session = 0; session < (trial.sessions ?? 1) + 5; session++) {
      const child = spawn(process.execPath, [CLI, ...args], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] })
      said = ''
      child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => (said += text))
      const end = ended(child)
      const victim = {
        kill: (/** @type {NodeJS.Signals} */ signal) => void child.kill(signal),
        over: () => child.exitCode !== null || child.signalCode !== null,
        said: () => said,
      }
      const scene = { objects, session, proxy, disk, tokens, fleet, done, random, fell: () => void fallen++ }
      if (trial.disturb !== undefined && session < (trial.sessions ?? 1)) await trial.disturb(victim, scene)
      ;({ code } = await end)
      ends.push({ code, said })
      await trial.after?.({ code, said }, scene)
      if (code === 0 || code === 3) break
      // Killed before its first save, it has nothing to resume.
      const saved = await readFile(join(folder, 'checkpoint.json')).then(
        () => true,
        () => false,
      )
      args = saved ? ['resume', folder, ...again, '--quiet'] : first
      while ((await judge.stats()).in_flight.now > 1) await sleep(20)
    }
    const seconds = (performance.now() - began) / 1000
    watching = false
    await watch
    return {
      seconds,
      othersDone,
      wrong: [...unexpected(trial, ends), ...late(trial, fallen), ...(await verdict(trial, judge, folder, code, said))],
    }
  } finally {
    watching = false
    await watch
    proxy?.stop()
    await fleet?.stop()
    await judge.stop()
    await disk?.stop()
    await rm(cwd, { recursive: true, force: true })
  }
}

/**
 * Which sessions ended in another way than they were to. The last one is judged by its books.
 * @param {Trial} trial
 * @param {readonly End[]} ends
 */
function unexpected({ ends: wanted }, ends) {
  if (wanted === undefined) return []
  const wrong = wanted.flatMap(({ code, says }, session) => {
    const end = ends[session]
    if (end !== undefined && end.code === code && says.test(end.said)) return []
    return [`session ${String(session + 1)} ended with ${String(end?.code)}: ${end?.said.trim().slice(-300) ?? ''}`]
  })
  if (ends.length !== wanted.length) wrong.push(`${String(ends.length)} sessions where ${String(wanted.length)} do`)
  return wrong
}

/**
 * A blow that does not fall before the end proves nothing.
 * @param {Trial} trial
 * @param {number} fallen
 */
function late({ blows = 0 }, fallen) {
  return fallen < blows ? [`${String(fallen)} of ${String(blows)} blows fell before the end`] : []
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
  // What is archived is skipped: set-headers knows it from the listing, a copy may be refused for another reason first.
  const failing = all.filter(
    ({ fail_key, storage_class }) => fail_key && (command === 'copy' || storage_class !== 'GLACIER'),
  )
  const archived = all.filter((object) => object.storage_class === 'GLACIER' && !failing.includes(object)).length
  const doable = objects - archived - failing.length
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
