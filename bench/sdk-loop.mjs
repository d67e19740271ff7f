// The baseline: what a script of a dozen lines does with the AWS SDK, with the same number of copies in flight.
// node bench/sdk-loop.mjs ENDPOINT SOURCE DESTINATION CONCURRENCY LIMIT
import { CopyObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'

const [endpoint = '', source = '', destination = '', concurrency = '256', limit = '1000'] = process.argv.slice(2)
const client = new S3Client({
  endpoint,
  forcePathStyle: true,
  // Its own default of 50 connections would hold it back.
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: Number(concurrency) } },
})

async function* keys() {
  let left = Number(limit)
  /** @type {string | undefined} */
  let token
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket: source, ContinuationToken: token }))
    for (const { Key = '' } of (page.Contents ?? []).slice(0, left)) {
      left--
      yield Key
    }
    token = page.IsTruncated === true && left > 0 ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}

let copied = 0
const shared = keys()
await Promise.all(
  Array.from({ length: Number(concurrency) }, async () => {
    for (let { value: Key } = await shared.next(); Key !== undefined; { value: Key } = await shared.next()) {
      const CopySource = encodeURIComponent(`${source}/${Key}`)
      await client.send(new CopyObjectCommand({ Bucket: destination, Key, CopySource }))
      copied++
    }
  }),
)
process.stdout.write(`${JSON.stringify({ copied })}\n`)
