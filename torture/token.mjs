// Credentials that expire: what `credential_process` gives is in a file, and the judge refuses what was there before.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * @param {string} cwd Where the files go.
 * @param {(accessKey: string) => Promise<void>} expire Tells the judge to refuse what is signed with a key from now on.
 */
export async function startTokens(cwd, expire) {
  const file = join(cwd, 'token.json')
  const config = join(cwd, 'config')
  let count = 0
  const name = () => `TOKEN${String(count)}`
  const issue = async () => {
    count++
    const Expiration = new Date(Date.now() + 3_600_000).toISOString()
    const token = { Version: 1, AccessKeyId: name(), SecretAccessKey: 's', SessionToken: name(), Expiration }
    await writeFile(file, JSON.stringify(token))
  }
  await issue()
  await writeFile(config, `[profile turning]\nregion = us-east-1\ncredential_process = cat ${file}\n`)
  return {
    env: {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_CONFIG_FILE: config,
      AWS_PROFILE: 'turning',
    },
    issue,
    /** The present one expires; there is another one. */
    async renew() {
      const before = name()
      await issue()
      await expire(before)
    },
    /** The present one expires, and there is no other one until one is issued. */
    async lose() {
      await rm(file)
      await expire(name())
    },
  }
}
