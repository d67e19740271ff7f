// `node bench/stream.mjs [--quick]`: moves objects from one server to another, with credentials of their own, through this machine: s3move, rclone, and
// the AWS CLI, which has one endpoint at a time and so downloads to the disk and uploads from there.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { S3Client, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { measured } from './measured.mjs'
import { peersOnPath } from './peers.mjs'
import { buildIfMissing, CLI, SANDBOX_ENVIRONMENT, startSandbox } from './program.mjs'
import { mebibytes, number, table } from './table.mjs'

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const scale = flags.quick ? 0.1 : 1
const MIB = 2 ** 20

/** Each size with how many objects there are of it. */
const SHAPES = [
  { name: 'small', count: Math.round(20_000 * scale), size: 4096 },
  { name: 'large', count: Math.max(2, Math.round(32 * scale)), size: 64 * MIB },
]

/**
 * @param {string} url
 * @param {string} [key]
 */
const client = (url, key = 'sandbox') =>
  new S3Client({
    endpoint: url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: key, secretAccessKey: key },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })

/**
 * @param {string} url
 * @param {string} bucket
 * @param {{ count: number, size: number }} shape
 */
async function fill(url, bucket, { count, size }) {
  const s3 = client(url)
  const rest = Array.from({ length: count }, (_, index) => index).values()
  const worker = async () => {
    for (const index of rest) {
      const Key = `${createHash('md5').update(String(index)).digest('hex')}.bin`
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: randomBytes(size) }))
    }
  }
  await Promise.all(Array.from({ length: size < MIB ? 32 : 2 }, worker))
  s3.destroy()
}

/**
 * How many objects, of how many bytes, are in a bucket.
 * @param {string} url
 * @param {string} Bucket
 */
async function held(url, Bucket) {
  const s3 = client(url)
  let [objects, bytes] = [0, 0]
  /** @type {string | undefined} */
  let token
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket, ContinuationToken: token }))
    for (const { Size = 0 } of page.Contents ?? []) {
      objects++
      bytes += Size
    }
    token = page.NextContinuationToken
  } while (token !== undefined)
  s3.destroy()
  return { objects, bytes }
}

const folder = await mkdtemp(join(tmpdir(), 's3move-bench-'))
const names = ['s3move', ...peersOnPath().map(({ name }) => name)].filter((name) => name !== 's5cmd')
await buildIfMissing()
const from = await startSandbox(SHAPES.map(({ name }) => name))
try {
  const profile = (/** @type {string} */ name, /** @type {string} */ url, parallel = 32) =>
    `[profile ${name}]\nregion = us-east-1\nendpoint_url = ${url}\naws_access_key_id = ${name}\naws_secret_access_key = ${name}\n` +
    `s3 =\n  max_concurrent_requests = ${parallel}\n  addressing_style = path\n`
  for (const shape of SHAPES) {
    await fill(from.url, shape.name, shape)
    const rows = [['program', 'objects/s', 'MiB/s', 'seconds', 'CPU s', 'peak MiB']]
    for (const name of names) {
      // One of its own for each, so that none inherits the heap of another.
      const to = await startSandbox(['dst:acl'])
      await writeFile(join(folder, 'config'), profile('from', from.url) + profile('to', to.url))
      const env = {
        ...{
          ...process.env,
          ...SANDBOX_ENVIRONMENT,
          AWS_ACCESS_KEY_ID: undefined,
          AWS_SECRET_ACCESS_KEY: undefined,
          AWS_CA_BUNDLE: undefined,
        },
        AWS_CONFIG_FILE: join(folder, 'config'),
        ...remote('FROM', from.url),
        ...remote('TO', to.url),
      }
      const place = { env, cwd: folder }
      const [source, disk] = [`s3://${shape.name}`, join(folder, 'disk')]
      const commands = {
        s3move: [
          [
            process.execPath,
            CLI,
            'copy',
            source,
            's3://dst',
            '--source-profile',
            'from',
            '--destination-profile',
            'to',
          ].concat(['--checkpoint', 'run', '--fresh']),
        ],
        rclone: [['rclone', 'copy', `from:${shape.name}`, 'to:dst', '--transfers', '32', '--checkers', '32']],
        aws: [
          [
            'aws',
            '--profile',
            'from',
            '--endpoint-url',
            from.url,
            's3',
            'cp',
            '--recursive',
            '--only-show-errors',
            source,
            disk,
          ],
          [
            'aws',
            '--profile',
            'to',
            '--endpoint-url',
            to.url,
            's3',
            'cp',
            '--recursive',
            '--only-show-errors',
            disk,
            's3://dst',
          ],
        ],
      }[name]
      let [seconds, cpu, peak] = [0, 0, 0]
      for (const [command = '', ...args] of commands ?? []) {
        const run = await measured(command, args, place)
        if (run.code !== 0) throw new Error(`${name} ended with code ${String(run.code)}: ${run.stderr}`)
        seconds += run.seconds
        cpu += (run.cpuMicroseconds ?? NaN) / 1e6
        peak = Math.max(peak, run.peakBytes ?? NaN)
      }
      const { objects, bytes } = await held(to.url, 'dst')
      await to.stop()
      await rm(disk, { recursive: true, force: true })
      if (objects !== shape.count) throw new Error(`${name} moved ${objects} objects of ${shape.count}`)
      rows.push([
        ...[name, number(objects / seconds), number(bytes / MIB / seconds, 1), number(seconds, 1)],
        ...[number(cpu, 1), mebibytes(peak)],
      ])
    }
    process.stdout.write(
      `\n${number(shape.count)} objects of ${number(shape.size)} bytes, from one server to another\n`,
    )
    process.stdout.write(`${table(rows)}\n`)
  }
} finally {
  await from.stop()
  await rm(folder, { recursive: true, force: true })
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
    Object.entries({ ...config, ...more }).map(([key, value]) => [`RCLONE_CONFIG_${name}_${key}`, value]),
  )
}
