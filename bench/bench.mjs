// `npm run bench [-- --quick] [-- --no-peers] [-- --only TEXT] [-- --json FILE] [-- --throttling [--rate N]] [-- --watched] [-- --hosts]`: measures s3move and, in the same run and on the same server, what it is
// compared with. CONTRIBUTING.md says how to read the tables.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { firstRequest } from './first-request.mjs'
import { hostsTable } from './hosts.mjs'
import { layoutTable } from './layouts.mjs'
import { measured } from './measured.mjs'
import { peersOnPath } from './peers.mjs'
import { buildIfMissing, CLI, SANDBOX_ENVIRONMENT, startSandbox } from './program.mjs'
import { mebibytes, number, ratio, table } from './table.mjs'
import { rampTable, throttlingTable } from './throttling.mjs'
import { watchedTable } from './watched.mjs'
import { compare, titleOf, works } from './works.mjs'

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    'no-peers': { type: 'boolean', default: false },
    throttling: { type: 'boolean', default: false },
    watched: { type: 'boolean', default: false },
    hosts: { type: 'boolean', default: false },
    rate: { type: 'string', default: '3500' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
})
/** Of the numbers of objects. */
const scale = flags.quick ? 0.1 : 1
const peers = flags['no-peers'] ? [] : peersOnPath()

const SDK_LOOP = fileURLToPath(new URL('sdk-loop.mjs', import.meta.url))
/** The SDK's loop is given this many times fewer objects than s3move, but enough to be warm. */
const SDK_SLOWNESS = 15
const SDK_LEAST = 6_000

/** @param {number} objects */
const fewForSdk = (objects) => Math.max(SDK_LEAST, Math.round(objects / SDK_SLOWNESS))

/** As many requests in flight for the AWS CLI as for the others; it has no flag for that. */
const AWS_CONFIG = `[default]\ns3 =\n  max_concurrent_requests = 256\n`

/** @typedef {Awaited<ReturnType<typeof measured>>} Measure */
/** @typedef {{ name: string, copied: number, note: string, run: Measure }} Row */

const folder = await mkdtemp(join(tmpdir(), 's3move-bench-'))
const endpoint = process.env.S3MOVE_BENCH_ENDPOINT
const env =
  endpoint === undefined
    ? { ...process.env, ...SANDBOX_ENVIRONMENT, AWS_CONFIG_FILE: join(folder, 'aws-config') }
    : process.env
const place = { env, cwd: folder }

/** @param {string} text */
const say = (text) => process.stdout.write(`${text}\n`)

/**
 * Copies with s3move, as a user would: with a checkpoint, and with progress to a pipe.
 * @param {string} url
 * @param {string} source
 * @param {string} destination
 * @param {number} concurrency
 */
const runS3move = (url, source, destination, concurrency) =>
  runWriting('s3move', url, ['copy', `s3://${source}`, `s3://${destination}`, '--concurrency', String(concurrency)])

/**
 * A HEAD and a copy onto itself for each object.
 * @param {string} url
 * @param {string} bucket
 * @param {number} concurrency
 */
const runSetHeaders = (url, bucket, concurrency) =>
  runWriting('s3move set-headers', url, [
    ...['set-headers', `s3://${bucket}`, '--cache-control', 'max-age=60', '--concurrency', String(concurrency)],
  ])

/**
 * @param {string} name
 * @param {string} url
 * @param {readonly string[]} command
 * @returns {Promise<Row>}
 */
async function runWriting(name, url, command) {
  const args = [...command, '--endpoint-url', url, '--checkpoint', 'run', '--fresh']
  const run = await measured(process.execPath, [CLI, ...args], place)
  const status = await measured(process.execPath, [CLI, 'status', 'run', '--json'], place)
  const copied =
    status.code === 0 ? /** @type {{ totals: { copied: number } }} */ (JSON.parse(status.stdout)).totals.copied : 0
  return {
    name,
    copied,
    note: run.code === 0 ? '' : `ended with code ${String(run.code)}: ${run.stderr}`,
    run,
  }
}

/**
 * @param {string} url
 * @param {string} source
 * @param {string} destination
 * @param {number} concurrency
 * @param {number} objects
 * @returns {Promise<Row>}
 */
async function runSdk(url, source, destination, concurrency, objects) {
  const args = [SDK_LOOP, url, source, destination, String(concurrency), String(objects)]
  const run = await measured(process.execPath, args, place)
  const copied = run.code === 0 ? /** @type {{ copied: number }} */ (JSON.parse(run.stdout)).copied : 0
  return { name: 'AWS SDK, send()', copied, note: run.code === 0 ? '' : run.stderr, run }
}

/** @param {Row} row */
const speed = ({ copied, run }) => (copied === 0 ? undefined : copied / run.seconds)
/** @param {Row} row */
const cpu = ({ copied, run }) =>
  copied === 0 || run.cpuMicroseconds === undefined ? undefined : run.cpuMicroseconds / copied

/**
 * @param {readonly Row[]} rows
 * @param {Row} base
 */
function sayRows(rows, base) {
  const heading = ['', 'objects', 'objects/s', 'to SDK', 'CPU us/object', 'to SDK', 'peak MiB']
  const lines = rows.map((row) => [
    ...[row.name, number(row.copied), number(speed(row)), ratio(speed(row), speed(base))],
    ...[number(cpu(row)), ratio(cpu(row), cpu(base)), mebibytes(row.run.peakBytes)],
  ])
  say(table([heading, ...lines]))
  for (const { name, note } of rows) if (note !== '') say(`${name}: ${note.trim()}`)
}

/** Small objects, no latency, 256 in flight. */
async function throughput() {
  const objects = 300_000 * scale
  say(`\nSmall objects, no latency, 256 in flight`)
  const sizes = peers.map(({ name, slowness }) => `for-${name}:hex:${String(Math.round(objects / slowness))}:size=1000`)
  const sandbox = await startSandbox([
    ...[`src:hex:${String(objects)}:size=1000`, 'by-s3move', 'by-sdk'],
    // rclone sends an access control list with each copy, which a bucket without them refuses.
    ...peers.flatMap(({ name }, i) => [sizes[i] ?? '', `by-${name}:acl`]),
  ])
  try {
    const base = await runSdk(sandbox.url, 'src', 'by-sdk', 256, fewForSdk(objects))
    const rows = [await runS3move(sandbox.url, 'src', 'by-s3move', 256), base]
    for (const { name, args } of peers) {
      const copy = { url: sandbox.url, source: `for-${name}`, destination: `by-${name}`, concurrency: 256 }
      const run = await measured(name, args(copy), place)
      const copied = (await sandbox.stats()).copies[`by-${name}`]?.unique ?? 0
      rows.push({ name, copied, note: run.code === 0 ? '' : `ended with code ${String(run.code)}: ${run.stderr}`, run })
    }
    rows.push(await runSetHeaders(sandbox.url, 'src', 256))
    sayRows(rows, base)
  } finally {
    await sandbox.stop()
  }
}

/** A copy takes as long as in S3; what counts is how near the rate comes to what the latency allows. */
async function latency() {
  const objects = 170_000 * scale
  const [inFlight, mean] = [512, 0.03]
  say(`\n25 to 35 ms for each copy, ${String(inFlight)} in flight`)
  const sandbox = await startSandbox([
    `src:hex:${String(objects)}:size=1000`,
    'by-s3move',
    'by-sdk',
    '--latency',
    'copy=25-35',
  ])
  try {
    const base = await runSdk(sandbox.url, 'src', 'by-sdk', inFlight, fewForSdk(objects))
    const row = await runS3move(sandbox.url, 'src', 'by-s3move', inFlight)
    sayRows([row, base], base)
    const ideal = inFlight / mean
    say(
      `ideal ${number(ideal)} objects/s; s3move reaches ${number(((speed(row) ?? 0) / ideal) * 100)} % of it, start-up included`,
    )
  } finally {
    await sandbox.stop()
  }
}

/** Where ranges are cut shows in time and calls. */
async function layouts() {
  for (const [objects, lanes] of [
    [1_000_000 * scale, 64],
    [1_000_000 * scale, 16],
  ]) {
    say(`\nListing ${number(objects)} keys, 50 ms for each LIST, ${String(lanes)} lanes, start-up included`)
    say(await layoutTable(objects ?? 0, lanes ?? 1, place))
  }
}

/** What people do, beside a peer: those works whose title has the text of `--only`. */
async function besidePeers() {
  const times = flags.quick ? 1 : 3
  say(`\nFrom start to exit, beside a peer, median of ${String(times)} in turn`)
  const lines = [['', 's3move s', 'peer s', 'time', 's3move CPU s', 'peer CPU s', 'CPU', 'peak MiB', 'peer MiB']]
  const rows = []
  for (const work of works(scale)) {
    if (flags.only !== undefined && !titleOf(work).includes(flags.only)) continue
    const names = peers.map(({ name }) => name)
    const [own, peer] = await compare(work, names, await mkdtemp(join(folder, 'work-')), times)
    if (own === undefined) continue
    rows.push({ title: titleOf(work), own, peer })
    lines.push([
      ...[titleOf(work), number(own.seconds, 2), number(peer?.seconds, 2), ratio(own.seconds, peer?.seconds)],
      ...[number(own.cpu, 2), number(peer?.cpu, 2), ratio(own.cpu, peer?.cpu)],
      ...[mebibytes(own.peak), mebibytes(peer?.peak)],
    ])
    say(lines.at(-1)?.join('   ') ?? '')
  }
  say(`\n${table(lines)}`)
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(rows, undefined, 2)}\n`)
}

/** Memory must not depend on the number of keys. */
async function memory() {
  // Fewer than these would not fill the memory that a run of any length needs.
  const [few, many] = flags.quick ? [50_000, 200_000] : [100_000, 1_000_000]
  say('\nPeak memory by number of keys, 256 in flight')
  const rows = []
  for (const objects of [few, many]) {
    const sandbox = await startSandbox([`src:hex:${String(objects)}:size=1000`, 'dst'])
    try {
      const { copied, run } = await runS3move(sandbox.url, 'src', 'dst', 256)
      rows.push({ copied, peak: run.peakBytes })
    } finally {
      await sandbox.stop()
    }
  }
  const base = rows[0]?.peak
  const lines = rows.map(({ copied, peak }) => ['s3move', number(copied), mebibytes(peak), ratio(peak, base)])
  say(table([['', 'objects', 'peak MiB', 'to the fewest'], ...lines]))
}

/** A page that others follow must cost next to nothing. */
async function watched() {
  const times = flags.quick ? 2 : 6
  say(`\nA live page that 5 browsers follow, mean of ${String(times)} in turn`)
  say(await watchedTable(100_000 * scale, times, place))
}

/** What it costs that another machine does the work. */
async function hosts() {
  const times = flags.quick ? 1 : 4
  say(`\nA copy by one host with one thread, and by the run itself, mean of ${String(times)} in turn`)
  say((await hostsTable(100_000 * scale, times, place)) ?? 'not measured: there is no redis-server')
}

/**
 * @param {number} times
 * @param {() => Promise<number>} measure
 */
async function median(times, measure) {
  const values = []
  for (let i = 0; i < times; i++) values.push(await measure())
  return values.sort((a, b) => a - b)[Math.floor(times / 2)]
}

/**
 * @param {string} url
 * @param {string} source
 * @param {string} destination
 */
async function starts(url, source, destination) {
  const times = flags.quick ? 3 : 7
  say(`\nStart-up, median of ${String(times)}`)
  const wall = (/** @type {readonly string[]} */ args) =>
    median(times, async () => (await measured(process.execPath, args, place)).seconds * 1000)
  const first = (/** @type {(url: string) => readonly string[]} */ args) =>
    median(times, () => firstRequest(url, args, place))
  const node = await wall(['-e', '0'])
  const version = await wall([CLI, '--version'])
  const sdk = await first((relay) => [SDK_LOOP, relay, source, destination, '1', '1'])
  const copy = await first((relay) => [
    ...[CLI, 'copy', `s3://${source}`, `s3://${destination}`, '--endpoint-url', relay],
    ...['--checkpoint', 'start', '--fresh'],
  ])
  say(
    table([
      ['', 'ms', 'to'],
      ['node -e 0', number(node), ''],
      ['s3move --version', number(version), `${ratio(version, node)} node -e 0`],
      ['first request of the SDK loop', number(sdk), ''],
      ['first request of s3move copy', number(copy), `${ratio(copy, sdk)} the SDK loop`],
    ]),
  )
}

/** @param {string} url */
async function outside(url) {
  const source = process.env.S3MOVE_BENCH_SOURCE ?? 'src'
  const destination = process.env.S3MOVE_BENCH_DESTINATION ?? 'dst'
  say(`\ns3://${source} to s3://${destination} at ${url}, 256 in flight`)
  const base = await runSdk(url, source, destination, 256, 20_000 * scale)
  sayRows([await runS3move(url, source, destination, 256), base], base)
  await starts(url, source, destination)
}

async function everythingElse() {
  await throughput()
  await latency()
  await layouts()
  await memory()
  await watched()
  await hosts()
  const sandbox = await startSandbox(['src:hex:1000', 'dst'])
  try {
    await starts(sandbox.url, 'src', 'dst')
  } finally {
    await sandbox.stop()
  }
}

process.removeAllListeners('warning')
process.on('warning', () => undefined)
await buildIfMissing()
try {
  await writeFile(join(folder, 'aws-config'), AWS_CONFIG)
  say(
    `Node ${process.version}, ${String(cpus().length)} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ` +
      `shared with the server; figures vary, ratios less so`,
  )
  if (flags.quick) say('quick: with so few objects the start-up weighs heavily in objects/s and CPU')
  if (flags.throttling) {
    say(`\nA server that allows ${flags.rate} copies a second to a partition, 1,024 in flight, 64 lanes`)
    say(await throttlingTable(Number(flags.rate)))
    say(await rampTable())
  } else if (flags.watched) {
    await watched()
  } else if (flags.hosts) {
    await hosts()
  } else if (endpoint !== undefined) {
    await outside(endpoint)
  } else {
    if (!flags['no-peers'])
      say(`found on PATH: ${peers.map(({ name }) => name).join(', ') || 'no s5cmd, rclone or aws'}`)
    await besidePeers()
    if (flags.only === undefined) await everythingElse()
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
