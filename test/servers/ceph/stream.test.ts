import { GetObjectCommand } from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { oddLayout } from '../../../src/sandbox/buckets/odd-keys.js'
import { contentOf, look, put, RICH, sandbox, traitsOf, type Server } from '../../support/cli-buckets.js'
import { run, type StartOptions } from '../../support/cli-program.js'
import { pair, url } from './ceph-buckets.js'

const OTHER = { accessKeyId: 'AKIDOFTHEOTHER', secretAccessKey: 'secret/of+the/other' }
const SIZES = [0, 1, 70_000, 8 * 1024 ** 2, 8 * 1024 ** 2 + 1, 40_000_000, 300_000_000]

/** Of each object: its traits without the ETag, which the parts of an upload make, and the SHA-256 of its bytes. */
async function digests(server: Server, bucket: string): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>()
  for (const Key of (await contentOf(server, bucket)).keys()) {
    const digest = createHash('sha256')
    const { Body } = await server.s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
    for await (const bytes of Body as AsyncIterable<Uint8Array>) digest.update(bytes)
    const { ETag, StorageClass, ServerSideEncryption, ...traits } = (await traitsOf(server, bucket, Key)) as Record<
      string,
      unknown
    >
    expect([typeof ETag, StorageClass ?? 'STANDARD', ServerSideEncryption ?? 'AES256']).toEqual([
      'string',
      'STANDARD',
      'AES256',
    ])
    found.set(Key, { ...traits, digest: digest.digest('hex') })
  }
  return found
}

test('from Ceph to a store with credentials of its own, to the disk, and back, every byte, header, metadatum and tag is as it was', async () => {
  const { ceph, from, to, cwd } = await pair()
  const server = await sandbox({ buckets: ['between', 'restored'], ...OTHER })
  const between = look(server.url, 'us-east-1', OTHER)
  const profile = (name: string, endpoint: string, key: string, secret: string): string =>
    `[profile ${name}]\nregion = us-east-1\nendpoint_url = ${endpoint}\naws_access_key_id = ${key}\naws_secret_access_key = ${secret}\n`
  const profiles = [
    profile('ceph', url, 'test', 'testtest'),
    profile('other', server.url, OTHER.accessKeyId, OTHER.secretAccessKey),
  ]
  await writeFile(join(cwd, 'config'), profiles.join(''))
  const env = {
    ...{ AWS_CONFIG_FILE: join(cwd, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(cwd, 'none') },
    ...{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_REGION: undefined },
  }
  const as: StartOptions = { cwd, env }
  const layout = oddLayout(120, 5, 1024)
  for (let index = 0; index < layout.count; index++) {
    const Body = layout.keyAt(index).endsWith('/') ? '' : `body ${index}`
    await put(ceph, from, layout.keyAt(index), { Body, ...(index % 3 === 0 ? RICH : { ContentType: 'text/plain' }) })
  }
  for (const size of SIZES) await put(ceph, from, `sizes/ä ${size}`, { Body: randomBytes(size), ...RICH })

  const before = await digests(ceph, from)
  const count = layout.count + SIZES.length
  const copy = async (source: string, destination: string, ...more: string[]): Promise<void> => {
    const { code, stderr } = await run(['copy', source, destination, ...more], as)
    expect([code, stderr]).toEqual([0, expect.stringContaining(`${count} objects copied, none skipped, none failed`)])
  }
  await copy(`s3://${from}`, 's3://between', '--source-profile', 'ceph', '--destination-profile', 'other')
  expect(await digests(between, 'between')).toEqual(before)
  await copy('s3://between', `s3://${to}`, '--source-profile', 'other', '--destination-profile', 'ceph')
  expect(await digests(ceph, to)).toEqual(before)
  const folder = `file://${join(cwd, 'backup')}`
  await copy(`s3://${to}`, folder, '--profile', 'ceph')
  await copy(folder, 's3://restored', '--profile', 'other')
  expect(await digests(between, 'restored')).toEqual(before)
})
