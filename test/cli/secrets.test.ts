import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { refusal, run, workFolder } from '../support/cli-program.js'

describe('a user name and a password in a URL', () => {
  const SECRET = 'wJalr/K7MDENG+bPx'

  test.each<[string[], Record<string, string>?]>([
    [['copy', `s3://AKIA:${SECRET}@src/p`, 's3://dst']],
    [['copy', 's3://src', `s3://AKIA:${SECRET}@dst`]],
    [['copy', 's3://src', `https://AKIA:${SECRET}@dst`]],
    [['copy', 's3://src', `file://AKIA:${SECRET}@dst/x`]],
    [['copy', 's3://src', `AKIA:${SECRET}@dst`]],
    [['copy', 's3://src', 's3://dst', `s3://AKIA:${SECRET}@dst`]],
    [['copy', 's3://src', 's3://dst', `AKIA:${SECRET}@dst`]],
    [['delete', `s3://AKIA:${SECRET}@src`, '--yes']],
    [['ls', 's3://src', '--endpoint-url', `http://me:${encodeURIComponent(SECRET)}@127.0.0.1:1`]],
    [['ls', 's3://src', '--endpoint-url', `me:${SECRET}@127.0.0.1:1`]],
    [['ls', 's3://src', '--endpoint-url', `ftp://me:${SECRET}@127.0.0.1:1`]],
    [['ls', 's3://src', '--endpoint-url', `http://127.0.0.1:1/?X-Amz-Signature=${SECRET}`]],
    [['copy', 's3://src', 's3://dst', '--destination-endpoint-url', `http://me:${SECRET}@127.0.0.1:1`]],
    [['ls', 's3://src'], { AWS_ENDPOINT_URL: `http://me:${encodeURIComponent(SECRET)}@127.0.0.1:1` }],
    [['ls', 's3://src'], { AWS_ENDPOINT_URL_S3: `me:${SECRET}@127.0.0.1:1` }],
    [['ls', 's3://src'], { AWS_CONFIG_FILE: 'config', AWS_PROFILE: 'p' }],
    [['ls', 's3://src', '--to', `http://me:${SECRET}@127.0.0.1/out`, '--endpoint-url', 'http://127.0.0.1:1']],
    [['ls', 's3://src', '--endpoint-url', 'http://127.0.0.1:1'], { http_proxy: `http://me:${SECRET}@127.0.0.1:1` }],
    [['ls', 's3://src', '--endpoint-url', 'http://127.0.0.1:1'], { http_proxy: `ftp://me:${SECRET}@127.0.0.1:1` }],
  ])('is refused and never shown: %j %j', async (args, env = {}) => {
    const cwd = await workFolder()
    await writeFile(
      join(cwd, 'config'),
      `[profile p]\nendpoint_url = http://me:${encodeURIComponent(SECRET)}@127.0.0.1:1\n`,
    )
    const told = await run(args, { cwd, env: { no_proxy: '', ...env } })
    const line = refusal(told)
    for (const part of [SECRET, encodeURIComponent(SECRET), 'wJalr', 'K7MDENG', 'bPx']) expect(line).not.toContain(part)
    expect(line).toMatch(/user name or password|…@|has a query|ECONNREFUSED|proxy/)
  })
})
