import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'

/**
 * The objects of a bucket in the order of its listing, told by the SDK and not by s3move's own lister.
 * @param {S3Client} client
 * @param {string} bucket
 */
async function* objectsOf(client, bucket) {
  /** @type {string | undefined} */
  let token
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }))
    for (const { Key = '', Size, ETag } of page.Contents ?? []) yield { Key, Size, ETag }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}

/**
 * Compares two buckets key by key.
 * @param {string} endpoint
 * @param {string} source
 * @param {string} destination
 */
export async function compareBuckets(endpoint, source, destination) {
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'sandbox', secretAccessKey: 'sandbox' },
  })
  const found = { source: 0, destination: 0, missing: 0, extra: 0, different: 0 }
  const [left, right] = [objectsOf(client, source), objectsOf(client, destination)]
  let [a, b] = await Promise.all([left.next(), right.next()])
  while (a.done !== true || b.done !== true) {
    const order =
      a.done === true ? 1 : b.done === true ? -1 : Buffer.compare(Buffer.from(a.value.Key), Buffer.from(b.value.Key))
    if (order === 0 && (a.value?.Size !== b.value?.Size || a.value?.ETag !== b.value?.ETag)) found.different++
    if (order < 0) found.missing++
    if (order > 0) found.extra++
    if (order <= 0) found.source++
    if (order >= 0) found.destination++
    ;[a, b] = await Promise.all([order <= 0 ? left.next() : a, order >= 0 ? right.next() : b])
  }
  client.destroy()
  return found
}
