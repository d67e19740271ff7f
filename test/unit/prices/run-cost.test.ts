import { describe, expect, test } from 'vitest'
import { BUILT_IN_PRICES } from '../../../src/prices/built-in-prices.js'
import { costOf, PriceList, type PriceTable } from '../../../src/prices/price-list.js'
import { costOfRun, sumsOf, type BilledGroup, type BilledRun, type CostRow } from '../../../src/prices/run-cost.js'

const GB = 1024 ** 3

/** Prices that are easy to reckon with. */
const TABLE: PriceTable = {
  source: 'a test',
  date: '2026-01-02',
  regions: {
    'us-east-1': {
      ...{ 'Requests-Tier1': 0.005 / 1000, 'Requests-Tier2': 0.0004 / 1000 },
      ...{ 'Requests-SIA-Tier1': 0.01 / 1000, 'Requests-SIA-Tier2': 0.001 / 1000, 'Retrieval-SIA': 0.01 },
      ...{ 'Requests-Tier3': 0.05 / 1000, 'Standard-Retrieval-Bytes': 0.01, 'Requests-Tier5': 0 },
      ...{ 'Requests-GDA-Tier5': 0.025 / 1000, 'Bulk-Retrieval-Bytes': 0, 'Bulk-Retrieval-Bytes:DEEP_ARCHIVE': 0.0025 },
      ...{ 'Requests-GLACIER-Tier1': 0.03 / 1000, 'Requests-GLACIER-Tier2': 0.0004 / 1000 },
      ...{
        'TimedStorage-ByteHrs': [
          [0, 0.023],
          [100, 0.02],
        ],
        'TimedStorage-SIA-ByteHrs': 0.0125,
      },
      ...{ 'TimedStorage-GlacierByteHrs': 0.0036, 'TimedStorage-INT-FA-ByteHrs': 0.023 },
      ...{ 'Monitoring-Automation-INT': 0.0025 / 1000, 'KMS-Requests': 0.03 / 10_000 },
      ...{
        'AWS-Out-Bytes:eu-west-1': 0.02,
        'DataTransfer-Out-Bytes': [
          [0, 0.09],
          [10_240, 0.085],
        ],
      },
    },
    'us-west-9': { 'Requests-Annotation-Tier1': 0.01, 'Annotation-TimedStorage-ByteHrs': 0.1 },
    'eu-west-1': { 'Requests-Tier1': 0.005 / 1000, 'TimedStorage-ByteHrs': 0.023 },
  },
}

const HERE = { region: 'us-east-1', versioned: false }

/** A copy of 1,000 objects of 1 GB within one Region, from and to STANDARD. */
function groupOf(changes: Partial<BilledGroup> = {}): BilledGroup {
  return {
    ...{ fate: 'written', storageClass: 'STANDARD', writtenClass: 'STANDARD' },
    ...{ objects: 1_000, bytes: 1_000 * GB, billedBytes: 1_000 * GB, earlyByteDays: 0, replacedBytes: {} },
    writes: { CopyObject: 1_000 },
    ...changes,
  }
}

function rowsOf(changes: Partial<BilledRun>, kind: CostRow['kind']): CostRow[] {
  const run: BilledRun = {
    ...{ source: HERE, destination: { ...HERE }, deletesAt: 'source', replaces: false, streamed: false },
    ...{ groups: [groupOf()], reads: { source: {}, destination: {} }, kmsRequests: undefined, restore: undefined },
    ...changes,
  }
  return costOfRun(run, new PriceList([TABLE])).filter((row) => row.kind === kind)
}

describe('what a run costs, by hand:', () => {
  test('1,000 copies at 0.005 for 1,000 are 0.005', () => {
    expect(rowsOf({}, 'requests')).toMatchObject([{ amount: 1_000, usageType: 'Requests-Tier1', usd: 0.005 }])
  })

  test('1,000 copies into STANDARD_IA are 0.01, and 2,000 looks at what is in STANDARD 0.0008', () => {
    const groups = [groupOf({ writtenClass: 'STANDARD_IA', writes: { CopyObject: 1_000, HeadObject: 2_000 } })]
    const rows = rowsOf({ groups }, 'requests')
    expect(rows.map(({ usageType, amount }) => [usageType, amount])).toEqual([
      ['Requests-SIA-Tier1', 1_000],
      ['Requests-Tier2', 2_000],
    ])
    expect(rows.map(({ usd }) => usd)).toEqual([0.01, expect.closeTo(0.0008, 12)])
  })

  test('lists are those of STANDARD, deletions cost nothing, and parts into an archive are those of STANDARD', () => {
    const groups = [
      groupOf({ writtenClass: 'GLACIER', writes: { UploadPartCopy: 1_000, CompleteMultipartUpload: 1_000 } }),
    ]
    const reads = { source: { ListObjectsV2: 1_000, DeleteObjects: 50 }, destination: {} }
    const rows = rowsOf({ groups, reads }, 'requests')
    expect(rows.map(({ what, usd }) => [what, usd])).toEqual([
      ['UploadPartCopy (GLACIER)', 0.005],
      ['CompleteMultipartUpload (GLACIER)', 0.03],
      ['ListObjectsV2 (STANDARD)', 0.005],
    ])
  })

  test('1,000 GB read from STANDARD_IA are 10 at 0.01 a GB', () => {
    const groups = [groupOf({ storageClass: 'STANDARD_IA' })]
    expect(rowsOf({ groups }, 'retrieval')).toMatchObject([{ amount: 1_000, usd: 10 }])
    expect(rowsOf({}, 'retrieval')).toEqual([])
  })

  test('1,000 GB in STANDARD_IA deleted 15 days before their 30 are half a month: 6.25', () => {
    const early = { fate: 'deleted', storageClass: 'STANDARD_IA', earlyByteDays: 1_000 * GB * 15 } as const
    const row = { amount: 500, unit: 'GB-months', usd: 6.25, paid: 'once' }
    expect(rowsOf({ groups: [groupOf(early)] }, 'early-deletion')).toMatchObject([row])
    // A move deletes what it has copied; a bucket with versions keeps both.
    const moved = { groups: [groupOf({ ...early, fate: 'written' })], replaces: true }
    expect(rowsOf(moved, 'early-deletion')).toMatchObject([row])
    expect(rowsOf({ ...moved, source: { ...HERE, versioned: true } }, 'early-deletion')).toEqual([])
    expect(rowsOf({ ...moved, replaces: false }, 'early-deletion')).toEqual([])
  })

  test('1,000 GB to another Region are 20 at 0.02, and within one nothing', () => {
    const destination = { region: 'eu-west-1', versioned: false }
    expect(rowsOf({ destination }, 'transfer')).toMatchObject([{ usageType: 'AWS-Out-Bytes:eu-west-1', usd: 20 }])
    expect(rowsOf({}, 'transfer')).toEqual([])
  })

  test('20,480 GB to this machine are at most 10,240 times 0.09 and as many times 0.085: 1,792', () => {
    const run = { streamed: true, destination: undefined, groups: [groupOf({ bytes: 20_480 * GB })] }
    expect(rowsOf(run, 'transfer')).toMatchObject([{ usd: 10_240 * 0.09 + 10_240 * 0.085, atMost: true }])
  })

  test('1,000 requests to KMS are 0.003 at 0.03 for 10,000; how many nobody knows are unknown', () => {
    expect(rowsOf({ kmsRequests: 1_000 }, 'kms')).toMatchObject([{ amount: 1_000, usd: 0.003 }])
    const [row] = rowsOf({}, 'kms')
    expect([row?.amount, row?.usd]).toEqual([undefined, undefined])
  })

  test('both copies of 1,000 GB in STANDARD are 100 times 0.023 and 900 times 0.02 each a month: 20.30', () => {
    const rows = rowsOf({}, 'storage')
    expect(rows.map(({ paid }) => paid)).toEqual(['monthly', 'already'])
    for (const { usd } of rows) expect(usd).toBeCloseTo(20.3, 9)
    expect(rowsOf({ replaces: true }, 'storage').map(({ paid }) => paid)).toEqual(['monthly'])
  })

  test('of small objects STANDARD_IA bills 128 KiB, and an archive 32 KiB more of its class and 8 KiB of STANDARD', () => {
    const small = { objects: 8 * 1024, bytes: 8 * 1024, billedBytes: GB }
    const ofInfrequent = rowsOf(
      { groups: [groupOf({ ...small, writtenClass: 'STANDARD_IA' })], replaces: true },
      'storage',
    )
    expect(ofInfrequent).toMatchObject([{ amount: 1, usd: 0.0125 }])
    const archived = { objects: 32 * 1024, bytes: GB, writtenClass: 'GLACIER' }
    const ofArchive = rowsOf({ groups: [groupOf(archived)], replaces: true }, 'storage')
    expect(ofArchive).toMatchObject([
      { amount: 2, usd: 0.0072, storageClass: 'GLACIER' },
      { amount: 0.25, usd: 0.00575, usageType: 'TimedStorage-ByteHrs' },
    ])
  })

  test('monitoring of 1,000 objects in INTELLIGENT_TIERING is 0.0025 a month at most', () => {
    const groups = [groupOf({ writtenClass: 'INTELLIGENT_TIERING' })]
    expect(rowsOf({ groups, replaces: true }, 'monitoring')).toMatchObject([{ usd: 0.0025, atMost: true }])
  })

  test('what is deleted, and what is replaced, stays as a version and is billed on: 50 GB in STANDARD are 1.15', () => {
    const kept = { ...HERE, versioned: true }
    const deleted = { source: kept, groups: [groupOf({ fate: 'deleted', bytes: 50 * GB })] }
    expect(rowsOf(deleted, 'versions')).toMatchObject([{ paid: 'monthly', usd: expect.closeTo(1.15, 9) as number }])
    const replaced = { destination: kept, groups: [groupOf({ replacedBytes: { STANDARD: 50 * GB } })] }
    expect(rowsOf(replaced, 'versions')).toMatchObject([{ usd: expect.closeTo(1.15, 9) as number }])
    expect(rowsOf({ groups: replaced.groups }, 'versions')).toEqual([])
  })

  test('restoring 1,000 objects of 1 GB from GLACIER for 5 days is 0.05, 10 of retrieval, and a fifth of a month at most', () => {
    const groups = [groupOf({ fate: 'archived', storageClass: 'GLACIER' })]
    const rows = rowsOf({ groups, restore: { days: 5, tier: 'standard' } }, 'restore')
    expect(rows).toMatchObject([
      { what: 'RestoreObject (GLACIER, standard)', usageType: 'Requests-Tier3', amount: 1_000, paid: 'once' },
      { usageType: 'Standard-Retrieval-Bytes', amount: 1_000, unit: 'GB', usd: 10, paid: 'once' },
      { usageType: 'TimedStorage-ByteHrs', amount: 200, unit: 'GB-months', paid: 'once' },
    ])
    expect(rows.map(({ atMost }) => atMost)).toEqual([true, true, true])
    // 5 days and the rest of one are 6 of 30: 100 GB-months at 0.023 and 100 at 0.02.
    expect(rows.map(({ usd }) => usd)).toEqual([expect.closeTo(0.05, 12), 10, expect.closeTo(4.3, 12)])
    expect(rowsOf({ groups }, 'restore')).toEqual([])
    expect(rowsOf({ restore: { days: 5, tier: 'standard' } }, 'restore')).toEqual([])
  })

  test('in bulk 1,000 objects of 1 GB are 0.025 and 2.50 from DEEP_ARCHIVE, and nothing from GLACIER', () => {
    const groups = ['DEEP_ARCHIVE', 'GLACIER'].map((storageClass) => groupOf({ fate: 'archived', storageClass }))
    const rows = rowsOf({ groups, restore: { days: 5, tier: 'bulk' } }, 'restore')
    const ofStorage = expect.closeTo(4.3, 12) as number
    expect(rows.map(({ usd }) => usd)).toEqual([expect.closeTo(0.025, 12), 2.5, ofStorage, 0, 0, ofStorage])
  })

  test('nothing is expedited from DEEP_ARCHIVE, so nobody knows what that costs', () => {
    const groups = [groupOf({ fate: 'archived', storageClass: 'DEEP_ARCHIVE' })]
    const rows = rowsOf({ groups, restore: { days: 5, tier: 'expedited' } }, 'restore')
    expect(rows.map(({ usd, unit }) => [unit, usd === undefined])).toEqual([
      ['requests', true],
      ['GB', true],
      ['GB-months', false],
    ])
  })

  test('of 1,000 copies whose sample of 10 has 20 annotations of 1 GB, 2,000 are written at the price of their own, and kept', () => {
    const annotations = { looked: 10, unknown: 0, annotations: 20, bytes: 20 * GB, read: 5 }
    const rows = (changes: Partial<BilledRun>): CostRow[] =>
      (['requests', 'storage'] as const)
        .flatMap((kind) => rowsOf({ annotations, ...changes }, kind))
        .filter(({ what }) => /annotation/i.test(what))
    expect(rows({ destination: { region: 'us-west-9', versioned: false } })).toMatchObject([
      { usageType: 'Requests-Annotation-Tier1', amount: 2_000, usd: 20, paid: 'once' },
      { usageType: 'Requests-Annotation-Tier2', amount: 500, paid: 'once' },
      { usageType: 'Annotation-TimedStorage-ByteHrs', amount: 2_000, usd: 200, paid: 'monthly' },
      { usageType: 'Annotation-TimedStorage-ByteHrs', amount: 2_000, paid: 'already' },
    ])
    // Where there is no price of their own it is that of STANDARD: 2,000 at 0.005 and 500 at 0.0004 for 1,000, and 100 GB at 0.023 with 1,900 at 0.02.
    const here = rows({})
    expect(here.map(({ usd }) => usd)).toEqual(
      [0.01, 0.0002, 40.3, 40.3].map((usd) => expect.closeTo(usd, 9) as number),
    )
    expect(rows({ replaces: true }).map(({ paid }) => paid)).toEqual(['once', 'once', 'monthly'])
    expect(rows({ source: HERE, destination: HERE, annotations: { ...annotations, read: 0 } })).toHaveLength(1)
    expect(rows({ annotations: { ...annotations, looked: 0, unknown: 10 } })).toEqual([
      { kind: 'requests', what: 'annotations of the copies: they could not be listed', unit: 'requests', paid: 'once' },
    ])
  })

  test('annotations are asked for at the source, and billed by themselves, whatever the class', () => {
    const groups = [groupOf({ writtenClass: 'STANDARD_IA', writes: { ListObjectAnnotations: 1_000 } })]
    const destination = { region: 'eu-west-1', versioned: false }
    expect(rowsOf({ groups, destination }, 'requests')).toMatchObject([
      { region: 'us-east-1', usageType: 'Requests-Annotation-Tier1', usd: 0.005 },
    ])
  })

  test('what is skipped, and the transfer and storage of what is archived, cost nothing', () => {
    const [skipped, archived] = [groupOf({ fate: 'none', writes: {} }), groupOf({ fate: 'archived' })]
    const kinds = ['retrieval', 'storage', 'transfer'] as const
    for (const kind of kinds) expect(rowsOf({ groups: [skipped, archived] }, kind)).toEqual([])
    expect(rowsOf({ groups: [archived] }, 'requests')).toHaveLength(1)
  })

  test('a store without known prices has rows without US$, and they add nothing', () => {
    const rows = rowsOf({ source: { versioned: false }, destination: { versioned: false } }, 'requests')
    expect(rows).toMatchObject([{ amount: 1_000 }])
    expect(sumsOf(rows)).toEqual({ once: 0, monthly: 0, already: 0 })
    expect(rows.some(({ usd }) => usd !== undefined)).toBe(false)
  })

  test('a Region, or a class, that no table has is unknown', () => {
    const elsewhere = { region: 'eu-central-9', versioned: false }
    expect(rowsOf({ source: elsewhere, destination: elsewhere }, 'requests')[0]?.usd).toBeUndefined()
    const groups = [groupOf({ storageClass: 'OUTPOSTS', writtenClass: 'OUTPOSTS' })]
    const [row] = rowsOf({ groups }, 'requests')
    expect([row?.usageType, row?.usd]).toEqual([undefined, undefined])
  })
})

test('tiers are priced each for its part', () => {
  expect(
    costOf(
      [
        [0, 2],
        [10, 1],
      ],
      5,
    ),
  ).toBe(10)
  expect(
    costOf(
      [
        [0, 2],
        [10, 1],
      ],
      15,
    ),
  ).toBe(25)
})

/** What is retrieved in bulk from GLACIER. */
const FREE = new Set(['Requests-Tier5', 'Bulk-Retrieval-Bytes'])

describe('the prices that come along', () => {
  const { regions } = BUILT_IN_PRICES
  const all = Object.keys(regions['us-east-1'] ?? {}).filter((type) => !type.startsWith('AWS-Out-Bytes'))

  test.each(Object.keys(regions))('of %s lack nothing, and are none that a slip would make', (region) => {
    const prices = regions[region] ?? {}
    expect(all.length).toBeGreaterThan(20)
    for (const type of all) expect(prices, type).toHaveProperty([type])
    for (const other of Object.keys(regions)) {
      if (other !== region) expect(prices).toHaveProperty([`AWS-Out-Bytes:${other}`])
    }
    for (const [type, price] of Object.entries(prices)) {
      if (FREE.has(type)) continue
      for (const [, one] of typeof price === 'number' ? [[0, price] as const] : price) {
        expect(one).toBeGreaterThan(0)
        expect(one).toBeLessThan(0.5)
      }
    }
  })

  test('are those of docs/cost.md in us-east-1', () => {
    const prices = regions['us-east-1'] ?? {}
    expect(prices['Requests-Tier1']).toBe(0.005 / 1000)
    expect(prices['Requests-SIA-Tier1']).toBe(0.01 / 1000)
    expect(prices['Requests-Tier2']).toBe(0.0000004)
  })
})

test('the prices that come along have those of restores, of both archives and each tier', () => {
  const prices = new PriceList([BUILT_IN_PRICES])
  const group = { fate: 'archived', bytes: 1_000 * GB, objects: 1_000 } as const
  const costs = (storageClass: string, tier: 'standard' | 'bulk' | 'expedited'): (number | undefined)[] =>
    costOfRun(
      {
        ...{ source: HERE, destination: HERE, deletesAt: 'source', replaces: false, streamed: false },
        ...{ groups: [groupOf({ ...group, storageClass, writes: {} })], reads: { source: {}, destination: {} } },
        ...{ kmsRequests: 0, restore: { days: 1, tier } },
      },
      prices,
    )
      .filter(({ kind, unit }) => kind === 'restore' && unit !== 'GB-months')
      .map(({ usd }) => usd)
  const near = (...usd: number[]): number[] => usd.map((one) => expect.closeTo(one, 9) as number)
  expect(costs('GLACIER', 'standard')).toEqual(near(0.05, 10))
  expect(costs('GLACIER', 'bulk')).toEqual(near(0, 0))
  expect(costs('GLACIER', 'expedited')).toEqual(near(10, 30))
  expect(costs('DEEP_ARCHIVE', 'standard')).toEqual(near(0.1, 20))
  expect(costs('DEEP_ARCHIVE', 'bulk')).toEqual(near(0.025, 2.5))
})
