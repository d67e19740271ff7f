import { randomBytes } from 'node:crypto'
import { look, makeBucket, type Server } from './cli-buckets.js'
import { workFolder, type StartOptions } from './cli-program.js'

/** Where a real server answers, and the keys that it knows. */
export interface Gateway {
  readonly url: string
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** The keys as a process has them. */
  readonly env: { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string }
}

/** Two buckets of a server, and a folder to work in. */
export interface Buckets {
  readonly server: Server
  readonly from: string
  readonly to: string
  readonly as: StartOptions
  readonly cwd: string
}

/** The server that .ci/run has started for this suite. `what` names it for those who run the suite by hand, in that variable. */
export function gateway(
  what: string,
  accessKeyId: string,
  secretAccessKey: string,
  variable = 'S3MOVE_TEST_ENDPOINT',
): Gateway {
  const url = process.env[variable]
  if (url === undefined) throw new Error(`${variable} must name ${what}: .ci/run starts one`)
  return {
    ...{ url, keys: { accessKeyId, secretAccessKey } },
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  }
}

/** Two new buckets. */
export async function newBuckets({ url, keys, env }: Gateway): Promise<Buckets> {
  const cwd = await workFolder()
  const server = look(url, 'us-east-1', keys)
  const id = randomBytes(4).toString('hex')
  const [from, to] = [`from-${id}`, `to-${id}`]
  for (const bucket of [from, to]) await makeBucket(server, bucket)
  return { server, from, to, cwd, as: { cwd, env } }
}
