import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { usagePage } from '../../../../src/report/pages/usage-page.js'
import { censusReport } from '../../../../src/report/usage-report.js'
import { UsageCounts } from '../../../../src/engine/output/usage-counts.js'
import type { ObjectSummary } from '../../../../src/storage/storage.js'

const object: fc.Arbitrary<ObjectSummary> = fc.record({
  key: fc
    .array(fc.constantFrom('a', 'b', '/', '__proto__', 'é', '\n'), { maxLength: 6 })
    .map((parts) => parts.join('')),
  size: fc.oneof(fc.constantFrom(0, 1, 131_072, 131_073, 5 * 1024 ** 3, 5 * 1024 ** 3 + 1), fc.nat()),
  etag: fc.constant('e'),
  lastModified: fc.constantFrom('2024-02-29T00:00:00.000Z', '2023-12-31T23:59:59.000Z', '', 'yesterday', '2024-13-01T'),
  storageClass: fc.constantFrom('STANDARD', 'GLACIER', '__proto__'),
})

function naive(
  objects: readonly ObjectSummary[],
  nameOf: (object: ObjectSummary) => string,
): Map<string, [number, number]> {
  const groups = new Map<string, [number, number]>()
  for (const one of objects) {
    const [count, bytes] = groups.get(nameOf(one)) ?? [0, 0]
    groups.set(nameOf(one), [count + 1, bytes + one.size])
  }
  return groups
}

const asMap = (groups: readonly (readonly [string, number, number])[]) =>
  new Map(groups.map(([name, count, bytes]) => [name, [count, bytes]]))

const folderOf = (key: string, depth: number): string => {
  const parts = key.split('/').slice(0, -1)
  return parts
    .slice(0, depth)
    .map((part) => `${part}/`)
    .join('')
}

describe('a census', () => {
  test('counts by every trait what a naive count has, however pages are spread over threads', () => {
    const pages = fc.array(fc.array(object, { maxLength: 12 }), { maxLength: 6 })
    fc.assert(
      fc.property(pages, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 3 }), (all, depth, threads) => {
        const whole = new UsageCounts({ depth })
        const parts = Array.from({ length: threads }, () => new UsageCounts({ depth }))
        for (const [i, page] of all.entries()) {
          const part = parts[i % threads]!
          part.add(page)
          if (i % 2 === 0) whole.merge(structuredClone(part.take()))
        }
        for (const part of parts)
          whole.merge(JSON.parse(JSON.stringify(part.take())) as ReturnType<UsageCounts['take']>)
        const objects = all.flat()
        const data = whole.data()
        expect(data.total).toEqual({ objects: objects.length, bytes: objects.reduce((sum, { size }) => sum + size, 0) })
        expect(asMap(data.storageClasses)).toEqual(naive(objects, ({ storageClass }) => storageClass))
        const day = ({ lastModified }: ObjectSummary) =>
          /^\d{4}-(?:02|12)-/.exec(lastModified) ? lastModified.slice(0, 10) : 'unknown'
        expect(asMap(data.days)).toEqual(naive(objects, day))
        if (depth > 0) expect(asMap(data.folders)).toEqual(naive(objects, ({ key }) => folderOf(key, depth)))
        expect(data.sizes.reduce((sum, [, count]) => sum + count, 0)).toBe(objects.length)
        for (const part of parts) expect(part.data().total).toEqual({ objects: 0, bytes: 0 })
      }),
    )
  })

  test('keeps no more groups than it may, and loses no object over it', () => {
    fc.assert(
      fc.property(fc.array(object, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (objects, mostGroups) => {
        const census = new UsageCounts({ depth: 2, mostGroups })
        census.add(objects)
        const { folders, days, storageClasses, other } = census.data()
        for (const [groups, rest] of [
          [folders, other.folders],
          [days, other.days],
          [storageClasses, other.storageClasses],
        ] as const) {
          expect(groups.length).toBeLessThanOrEqual(mostGroups)
          expect(groups.reduce((sum, [, count]) => sum + count, rest.objects)).toBe(objects.length)
        }
      }),
    )
  })
})

describe('the report of a census', () => {
  const census = new UsageCounts({ depth: 2 })
  const one = (key: string, size: number, lastModified: string, storageClass = 'STANDARD'): ObjectSummary => ({
    key,
    size,
    etag: '',
    lastModified,
    storageClass,
  })
  census.add([
    one('a/b/c', 1024, '2024-01-02T00:00:00Z'),
    one('a/x', 0, '2024-01-02T00:00:00Z', 'GLACIER'),
    one('evil\u001b[2J,"\n/y', 3072, '2025-06-01T00:00:00Z'),
    one('top', 0, '2025-06-01T00:00:00Z'),
  ])
  const options = { depth: 2, dates: 'year', url: 's3://b/\u001b[2J', complete: true } as const

  test('is a row for each group in CSV, with names that no terminal obeys', () => {
    expect(censusReport(census.data(), { ...options, format: 'csv' })).toBe(
      [
        'trait,name,objects,bytes',
        'total,,4,4096',
        'storage_class,GLACIER,1,0',
        'storage_class,STANDARD,3,4096',
        'size,0,2,0',
        'size,128 KiB,2,4096',
        'date,2024,2,1024',
        'date,2025,2,3072',
        'folder,a/,2,1024',
        'folder,a/b/,1,1024',
        'folder,"evil\\x1b[2J,""\\n/",1,3072',
        '',
      ].join('\n'),
    )
  })

  test('is one line of JSON with exact names', () => {
    const text = censusReport(census.data(), { ...options, format: 'json' })
    expect(text.split('\n')).toHaveLength(2)
    expect(JSON.parse(text)).toMatchObject({
      source: 's3://b/\u001b[2J',
      complete: true,
      objects: 4,
      bytes: 4096,
      folders: [{ name: 'a/', level: 1, objects: 2 }, { name: 'a/b/', level: 2 }, { name: 'evil\u001b[2J,"\n/' }],
    })
  })

  test('begins with the total in text, and says first when it is of a part only', () => {
    const text = censusReport(census.data(), { ...options, format: 'text', complete: false, dates: 'day' })
    expect(text).toMatch(/^a part only: not everything was counted\ns3:\/\/b\/\\x1b\[2J: 4 objects, 4\.0 KiB\n/)
    expect(text).toContain('2 objects a day on the 2 days that have any; most on 2024-01-02: 2')
    expect(text).not.toContain('\u001b')
  })

  const growing = new UsageCounts({ depth: 0 })
  for (let day = 1; day <= 30; day++) {
    growing.add([one(`k${day}`, day === 30 ? 4096 : 1024, `2024-06-${String(day).padStart(2, '0')}T00:00:00Z`)])
  }
  const grown = { ...options, depth: 0, today: '2024-06-30', dates: 'day' } as const

  test('tells growth and a forecast by day, as text and JSON, and none of a part or by year', () => {
    const text = censusReport(growing.data(), { ...grown, format: 'text' })
    expect(text).toContain(
      'growth: 1.0 objects and 1.0 KiB a day from 2024-06-01 to 2024-06-29\nof late: 1.0 objects and 1.0 KiB a day in the last 29 days\n',
    )
    expect(text).toContain('in 30 days: about 60 objects (60 to 60), 63.0 KiB (63.0 KiB to 63.0 KiB)\n')
    expect(text).toContain('What was deleted is not seen')
    const json = JSON.parse(censusReport(growing.data(), { ...grown, format: 'json' })) as { growth: object }
    expect(json.growth).toMatchObject({
      ...{ from: '2024-06-01', until: '2024-06-29', objectsPerDay: 1, bytesPerDay: 1024, late: { days: 29 } },
      forecasts: [{ days: 30, objects: { estimate: 60, low: 60, high: 60 } }, { days: 365 }],
    })
    for (const other of [{ complete: false }, { dates: 'year' }, { today: undefined }] as const) {
      expect(censusReport(growing.data(), { ...grown, ...other, format: 'text' })).not.toContain('growth')
      expect(censusReport(growing.data(), { ...grown, ...other, format: 'json' })).not.toContain('growth')
    }
    expect(censusReport(growing.data(), { ...grown, today: '2024-06-05', format: 'text' })).toContain('no forecast')
  })

  test('has bars on a terminal that has room for them, and no line is wider than it for them', () => {
    const lines = (columns?: number): string[] =>
      censusReport(growing.data(), { ...grown, dates: 'month', today: undefined, format: 'text', columns }).split('\n')
    expect(lines(80)).toContain('       30  33.0 KiB   100.0 %  ████████████████████████  STANDARD')
    const barred = lines(52).filter((line) => line.includes('█'))
    expect(barred.join()).toContain('█'.repeat(8))
    expect(Math.max(...barred.map((line) => line.length))).toBeLessThanOrEqual(52)
    expect(lines(30)).toEqual(lines())
    expect(lines().join()).not.toContain('█')
  })

  test('is a page without scripts, which shows names as text', () => {
    const evil = new UsageCounts({ depth: 1 })
    evil.add([one('<script>alert(1)</script>/x', 1024, '2024-01-02T00:00:00Z', '<b>')])
    evil.merge(growing.data())
    const page = usagePage(evil.data(), { ...grown, depth: 1 })
    expect(page).toMatch(/^<!doctype html>[^]*Content-Security-Policy" content="default-src 'none'; style-src 'sha256-/)
    expect(page).not.toMatch(/<script|<b>/)
    expect(page).toContain('&#60;script&#62;alert(1)&#60;/<')
    for (const part of ['class="plot"', 'By storage class', 'By size, up to', 'growth: ', 'in 365 days: about'])
      expect(page).toContain(part)
  })
})
