import { hash, randomUUID } from 'node:crypto'
import { StorageError } from '../../errors.js'
import { encodePath } from './encode.js'
import { copySource, sorted, type Channel } from './request.js'
import { encryptionBody } from './rewriting.js'
import { faultOf } from './storage-errors.js'
import type { Fields } from './sign.js'
import { isOtherAnswer, mayBeUnsupported } from './unsupported.js'

/** Questions to a store whose answers tell what it knows. None of them can write anything. */
export interface Probes {
  /**
   * Why the store refuses requests with `fields` that it understands without: asked with copies of an object that does not exist. Undefined where it
   * does not, or where that cannot be told. AWS is not asked.
   */
  refusalOf(fields: Fields): Promise<StorageError | undefined>
  /**
   * Why the plainest request is not answered as it should be: for an object that does not exist, or for a copy of that from the bucket of a request with
   * such `fields`.
   */
  troubleWith(fields: Fields): Promise<StorageError | undefined>
  /**
   * What is answered to a change of the encryption of an object that does not exist to that of a key; undefined where it is no refusal. As `disguised` it
   * is one that a store which knows no such changes takes for a part of an upload that does not exist either, so that nothing can be written. Rejects with
   * what may pass.
   */
  answerToUpdate(key: string, kmsKeyArn: string, disguised: boolean): Promise<StorageError | undefined>
  /** Whether it answers as always although its bucket is expected to be that of an account which nobody has. */
  ignoresOwner(): Promise<boolean>
}

/** Accounts that AWS gives to nobody. */
const NOBODY = ['000000000000', '999999999999'] as const

/** The probes of a store whose requests go by `channel` as they are: nothing is left out of them. What is refused to `unjudged` is not looked into. */
export function createProbes(
  channel: Pick<Channel, 'place' | 'bucketPath' | 'aws' | 'always' | 'request'>,
  unjudged: Channel['request'],
): Probes {
  const { place, bucketPath, aws, always, request } = channel
  const { bucket } = place
  const copyNothing = async (more: Fields): Promise<StorageError | undefined> => {
    const key = `s3move-probe-${randomUUID()}`
    const asked = { operation: 'CopyObject', bucket, key }
    const source = copySource({ bucket, prefix: '' }, key)
    const fields = sorted([...always, ['x-amz-copy-source', source], ...more])
    const response = await request(asked, { method: 'PUT', path: `${bucketPath}/${key}`, fields })
    return response.status < 300 ? undefined : faultOf(response, asked)
  }
  return {
    async troubleWith(given) {
      const source = sourceIn(given)
      const key = `s3move-probe-${randomUUID()}`
      const asked = { operation: source === undefined ? 'GetObject' : 'CopyObject', bucket, key }
      const fields = source === undefined ? always : sorted([...always, ['x-amz-copy-source', `${source}/${key}`]])
      try {
        const method = source === undefined ? 'GET' : 'PUT'
        const response = await unjudged(asked, { method, path: `${bucketPath}/${key}`, fields })
        if (response.status < 300) return undefined
        const fault = faultOf(response, asked)
        // What a proxy says by itself proves nothing of the store.
        const isOfObject = fault.severity === 'skip' || fault.severity === 'fail-object'
        return isOfObject && response.body.includes('<Code>') ? undefined : fault
      } catch (error) {
        if (error instanceof StorageError) return error
        throw error
      }
    },

    async refusalOf(fields) {
      if (aws) return undefined
      try {
        const refusal = await copyNothing(fields)
        if (refusal === undefined || !mayBeUnsupported(refusal)) return undefined
        const plain = await copyNothing([])
        return isOtherAnswer(refusal, plain?.status ?? 200, plain?.code) ? refusal : undefined
      } catch (error) {
        if (error instanceof StorageError) return undefined
        throw error
      }
    },

    async answerToUpdate(key, kmsKeyArn, disguised) {
      const asked = { operation: 'UpdateObjectEncryption', bucket, key: place.prefix + key }
      const body = encryptionBody({ kmsKeyArn, bucketKey: false })
      const fields = sorted([['content-md5', hash('md5', body, 'base64')], ...always])
      const query = `encryption=${disguised ? `&partNumber=1&uploadId=s3move-${randomUUID()}` : ''}`
      const path = `${bucketPath}/${encodePath(place.prefix + key)}`
      const response = await request(asked, { method: 'PUT', path, query, fields, body })
      if (response.status < 300) return undefined
      const fault = faultOf(response, asked)
      if (fault.severity === 'retry' || fault.severity === 'throttle') throw fault
      return fault
    },

    async ignoresOwner() {
      const name = 'x-amz-expected-bucket-owner'
      const expected = always.find(([one]) => one === name)?.[1]
      const nobody = NOBODY.find((one) => one !== expected) ?? NOBODY[0]
      const fields = sorted([...always.filter(([one]) => one !== name), [name, nobody]])
      try {
        const asked = { operation: 'HeadBucket', bucket }
        const { status } = await request(asked, { method: 'HEAD', path: `${bucketPath}/`, fields })
        return status < 300
      } catch (error) {
        if (error instanceof StorageError) return false
        throw error
      }
    },
  }
}

// The bucket that is copied from, as `x-amz-copy-source` begins; undefined when this is no copy.
function sourceIn(fields: Fields): string | undefined {
  const source = fields.find(([name]) => name === 'x-amz-copy-source')?.[1]
  return source === undefined ? undefined : SOURCE_BUCKET.exec(source)?.[0]
}

const SOURCE_BUCKET = /^arn:.*?\/object(?=\/)|^\/[^/]+/
