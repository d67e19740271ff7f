import { expect, test } from 'vitest'
import { isReadable, ReadSample, SIZE_CLASSES, sizeClassOf } from '../../../src/probe/size-classes.js'

const object = (key: string, size: number, storageClass = 'STANDARD') => ({
  ...{ key, size, storageClass, etag: '', lastModified: '' },
})

test('what is archived, or of a class of which reading costs by the byte, is not read', () => {
  expect(
    ['STANDARD', 'INTELLIGENT_TIERING', 'STANDARD_IA', 'GLACIER', 'DEEP_ARCHIVE', 'GLACIER_IR', 'ONEZONE_IA'].filter(
      (storageClass) => isReadable({ storageClass, size: 1 }),
    ),
  ).toEqual(['STANDARD', 'INTELLIGENT_TIERING'])
  expect(isReadable({ storageClass: 'STANDARD', size: 0 })).toBe(false)
})

test('each size above 0 is of one class', () => {
  for (const size of [1, 4096, 4097, 65_536, 65_537, 2 ** 20, 2 ** 20 + 1, 2 ** 24, 2 ** 24 + 1, 5 * 2 ** 40]) {
    expect(SIZE_CLASSES.filter(({ from, upTo = Infinity }) => size > from && size <= upTo)).toEqual([sizeClassOf(size)])
  }
})

test('of each class so many are kept at most, the last of them too', () => {
  const sample = new ReadSample(10, () => 0)
  for (let i = 0; i < 1000; i++) sample.add(object(`small-${i}`, 100))
  sample.add(object('large', 5 * 2 ** 30))
  sample.add(object('cold', 100, 'GLACIER'))
  const [smallest] = SIZE_CLASSES
  expect(sample.of(smallest!)).toHaveLength(10)
  expect(sample.of(smallest!)[0]!.key).toBe('small-999')
  expect(sample.all().map(({ key }) => key)).toContain('large')
  expect(sample).toMatchObject({ seen: 1002, unreadable: 1 })
})
