/** A price of so many US$ a unit from an amount on: `[from, price]`, in rising order, the first from 0. */
export type Tiers = readonly (readonly [from: number, price: number])[]

/** What AWS bills in each Region, by usage type as bills have it, without the Region in front; a price that does not depend on the amount is one number. */
export interface PriceTable {
  /** Where the prices are from. */
  readonly source: string
  /** When they were as they are here, ISO 8601. */
  readonly date: string
  readonly regions: Readonly<Record<string, Readonly<Record<string, number | Tiers>>>>
}

/** Annotations have usage types of their own; where a table has none of them, they are taken to be billed as STANDARD. No page of AWS says so (November 2026). */
const LIKE_STANDARD: ReadonlyMap<string, string> = new Map([
  ['Requests-Annotation-Tier1', 'Requests-Tier1'],
  ['Requests-Annotation-Tier2', 'Requests-Tier2'],
  ['Annotation-TimedStorage-ByteHrs', 'TimedStorage-ByteHrs'],
])

/** Prices, and where each is from. */
export class PriceList {
  /** Of several tables the first that has a price counts. */
  constructor(private readonly tables: readonly PriceTable[]) {}

  /** The tables that it was made of, as a person is told of them. */
  get sources(): readonly Pick<PriceTable, 'source' | 'date'>[] {
    return this.tables.map(({ source, date }) => ({ source, date }))
  }

  /** Undefined where no table has it, nor that of STANDARD where AWS says that it is billed as that. */
  tiers(region: string, usageType: string): Tiers | undefined {
    for (const { regions } of this.tables) {
      const prices = Object.hasOwn(regions, region) ? regions[region] : undefined
      const price = prices !== undefined && Object.hasOwn(prices, usageType) ? prices[usageType] : undefined
      if (price !== undefined) return typeof price === 'number' ? [[0, price]] : price
    }
    const like = LIKE_STANDARD.get(usageType)
    return like === undefined ? undefined : this.tiers(region, like)
  }
}

/** What an amount costs, as if nothing else were billed in the month. */
export function costOf(tiers: Tiers, amount: number): number {
  return tiers.reduce((sum, [from, price], at) => {
    const end = tiers[at + 1]?.[0] ?? Infinity
    return sum + Math.max(0, Math.min(amount, end) - from) * price
  }, 0)
}

/** What goes from one Region to another is billed by the pair of them. */
export function transferTo(region: string): string {
  return `AWS-Out-Bytes:${region}`
}

/** What is retrieved from both archives has one usage type; this is that of DEEP_ARCHIVE. */
export function fromDeepArchive(usageType: string): string {
  return `${usageType}:DEEP_ARCHIVE`
}

/** The usage types of which a price is worth keeping; those of transfers are by `transferTo`, some by `fromDeepArchive`. */
export const USAGE_TYPES: ReadonlySet<string> = new Set([
  ...['', 'SIA-', 'ZIA-', 'INT-', 'GIR-', 'GLACIER-', 'GDA-'].flatMap((infix) => [
    `Requests-${infix}Tier1`,
    `Requests-${infix}Tier2`,
  ]),
  ...['TimedStorage-ByteHrs', 'TimedStorage-SIA-ByteHrs', 'TimedStorage-ZIA-ByteHrs', 'TimedStorage-GIR-ByteHrs'],
  ...['TimedStorage-GlacierByteHrs', 'TimedStorage-GDA-ByteHrs', 'TimedStorage-INT-FA-ByteHrs'],
  ...['Monitoring-Automation-INT', 'Retrieval-SIA', 'Retrieval-ZIA', 'Retrieval-GIR'],
  ...['Requests-Tier3', 'Requests-Tier5', 'Requests-Tier6', 'Requests-GDA-Tier3', 'Requests-GDA-Tier5'],
  ...['Standard-Retrieval-Bytes', 'Bulk-Retrieval-Bytes', 'Expedited-Retrieval-Bytes'],
  ...['DataTransfer-Out-Bytes', 'KMS-Requests'],
  ...LIKE_STANDARD.keys(),
])
