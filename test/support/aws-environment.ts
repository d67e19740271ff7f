import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, vi } from 'vitest'
import type { Account } from '../../src/storage/s3/account.js'

/**
 * An environment in which each test of a file finds no setting of AWS but a pair of keys: a folder for its configuration files, and the accounts that it has
 * opened, which are closed after it.
 */
export function awsEnvironment(): { readonly folder: string; readonly open: Account[] } {
  const folder = mkdtempSync(join(tmpdir(), 's3move-config-'))
  const open: Account[] = []
  afterAll(() => rmSync(folder, { recursive: true }))
  beforeEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDENV')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'))
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'none'))
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  })
  afterEach(() => {
    for (const account of open.splice(0)) account.close()
    vi.unstubAllEnvs()
  })
  return { folder, open }
}
