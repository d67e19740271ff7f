import fc from 'fast-check'
import { expect, test } from 'vitest'
import { carriedWith, changesBeside } from '../../../../src/engine/actions/carried.js'

const SSE = 'x-amz-server-side-encryption'
const KMS = [
  [SSE, 'aws:kms'],
  [`${SSE}-aws-kms-key-id`, 'arn:old'],
  [`${SSE}-bucket-key-enabled`, 'true'],
] as const
const LOCK = ['x-amz-object-lock-legal-hold', 'ON'] as const

test('another encryption takes the place of all that belongs to the old one, and of nothing else', () => {
  expect(carriedWith([...KMS, LOCK], [[SSE, 'AES256']])).toEqual([LOCK, [SSE, 'AES256']])
})

test('another class takes the place of the old one; STANDARD is what no field asks for', () => {
  const has = [['x-amz-storage-class', 'GLACIER_IR'] as const, LOCK]
  expect(carriedWith(has, [['x-amz-storage-class', 'STANDARD_IA']])).toEqual([
    LOCK,
    ['x-amz-storage-class', 'STANDARD_IA'],
  ])
  expect(carriedWith(has, [['x-amz-storage-class', 'STANDARD']])).toEqual([LOCK])
})

test('without a wish all stays, and nothing differs', () => {
  expect(carriedWith(KMS)).toEqual(KMS)
  expect(changesBeside({ carried: KMS, storageClass: 'STANDARD' })).toEqual([])
})

test('what differs is told with what was there', () => {
  const has = { carried: KMS, storageClass: 'STANDARD' }
  expect(changesBeside(has, [['x-amz-storage-class', 'GLACIER_IR']])).toEqual([
    { name: 'x-amz-storage-class', from: 'STANDARD', to: 'GLACIER_IR' },
  ])
  expect(changesBeside({ carried: [], storageClass: 'STANDARD' }, [[SSE, 'aws:kms']])).toEqual([
    { name: SSE, from: undefined, to: 'aws:kms' },
  ])
})

test('what has been written as wished differs in nothing', () => {
  const value = fc.constantFrom('AES256', 'aws:kms', 'aws:kms:dsse')
  fc.assert(
    fc.property(value, value, fc.option(fc.constantFrom('arn:a', 'arn:b'), { nil: undefined }), (from, to, key) => {
      const wanted = [[SSE, to] as const, ...(key === undefined ? [] : [[`${SSE}-aws-kms-key-id`, key] as const])]
      const carried = carriedWith([[SSE, from], LOCK], wanted)
      expect(changesBeside({ carried, storageClass: 'STANDARD' }, wanted)).toEqual([])
      expect(carried).toContainEqual(LOCK)
    }),
  )
})
