import { readFile } from 'node:fs/promises'
import { UserError } from '../../errors.js'
import { shellWord } from '../../report/format.js'
import type { Job } from '../../job/kinds.js'
import type { Side } from '../../job/place.js'
import { printable } from '../../keys.js'

/** The keys of the customer's (SSE-C), by the side whose objects they are for. Secrets: never stored. */
export type CustomerKeys = Readonly<Partial<Record<Side, Uint8Array>>>

/** Reads the keys that a job names. Throws a UserError that does not show what is in the files. */
export async function readKeysOf(job: Job): Promise<CustomerKeys> {
  const { sourceKeyFile, keyFile } = ('attributes' in job ? job.attributes : undefined) ?? {}
  return {
    ...(sourceKeyFile === undefined ? {} : { source: await readKey(sourceKeyFile, '--source-sse-c-key-file') }),
    ...(keyFile === undefined ? {} : { destination: await readKey(keyFile, '--sse-c-key-file') }),
  }
}

const KEY_BYTES = 32

async function readKey(path: string, flag: string): Promise<Uint8Array> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    throw new UserError(
      `the key in ${shellWord(path)} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code}`,
      `check the path after ${flag}`,
    )
  }
  if (content.length === KEY_BYTES) return content
  const text = content.toString('latin1').trim()
  const decoded = /^[0-9a-f]{64}$/i.test(text)
    ? Buffer.from(text, 'hex')
    : /^[A-Za-z0-9+/]{43}=$/.test(text)
      ? Buffer.from(text, 'base64')
      : undefined
  if (decoded?.length === KEY_BYTES) return decoded
  throw new UserError(
    `${printable(path)} holds no key for SSE-C: 32 bytes, or these in base64 or hexadecimal digits`,
    `check the file after ${flag}; openssl rand -out FILE 32 makes one`,
  )
}
