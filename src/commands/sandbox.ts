import { startSandbox, type SandboxOptions } from '../sandbox/server.js'

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
