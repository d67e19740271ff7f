import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { measured } from './measured.mjs'
import { CLI, SANDBOX_ENVIRONMENT, startSandbox } from './program.mjs'

const MIB = 2 ** 20
/** Copies within a store, and its listings, as long as S3 takes. */
const AS_S3 = ['--latency', 'copy=25-35,list=50-50']

/**
 * What is done. `objects` are so many of `size` bytes; sides are a store, another one with credentials of its own, or the disk.
 * @typedef {object} Work
 * @property {string} name
 * @property {number} objects
 * @property {number} size
 * @property {'store' | 'disk'} from
 * @property {'store' | 'other' | 'disk'} to
 * @property {readonly string[]} [latency]
 */

/**
 * @typedef {object} Result
 * @property {string} program
 * @property {number} seconds From start to exit.
 * @property {number} cpu Seconds.
 * @property {number} peak Bytes.
 */

/**
 * What people do, at `scale` of the numbers of objects.
 * @param {number} scale
 * @returns {readonly Work[]}
 */
export function works(scale) {
  const many = (/** @type {number} */ objects) => Math.max(100, Math.round(objects * scale))
  const few = (/** @type {number} */ objects) => Math.max(2, Math.round(objects * scale))
  return [
    ...[1_000, 20_000, 100_000].map((objects) => ({
      ...{ name: 'within a store', objects: objects === 1_000 ? objects : many(objects), size: 1_000 },
      ...{ from: /** @type {const} */ ('store'), to: /** @type {const} */ ('store'), latency: AS_S3 },
    })),
    { name: 'store to disk', objects: many(20_000), size: 4096, from: 'store', to: 'disk' },
    { name: 'store to disk', objects: few(24), size: 64 * MIB, from: 'store', to: 'disk' },
    { name: 'disk to store', objects: many(20_000), size: 4096, from: 'disk', to: 'store' },
    { name: 'disk to store', objects: few(24), size: 64 * MIB, from: 'disk', to: 'store' },
    { name: 'store to another', objects: many(20_000), size: 4096, from: 'store', to: 'other' },
    { name: 'store to another', objects: few(3), size: 64 * MIB, from: 'store', to: 'other' },
    { name: 'store to another', objects: few(32), size: 64 * MIB, from: 'store', to: 'other' },
  ]
}

/** @param {Work} work */
export function titleOf({ name, objects, size }) {
  const bytes =
    size >= MIB ? `${String(size / MIB)} MiB` : size >= 1024 ? `${String(size / 1024)} KiB` : `${String(size)} B`
  return `${objects.toLocaleString('en-US')} x ${bytes}, ${name}`
}

/**
 * Does a work with s3move and, in turn with it, with those of the peers that can do all of it, `times` each. Answers the median of each by its time. Throws when one of
 * them leaves something undone.
 * @param {Work} work
 * @param {readonly string[]} peers
 * @param {string} folder An empty one, to work in.
 * @param {number} times
 * @returns {Promise<readonly Result[]>}
 */
export async function compare(work, peers, folder, times) {
  /** @type {Map<string, Result[]>} */
  const results = new Map(['s3move', ...peers.filter((name) => name === 'rclone')].map((program) => [program, []]))
  const [local, disk] = [join(folder, 'source'), join(folder, 'target')]
  // Filled once, but where it costs nothing. rclone sends an access control list with each object, which a bucket without them refuses.
  const filled = work.from === 'store' && work.latency === undefined ? await startSandbox(['src']) : undefined
  try {
    if (work.from === 'disk') await fillFolder(local, work)
    if (filled !== undefined) await fillBucket(filled.url, work)
    for (let turn = 0; turn < times; turn++) {
      for (const [program, into] of results) {
        // One of its own for each, so that none inherits the heap of another, or finds there what it is to make.
        const made = `src:hex:${String(work.objects)}:size=${String(work.size)}`
        const target = await startSandbox(['dst:acl', ...(filled === undefined ? [made, ...(work.latency ?? [])] : [])])
        try {
          const urls = { from: filled?.url ?? target.url, to: target.url }
          const { path, args } = (program === 's3move' ? s3move : rclone)(work, urls, local, disk)
          const run = await measured(path, args, { cwd: folder, env: await environment(work, urls, folder) })
          if (run.code !== 0) throw new Error(`${program} ended with code ${String(run.code)}: ${run.stderr}`)
          const found = work.to === 'disk' ? await filesIn(disk) : await objectsIn(target.url)
          if (found !== work.objects) throw new Error(`${program} moved ${String(found)}: ${titleOf(work)}`)
          const cpu = (run.cpuMicroseconds ?? NaN) / 1e6
          into.push({ program, seconds: run.seconds, cpu, peak: run.peakBytes ?? NaN })
        } finally {
          await target.stop()
          await rm(disk, { recursive: true, force: true })
        }
      }
    }
  } finally {
    await filled?.stop()
    await rm(local, { recursive: true, force: true })
  }
  return [...results.values()].flatMap((of) => of.sort((a, b) => a.seconds - b.seconds)[of.length >> 1] ?? [])
}

/** @typedef {{ readonly from: string, readonly to: string }} Urls */
/** @typedef {{ readonly path: string, readonly args: readonly string[] }} Command */

/**
 * As a user would: with a checkpoint, and with progress to a pipe.
 * @param {Work} work
 * @param {Urls} urls
 * @param {string} local
 * @param {string} disk
 * @returns {Command}
 */
function s3move({ from, to }, urls, local, disk) {
  const sides = [from === 'disk' ? `file://${local}` : 's3://src', to === 'disk' ? `file://${disk}` : 's3://dst']
  const where =
    to === 'other' ? ['--source-profile', 'from', '--destination-profile', 'to'] : ['--endpoint-url', urls.from]
  return { path: process.execPath, args: [CLI, 'copy', ...sides, ...where, '--checkpoint', 'run', '--fresh'] }
}

/**
 * With as many transfers as it makes good use of.
 * @param {Work} work
 * @param {Urls} _
 * @param {string} local
 * @param {string} disk
 * @returns {Command}
 */
function rclone({ from, to, latency }, _, local, disk) {
  const sides = [from === 'disk' ? local : 'from:src', to === 'disk' ? disk : to === 'other' ? 'to:dst' : 'from:dst']
  const transfers = latency === undefined ? '32' : '256'
  return { path: 'rclone', args: ['copy', ...sides, '--transfers', transfers, '--checkers', '32'] }
}

/**
 * @param {Work} work
 * @param {Urls} urls
 * @param {string} folder
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function environment({ to }, urls, folder) {
  const profile = (/** @type {string} */ name, /** @type {string} */ url) =>
    `[profile ${name}]\nregion = us-east-1\nendpoint_url = ${url}\naws_access_key_id = ${name}\naws_secret_access_key = ${name}\n`
  const config = join(folder, 'config')
  await writeFile(config, profile('from', urls.from) + profile('to', urls.to))
  const key = to === 'other' ? { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined } : {}
  // rclone 1.60 cannot be used with a certificate of one's own.
  const own = { ...SANDBOX_ENVIRONMENT, ...key, AWS_CONFIG_FILE: config, AWS_CA_BUNDLE: undefined }
  return { ...process.env, ...own, ...remote('from', urls.from), ...remote('to', urls.to), RCLONE_CONFIG: '/dev/null' }
}

/**
 * A server, as rclone is told of it.
 * @param {string} name
 * @param {string} url
 */
function remote(name, url) {
  const config = { TYPE: 's3', PROVIDER: 'Other', ENDPOINT: url, ACCESS_KEY_ID: name, SECRET_ACCESS_KEY: name }
  const more = { REGION: 'us-east-1', NO_CHECK_BUCKET: 'true', LIST_VERSION: '2', FORCE_PATH_STYLE: 'true' }
  return Object.fromEntries(
    Object.entries({ ...config, ...more }).map(([key, value]) => [`RCLONE_CONFIG_${name.toUpperCase()}_${key}`, value]),
  )
}

/** @param {string} url */
const client = (url) =>
  new S3Client({
    endpoint: url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'sandbox', secretAccessKey: 'sandbox' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })

/** @param {number} index */
const nameOf = (index) => `${createHash('md5').update(String(index)).digest('hex')}.bin`

/**
 * @param {Work} work
 * @param {(name: string, body: Buffer) => Promise<unknown>} put
 */
async function fill({ objects, size }, put) {
  const rest = Array.from({ length: objects }, (_, index) => index).values()
  const worker = async () => {
    for (const index of rest) await put(nameOf(index), randomBytes(size))
  }
  await Promise.all(Array.from({ length: size < MIB ? 32 : 2 }, worker))
}

/**
 * @param {string} url
 * @param {Work} work
 */
async function fillBucket(url, work) {
  const s3 = client(url)
  await fill(work, (Key, Body) => s3.send(new PutObjectCommand({ Bucket: 'src', Key, Body })))
  s3.destroy()
}

/**
 * @param {string} folder
 * @param {Work} work
 */
async function fillFolder(folder, work) {
  await mkdir(folder)
  await fill(work, (name, body) => writeFile(join(folder, name), body))
}

/** @param {string} folder */
async function filesIn(folder) {
  return (await readdir(folder)).filter((name) => name !== '.s3move').length
}

/** @param {string} url */
async function objectsIn(url) {
  const s3 = client(url)
  let objects = 0
  /** @type {string | undefined} */
  let token
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: 'dst', ContinuationToken: token }))
    objects += page.KeyCount ?? 0
    token = page.NextContinuationToken
  } while (token !== undefined)
  s3.destroy()
  return objects
}
