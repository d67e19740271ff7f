import { describe, expect, test } from 'vitest'
import { frontOf, routeOf, type RoutedObject } from '../../../src/batch/route.js'

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
