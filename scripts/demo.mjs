// `npm run demo`: copies a bucket of the sandbox, is killed half way, resumes, and proves that nothing is lost.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchMemory } from '../bench/memory.mjs'
import { buildIfMissing, CLI, ended, SANDBOX_ENVIRONMENT, startSandbox } from '../bench/program.mjs'
import { compareBuckets } from './compare-buckets.mjs'

const OBJECTS = 200_000

/** @param {string} text */
const say = (text) => process.stdout.write(`${text}\n`)
/** @param {string} text */
const title = (text) => say(`\n── ${text}`)
/** @param {number} n */
const count = (n) => Math.round(n).toLocaleString('en-US')

/** @type {import('node:child_process').ChildProcess | undefined} */
let running
let interrupted = false
process.on('SIGINT', () => {
  interrupted = true
  running?.kill('SIGKILL')
})
// The SDK's word about old versions of Node is no part of the show.
process.removeAllListeners('warning')
process.on('warning', () => undefined)

/**
 * Runs s3move on this terminal.
 * @param {readonly string[]} args
 * @param {string} cwd
 */
function s3move(args, cwd) {
  say(`$ s3move ${args.join(' ')}`)
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: { ...process.env, ...SANDBOX_ENVIRONMENT },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  running = child
  const memory = watchMemory(child.pid)
  const began = performance.now()
  const end = ended(child).then((how) => ({ ...how, seconds: (performance.now() - began) / 1000, peak: memory.stop() }))
  return { end, kill: () => child.kill('SIGKILL') }
}

/**
 * Stops the demo at something that must not be.
 * @param {boolean} holds
 * @param {string} otherwise
 */
function insist(holds, otherwise) {
  if (interrupted) throw new Error('interrupted')
  if (!holds) throw new Error(otherwise)
}

/** @param {string} folder */
async function demo(folder) {
  title(`a sandbox: a simulated S3 server with a bucket of ${count(OBJECTS)} objects`)
  say(`$ s3move sandbox photos:hex:${OBJECTS} photos-copy`)
  const sandbox = await startSandbox([`photos:hex:${OBJECTS}`, 'photos-copy'])
  say(`listening on ${sandbox.url}`)
  try {
    const copied = async () => (await sandbox.stats()).copies['photos-copy'] ?? { total: 0, unique: 0, duplicates: 0 }

    title('copy, and at half way: kill -9')
    const first = s3move(['copy', 's3://photos', 's3://photos-copy', '--endpoint-url', sandbox.url], folder)
    let over = false
    const firstEnd = first.end.finally(() => (over = true))
    while (!over && (await copied()).total < OBJECTS / 2) await sleep(20)
    first.kill()
    const before = await firstEnd
    // The bar hides the cursor, and a killed program cannot give it back.
    if (process.stderr.isTTY) process.stderr.write('\u001b[?25h')
    insist(before.signal === 'SIGKILL', 'the copy ended before it could be killed')
    const atKill = await copied()
    say(`\nkilled: the server has carried out ${count(atKill.total)} copies`)

    title('what is left of it')
    const status = await s3move(['status'], folder).end
    insist(status.code === 0, `status ended with code ${String(status.code)}`)

    title('resume')
    const after = await s3move(['resume'], folder).end
    insist(after.code === 0, `resume ended with code ${String(after.code)}`)

    title('proof: both buckets listed again with the AWS SDK, and compared key by key')
    const listing = performance.now()
    const found = await compareBuckets(sandbox.url, 'photos', 'photos-copy')
    say(`source        ${count(found.source)} objects`)
    say(`destination   ${count(found.destination)} objects`)
    say(`missing       ${count(found.missing)}`)
    say(`not expected  ${count(found.extra)}`)
    say(`different     ${count(found.different)}  (size or ETag)`)
    say(`listed and compared in ${((performance.now() - listing) / 1000).toFixed(1)} s`)
    const equal = found.missing + found.extra + found.different === 0
    insist(equal && found.source === OBJECTS, 'source and destination differ')
    say('source and destination are equal')

    title('figures')
    const { total, duplicates } = await copied()
    const seconds = before.seconds + after.seconds
    const peak = Math.max(before.peak ?? 0, after.peak ?? 0)
    say(`copied        ${count(OBJECTS)} objects in ${seconds.toFixed(1)} s: ${count(OBJECTS / seconds)} objects/s`)
    say(`              (start-up of both sessions included; server and s3move share this machine)`)
    say(`requests      ${count(total)} CopyObject: ${count(duplicates)} objects were copied twice because of the kill`)
    say(`memory        ${peak === 0 ? 'not measured on this system' : `at most ${count(peak / 2 ** 20)} MiB`}`)
  } finally {
    await sandbox.stop()
  }
}

await buildIfMissing()
const folder = await mkdtemp(join(tmpdir(), 's3move-demo-'))
try {
  await demo(folder)
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = interrupted ? 130 : 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
