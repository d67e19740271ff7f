import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { put, sandbox } from '../support/cli-buckets.js'
import { run, workFolder } from '../support/cli-program.js'
import { front } from '../support/front.js'

test('a bucket that blocks keys of the customer is named as what may forbid a copy, with what to do', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await put(server, 'src', 'a', { Body: 'a' })
  await writeFile(join(cwd, 'key'), Buffer.alloc(32, 1))
  const { url } = await front(server.port, ({ method, headers, url }) =>
    method === 'PUT' && url === '/dst/a' && headers['x-amz-server-side-encryption-customer-algorithm'] !== undefined
      ? { status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const args = ['copy', 's3://src', 's3://dst', '--sse-c-key-file', 'key', '--endpoint-url', url, '--checkpoint', 'run']
  const { code, stderr } = await run(args, { cwd })
  expect([code, stderr]).toEqual([3, expect.stringContaining('BlockedEncryptionTypes')])
  const ledger = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
  expect(JSON.parse(ledger)).toMatchObject({
    ...{ key: 'a', code: 'AccessDenied', operation: 'CopyObject' },
    message: expect.stringMatching(/^it said 403; the bucket may block keys of yours/) as string,
  })
})
