import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { Sdk } from '../../../../src/storage/s3/sdk.js'
import { plainTarget } from '../../../../src/storage/s3/target.js'
import { awsEnvironment } from '../../../support/aws-environment.js'

awsEnvironment()

const ENDPOINTS = [
  'http://127.0.0.1:9000',
  'http://127.0.0.1:9000/',
  'https://s3.example',
  'https://s3.example:443',
  'http://s3.example:80',
  'http://[::1]:9000',
  'http://localhost',
  'https://s3.example/base',
  'https://s3.example/a/b/',
  'https://S3.Example:8443',
  'https://s3.eu-west-1.amazonaws.com',
  'https://s3.example/a%20b',
]
const REGIONS = [
  'us-east-1',
  'eu-west-1',
  'auto',
  'default',
  'garage',
  'aws-global',
  'fips-us-east-1',
  'us-east-1-fips',
]

const clients = new Map<string, Sdk>()
afterAll(() => clients.forEach((sdk) => sdk.close()))

async function asTheSdkSays(endpointUrl: string, bucket: string, region: string) {
  const settings = { profile: undefined, endpointUrl, fixed: { accessKeyId: 'a', secretAccessKey: 's' }, trust: {} }
  const sdk = clients.get(endpointUrl) ?? new Sdk(settings)
  clients.set(endpointUrl, sdk)
  return await sdk.target(bucket, region, true, { useDualstackEndpoint: false })
}

describe('where requests for a bucket go at a given endpoint', () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
  const bucket = fc.oneof(name, fc.constantFrom('a.b', 'my-bucket', '192.168.0.1', 'a..b', 'a-.b', 'xn--bucket'))

  test('is the same as the SDK says, wherever it is known without it', async () => {
    let known = 0
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ENDPOINTS),
        bucket,
        fc.constantFrom(...REGIONS),
        async (endpoint, bucket, region) => {
          const plain = plainTarget(endpoint, bucket, region)
          if (plain === undefined) return
          known++
          expect(plain).toEqual(await asTheSdkSays(endpoint, bucket, region))
        },
      ),
      { numRuns: 1_000 },
    )
    expect(known).toBeGreaterThan(300)
  })

  test.each([
    ['an access point', 'arn:aws:s3:eu-west-1:123456789012:accesspoint/mine', 'eu-west-1'],
    ['an alias of one', 'mine-abcdefgh-s3alias', 'eu-west-1'],
    ['a name of old', 'Old_Bucket', 'us-east-1'],
    ['a directory bucket', 'mine--use1-az1--x-s3', 'us-east-1'],
    ['a region that stands for another', 'bucket', 'aws-global'],
    ['a region with FIPS', 'bucket', 'fips-us-east-1'],
    ['a name that is too short', 'ab', 'us-east-1'],
  ])('is left to the SDK for %s', (_, bucket, region) => {
    expect(plainTarget('http://127.0.0.1:9000', bucket, region)).toBeUndefined()
  })
})
