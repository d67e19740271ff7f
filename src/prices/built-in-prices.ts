import table from './s3-prices.json' with { type: 'json' }
import type { PriceTable, Tiers } from './price-list.js'

/** The prices that the program brings along: those of AWS in its large Regions, made by `scripts/price-table.mjs`. */
export const BUILT_IN_PRICES: PriceTable = {
  ...table,
  regions: table.regions as unknown as Readonly<Record<string, Readonly<Record<string, number | Tiers>>>>,
}
