import { hash } from 'node:crypto'
import type { Fields } from './sign.js'

/** The three fields in which a key of the customer's is given (SSE-C). */
export function customerFields(prefix: string, key: Uint8Array | undefined): Fields {
  if (key === undefined) return []
  const name = `${prefix}-encryption-customer`
  return [
    [`${name}-algorithm`, 'AES256'],
    [`${name}-key`, Buffer.from(key).toString('base64')],
    [`${name}-key-md5`, hash('md5', key, 'base64')],
  ]
}
