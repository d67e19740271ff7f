import type { Argv } from './options/argv.js'
import { UserError } from '../errors.js'
import type { SandboxOptions } from '../sandbox/server.js'
import { dialects } from '../sandbox/wire/dialects.js'
import type { Command } from './options/command.js'
import { ALWAYS } from './options/exit.js'
import { defined, many, readText, readWhole, textFlag, texts, type Flags } from './options/flag-values.js'

export const command: Command = {
  usage: 'sandbox [buckets..]',
  group: 'looking',
  summary: 'a simulated S3 server on this machine, for rehearsals',
  help:
    '$0 sandbox [BUCKET..]\n\nServes S3 on loopback until interrupted, and prints the lines to paste. Without buckets: src:seq:100k dst.\n' +
    'A bucket is NAME or NAME:FLAG,.., which stores what is put; flags are versioned, acl (lists are in force), unconditional (If-Match of writes counts for nothing), unencrypted (encrypts nothing by itself).\n' +
    'Or it is NAME:LAYOUT:COUNT[:OPTION=VALUE,..], which is synthetic and costs no memory. Layouts: seq, hex, dates, hot, deep, odd. Options: size=BYTES, big=N, glacier=N, denied=N, tags=N, annotations=N (one object in N), prefix=TEXT.\n' +
    'A bucket that is named as a directory bucket, BASE--ZONE--x-s3, is one, with its sessions, its rules, and a listing in no order.',
  options: [sandboxFlags],
  examples: [
    ['$0 sandbox src:hex:5M dst', 'five million objects, and where to copy them'],
    ['$0 sandbox src dst--use1-az4--x-s3', 'a directory bucket to copy to'],
    ['$0 sandbox src:odd:10k dst --latency copy=20-60 --fault 503=1%', 'odd keys, slow copies, throttling'],
  ],
  exits: { ...ALWAYS, 0: 'ended by Ctrl-C or SIGTERM' },
  run(flags, io) {
    return sandbox(readSandbox(flags), io)
  },
}

/** Flags of the simulated server. */
export function sandboxFlags(argv: Argv): Argv {
  const names = Object.keys(dialects).join(', ')
  return argv
    .positional('buckets', {
      type: 'string',
      array: true,
      describe: 'NAME[:FLAG,..] or NAME:LAYOUT:COUNT[:OPTION=VALUE,..]',
    })
    .options({
      port: textFlag('N', 'port to listen on', 'a free one'),
      'access-key': textFlag('AK:SK', 'verify signatures with these', 'any signature is accepted'),
      latency: textFlag(
        'OPERATIONS=MS',
        'how long answers take, in ms: list, copy, head, get, put, delete, other, all =MIN-MAX, …',
      ),
      rate: textFlag('write=N,read=N', 'requests a second for each first folder; 503 SlowDown beyond'),
      fault: many(
        'KIND=RATE[@OPERATION]',
        'what goes wrong, and how often: 301, 307, 500, 503, reset, reset-after, truncate, hang, copy200err, copy200empty, space, expired, region, disorder, denied; repeatable',
      ),
      dialect: {
        ...textFlag(
          'STORE',
          `another store that it plays: ${names}; or switches, as docs/sandbox.md lists them`,
          'aws',
        ),
        values: Object.keys(dialects),
      },
      session: textFlag('N', 'seconds that a session (directory bucket) lasts', '300'),
      restore: textFlag('N', 'seconds that restoring an archived object takes', '0: ready at once'),
      seed: textFlag('N', 'seed of latencies and faults', '1'),
    })
}

/** The sandbox that the flags ask for. */
export function readSandbox(flags: Flags): SandboxOptions {
  const buckets = texts(flags.buckets)
  const faults = texts(flags.fault)
  const [accessKeyId, secretAccessKey, ...more] = readText(flags, 'access-key')?.split(':') ?? []
  if (accessKeyId !== undefined && (secretAccessKey === undefined || more.length > 0)) {
    throw new UserError('--access-key wants an access key and a secret key', 'write --access-key AK:SK')
  }
  return defined<SandboxOptions>({
    port: readWhole(flags, 'port', 0, 65_535),
    buckets: buckets.length > 0 ? buckets : ['src:seq:100k', 'dst'],
    accessKeyId,
    secretAccessKey,
    latency: readText(flags, 'latency'),
    rate: readText(flags, 'rate'),
    faults,
    restoreSeconds: readWhole(flags, 'restore', 0, 1_000_000),
    sessionSeconds: readWhole(flags, 'session', 1, 1_000_000),
    dialect: readText(flags, 'dialect'),
    seed: readWhole(flags, 'seed', 0, 0xffff_ffff),
  })
}

/** The names of the buckets to copy from and to in the example: a synthetic one first, then another. */
function exampleBuckets(specs: readonly string[]): [string, string] {
  const bucketName = (spec: string | undefined) => spec?.split(':')[0]
  const source = specs.find((spec) => spec.split(':').length > 2) ?? specs[0]
  const destination = specs.find((spec) => spec !== source && spec.split(':').length < 3)
  return [bucketName(source) ?? 'src', bucketName(destination) ?? 'dst']
}

/**
 * `s3move sandbox`: runs the simulated S3 server until `stop` aborts. Tells on stdout where it listens and what to
 * paste into a shell to use it. Returns the exit code, 0. Throws UserError when an option is wrong.
 */
export async function sandbox(
  options: SandboxOptions,
  io: { stdout: NodeJS.WritableStream; stop: AbortSignal },
): Promise<number> {
  const { accessKeyId = 'sandbox', secretAccessKey = 'sandbox', region = 'us-east-1', buckets = [] } = options
  const { startSandbox } = await import('../sandbox/server.js')
  const server = await startSandbox(options)
  try {
    const [source, destination] = exampleBuckets(buckets)
    io.stdout.write(
      `sandbox listening on ${server.url}\n` +
        `export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_REGION=${region}\n` +
        `s3move copy s3://${source} s3://${destination} --endpoint-url ${server.url}\n`,
    )
    if (!io.stop.aborted) {
      await new Promise<void>((resolve) => {
        io.stop.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  } finally {
    await server.close()
  }
  return 0
}
