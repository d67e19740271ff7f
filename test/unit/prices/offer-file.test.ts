import { describe, expect, test } from 'vitest'
import { UserError } from '../../../src/errors.js'
import { pricesOfOffer } from '../../../src/prices/offer-file.js'

type Attributes = Readonly<Record<string, string>>

/** A file as the AWS price list has them, of products with the prices of their tiers. */
function offerOf(products: readonly (readonly [Attributes, Readonly<Record<string, string>>])[]): string {
  const entries = products.map(([attributes, tiers], at) => {
    const dimensions = Object.entries(tiers).map(([beginRange, usd], tier) => [
      `SKU${at}.JRTCKXETXF.${tier}`,
      { rateCode: `SKU${at}.JRTCKXETXF.${tier}`, beginRange, endRange: 'Inf', unit: 'GB', pricePerUnit: { USD: usd } },
    ])
    const term = { sku: `SKU${at}`, priceDimensions: Object.fromEntries(dimensions) as object }
    return { sku: `SKU${at}`, product: { sku: `SKU${at}`, attributes }, term: { [`SKU${at}.JRTCKXETXF`]: term } }
  })
  return JSON.stringify({
    ...{ formatVersion: 'v1.0', offerCode: 'AmazonS3', publicationDate: '2026-10-30T12:00:00Z' },
    products: Object.fromEntries(entries.map(({ sku, product }) => [sku, product])),
    terms: { OnDemand: Object.fromEntries(entries.map(({ sku, term }) => [sku, term])) },
  })
}

const frankfurt = (usagetype: string, more: Attributes = {}): Attributes => ({
  ...{ servicecode: 'AmazonS3', location: 'EU (Frankfurt)', regionCode: 'eu-central-1', usagetype, operation: '' },
  ...more,
})

describe('a file of the AWS price list', () => {
  test('tells the price of each usage type, by Region, without the Region in front', () => {
    const text = offerOf([
      [frankfurt('EUC1-Requests-Tier1'), { 0: '0.0000054000' }],
      [{ regionCode: 'us-east-1', usagetype: 'Requests-Tier1' }, { 0: '0.0000050000' }],
      [{ regionCode: 'us-west-2', usagetype: 'us-west-2-KMS-Requests' }, { 0: '0.0000030000' }],
      [frankfurt('EUC1-Tables-Requests-Tier1'), { 0: '9' }],
    ])
    expect(pricesOfOffer(text, 'index.json')).toEqual({
      ...{ source: 'index.json', date: '2026-10-30' },
      regions: {
        'eu-central-1': { 'Requests-Tier1': 0.0000054 },
        'us-east-1': { 'Requests-Tier1': 0.000005 },
        'us-west-2': { 'KMS-Requests': 0.000003 },
      },
    })
  })

  test('tells tiers in their order, and transfers by both Regions', () => {
    const text = offerOf([
      [frankfurt('EUC1-TimedStorage-ByteHrs'), { 512000: '0.0225', 0: '0.0245', 51200: '0.0235' }],
      [
        { usagetype: 'EUC1-USE1-AWS-Out-Bytes', fromRegionCode: 'eu-central-1', toRegionCode: 'us-east-1' },
        { 0: '0.02' },
      ],
    ])
    expect(pricesOfOffer(text, 'x').regions['eu-central-1']).toEqual({
      'TimedStorage-ByteHrs': [
        [0, 0.0245],
        [51200, 0.0235],
        [512000, 0.0225],
      ],
      'AWS-Out-Bytes:us-east-1': 0.02,
    })
  })

  test('of a type at two prices takes that of PutObject, and none where nothing tells them apart', () => {
    const twice = (
      usagetype: string,
      operations: readonly string[],
    ): (readonly [Attributes, Readonly<Record<string, string>>])[] =>
      operations.map((operation, at) => [frankfurt(usagetype, { operation }), { 0: String(at + 1) }] as const)
    const text = offerOf([
      ...twice('EUC1-Requests-GLACIER-Tier1', ['UploadPart', 'PutObject', 'CopyPart']),
      ...twice('EUC1-Requests-SIA-Tier1', ['One', 'Other']),
      [frankfurt('EUC1-Retrieval-SIA'), { 0: '0.01' }],
    ])
    expect(pricesOfOffer(text, 'x').regions['eu-central-1']).toEqual({
      'Requests-GLACIER-Tier1': 2,
      'Retrieval-SIA': 0.01,
    })
  })

  test('tells restores from both archives apart, and takes no lifecycle rule for one', () => {
    const text = offerOf([
      [frankfurt('EUC1-Requests-Tier3', { operation: 'S3-GlacierTransition' }), { 0: '1' }],
      [frankfurt('EUC1-Requests-Tier3', { operation: 'RestoreObject' }), { 0: '2' }],
      [frankfurt('EUC1-Requests-Tier3', { operation: 'S3-GDATransition' }), { 0: '3' }],
      [frankfurt('EUC1-Requests-Tier3', { operation: 'DeepArchiveRestoreObject' }), { 0: '4' }],
      [frankfurt('EUC1-Requests-GDA-Tier5'), { 0: '5' }],
      [frankfurt('EUC1-Requests-Tier5', { operation: 'RestoreObject' }), { 0: '0.0000000000' }],
      [frankfurt('EUC1-Requests-Tier6'), { 0: '7' }],
      [frankfurt('EUC1-Standard-Retrieval-Bytes', { operation: 'RestoreObject' }), { 0: '8' }],
      [frankfurt('EUC1-Standard-Retrieval-Bytes', { operation: 'DeepArchiveRestoreObject' }), { 0: '9' }],
    ])
    expect(pricesOfOffer(text, 'x').regions['eu-central-1']).toEqual({
      ...{ 'Requests-Tier3': 2, 'Requests-GDA-Tier3': 4, 'Requests-GDA-Tier5': 5, 'Requests-Tier5': 0 },
      ...{ 'Requests-Tier6': 7, 'Standard-Retrieval-Bytes': 8, 'Standard-Retrieval-Bytes:DEEP_ARCHIVE': 9 },
    })
    const ofRules = offerOf([
      [frankfurt('EUC1-Requests-Tier3', { operation: 'S3-GlacierTransition' }), { 0: '1' }],
      [frankfurt('EUC1-Requests-Tier1'), { 0: '2' }],
    ])
    expect(pricesOfOffer(ofRules, 'x').regions['eu-central-1']).toEqual({ 'Requests-Tier1': 2 })
  })

  test.each(['', 'no JSON', '[]', '{"products":{}}', '{"products":{"a":{}},"terms":{"OnDemand":{}}}'])(
    'is not %j',
    (text) => {
      expect(() => pricesOfOffer(text, 'x')).toThrow(UserError)
    },
  )
})
