import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import { fromDeepArchive, transferTo, USAGE_TYPES, type PriceTable, type Tiers } from './price-list.js'

/** What stands before a usage type: the Region as bills have it, `EUC1-`, of KMS `eu-central-1-`. */
const REGION_IN_FRONT = /^(?:[A-Z]{2,4}\d?-|[a-z]{2}-[a-z]+-\d-)/

/** Where one usage type is sold at several prices, that of this operation is meant: parts into an archive cost less than objects. */
const MEANT = new Set(['PutObject', 'KMS-Requests', 'StandardStorage', 'RestoreObject'])

interface Sold {
  readonly operation: string
  readonly tiers: Tiers
}

/**
 * The prices of a file of the official price list (`offers/v1.0/aws/SERVICE/current/REGION/index.json`, of AmazonS3, AWSDataTransfer or awskms) as it is;
 * `name` is what it is called. What is sold at several prices that nothing tells apart is left out. Throws a UserError where it is no such file.
 */
export function pricesOfOffer(text: string, name: string): PriceTable {
  const offer = record(parsed(text, name))
  const products = record(offer.products)
  const onDemand = record(record(offer.terms).OnDemand)
  const date = offer.publicationDate
  if (Object.keys(products).length === 0 || Object.keys(onDemand).length === 0 || typeof date !== 'string')
    throw notOne(name)
  const sold = new Map<string, Map<string, Sold[]>>()
  for (const [sku, product] of Object.entries(products)) {
    const attributes = record(record(product).attributes)
    const found = placedIn(attributes)
    const tiers = found === undefined ? undefined : tiersOf(onDemand[sku])
    if (found === undefined || tiers === undefined) continue
    const [region, usageType] = found
    const ofRegion = sold.get(region) ?? new Map<string, Sold[]>()
    sold.set(region, ofRegion)
    ofRegion.set(usageType, [...(ofRegion.get(usageType) ?? []), { operation: textOf(attributes.operation), tiers }])
  }
  const regions = [...sold].map(([region, ofRegion]) => {
    const priced = [...ofRegion].flatMap(([usageType, offers]) => {
      const price = onePrice(offers)
      return price === undefined ? [] : [[usageType, price] as const]
    })
    return [region, Object.fromEntries(priced)] as const
  })
  return { source: name, date: date.slice(0, 10), regions: Object.fromEntries(regions) }
}

// The Region and the usage type without it, where it is one of those that matter.
function placedIn(attributes: Readonly<Record<string, unknown>>): readonly [string, string] | undefined {
  const usageType = textOf(attributes.usagetype)
  if (usageType.endsWith('-AWS-Out-Bytes')) {
    const [from, to] = [textOf(attributes.fromRegionCode), textOf(attributes.toRegionCode)]
    return from === '' || to === '' ? undefined : [from, transferTo(to)]
  }
  const region = textOf(attributes.regionCode) || textOf(attributes.fromRegionCode)
  const bare = USAGE_TYPES.has(usageType) ? usageType : usageType.replace(REGION_IN_FRONT, '')
  const meant = restoredFrom(bare, textOf(attributes.operation))
  return region === '' || meant === undefined || !USAGE_TYPES.has(bare) ? undefined : [region, meant]
}

// Restores from both archives share usage types, which are told apart by their operation; lifecycle rules have a part in one of them.
function restoredFrom(usageType: string, operation: string): string | undefined {
  if (operation.endsWith('Transition')) return undefined
  if (!operation.startsWith('DeepArchive')) return usageType
  return usageType.endsWith('-Retrieval-Bytes')
    ? fromDeepArchive(usageType)
    : usageType.replace(/^Requests-Tier/, 'Requests-GDA-Tier')
}

function onePrice(offers: readonly Sold[]): number | Tiers | undefined {
  const meant = offers.length > 1 ? offers.filter(({ operation }) => MEANT.has(operation)) : offers
  const candidates = meant.length > 0 ? meant : offers
  const [first, ...others] = candidates.map(({ tiers }) => tiers)
  if (first === undefined || others.some((tiers) => JSON.stringify(tiers) !== JSON.stringify(first))) return undefined
  const [only] = first
  return first.length === 1 && only !== undefined ? only[1] : first
}

function tiersOf(terms: unknown): Tiers | undefined {
  const [term, ...others] = Object.values(record(terms))
  if (term === undefined || others.length > 0) return undefined
  const tiers = Object.values(record(record(term).priceDimensions))
    .map((dimension) => {
      const { beginRange, pricePerUnit } = record(dimension)
      return [Number(textOf(beginRange)), Number(textOf(record(pricePerUnit).USD) || Number.NaN)] as const
    })
    .sort(([a], [b]) => a - b)
  return tiers.length > 0 && tiers[0]?.[0] === 0 && tiers.every((tier) => tier.every(Number.isFinite))
    ? tiers
    : undefined
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notOne(name)
  }
}

function notOne(name: string): UserError {
  return new UserError(
    `${printable(name)} is no file of the AWS price list`,
    'give index.json of AmazonS3 as it is: https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonS3/current/REGION/index.json',
  )
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
