import { describe, expect, test } from 'vitest'
import { frontOf, rewriteRouteOf, routeOf, type RoutedObject } from '../../../src/batch/route.js'

const object: RoutedObject = {
  ...{ key: 'a/b', size: 1, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
}
const place = (prefix: string) => ({ bucket: 'b', prefix })

describe('who copies an object', () => {
  test.each([
    ['', '', ''],
    ['', 'in/', 'in/'],
    ['a/', 'a/', ''],
    ['a/', 'old/a/', 'old/'],
    ['a/', 'b/', undefined],
    ['a/', '', undefined],
  ])('from %j to %j a job puts %j in front', (source, destination, front) => {
    expect(frontOf({ source: place(source), destination: place(destination) })).toBe(front)
  })

  test('a job, whose copies keep the storage class', () => {
    expect(routeOf(object, {}, '')).toEqual({ storageClass: 'STANDARD' })
    expect(routeOf({ ...object, storageClass: 'GLACIER_IR' }, {}, '')).toEqual({ storageClass: 'GLACIER_IR' })
  })

  test('a job with the storage class that is asked for, or none', () => {
    const asked = { attributes: { storageClass: 'STANDARD_IA' } }
    expect(routeOf({ ...object, storageClass: 'ONEZONE_IA' }, asked, '')).toEqual({ storageClass: 'STANDARD_IA' })
    const dropped = { attributes: { drop: ['storage-class' as const] } }
    expect(routeOf({ ...object, storageClass: 'ONEZONE_IA' }, dropped, '')).toEqual({ storageClass: 'STANDARD' })
  })

  test.each([
    [{ size: 5_000_000_001 }, 'it is larger than 5 GB'],
    [{ storageClass: 'GLACIER' }, 'its content is archived (GLACIER)'],
    [{ storageClass: 'DEEP_ARCHIVE' }, 'its content is archived (DEEP_ARCHIVE)'],
    [{ storageClass: 'REDUCED_REDUNDANCY' }, 'no job knows the storage class REDUCED_REDUNDANCY'],
    [{ key: 'k'.repeat(1022) }, 'its name would be longer than 1,024 bytes'],
  ])('s3move itself, where it has %j', (traits, reason) => {
    expect(routeOf({ ...object, ...traits }, {}, 'in/')).toEqual({ reason })
  })

  test('5 GB exactly go into a job', () => {
    expect(routeOf({ ...object, size: 5_000_000_000 }, {}, '')).toEqual({ storageClass: 'STANDARD' })
  })
})

describe('an object whose headers are to change', () => {
  const plain = [
    ['x-amz-meta-owner', 'web'],
    ['content-type', 'text/plain'],
    ['expires', 'Thu, 01 Dec 2033 16:00:00 GMT'],
    ['x-amz-server-side-encryption', 'AES256'],
  ] as const

  test('is for a job of its storage class, whatever the order of its fields', () => {
    const route = rewriteRouteOf(5, [...plain, ['x-amz-storage-class', 'STANDARD_IA']])
    expect(route).toEqual({
      storageClass: 'STANDARD_IA',
      fields: plain.toSorted(([a], [b]) => (a < b ? -1 : 1)),
    })
    expect(rewriteRouteOf(5, [['x-amz-storage-class', 'STANDARD_IA'], ...plain.toReversed()])).toEqual(route)
    expect(rewriteRouteOf(5, plain)).toMatchObject({ storageClass: 'STANDARD' })
  })

  test.each([
    [['expires', '0'], 'its Expires is not as HTTP writes dates'],
    [['expires', '2033-12-01'], 'its Expires is not as HTTP writes dates'],
    [['x-amz-meta-name', 'Ã¼'], 'its headers have characters beyond ASCII'],
    [['x-amz-object-lock-mode', 'GOVERNANCE'], 'it is locked'],
    [['x-amz-server-side-encryption', 'aws:kms:dsse'], 'no job can encrypt it with aws:kms:dsse'],
    [['x-amz-grant-read', 'id=1'], 'no job can give it x-amz-grant-read'],
    [['content-type', 'text/html'], 'it has a field twice'],
    [['x-amz-storage-class', 'GLACIER'], 'its content is archived (GLACIER)'],
    [['x-amz-storage-class', 'SNOW'], 'no job knows the storage class SNOW'],
  ] as const)('with %j is left to s3move', (field, reason) => {
    const rest = plain.filter(([name]) => name !== field[0] || name === 'content-type')
    expect(rewriteRouteOf(5, [...rest, field])).toEqual({ reason })
  })

  test('is left to s3move over 5 GB', () => {
    expect(rewriteRouteOf(5_000_000_001, plain)).toEqual({ reason: 'it is larger than 5 GB' })
    expect(rewriteRouteOf(5_000_000_000, plain)).toHaveProperty('fields')
  })
})
