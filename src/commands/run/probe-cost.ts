import { isAwsHost } from '../../storage/aws-host.js'
import { costOf, type PriceList } from '../../prices/price-list.js'
import { costOfRun } from '../../prices/run-cost.js'
import { pricesFrom, pricesRequests, withoutPrices } from './plan-cost.js'

/** What requests and bytes that are read cost, in US$; the bytes as if they left AWS. */
export type ProbeCost = (requests: Readonly<Record<string, number>>, bytes: number) => number

/** What tells the cost of a probe; undefined where no price is known. A `UserError` where `maxCost` needs one, or a file of prices cannot be read. */
export async function probeCost(
  host: string | undefined,
  region: string | undefined,
  { prices: files, maxCost }: { readonly prices: readonly string[]; readonly maxCost: number | undefined },
): Promise<ProbeCost | undefined> {
  if (maxCost === undefined && files.length === 0 && !isAwsHost(host)) return undefined
  const prices = await pricesFrom(files)
  const isKnown = files.length > 0 || isAwsHost(host)
  if (isKnown && pricesRequests(prices, region)) {
    return (requests, bytes) => requestCost(requests, region, prices) + transferCost(bytes, region, prices)
  }
  if (maxCost === undefined) return undefined
  throw withoutPrices()
}

function requestCost(requests: Readonly<Record<string, number>>, region: string, prices: PriceList): number {
  const run = { deletesAt: 'source', replaces: false, streamed: true, groups: [], kmsRequests: 0 } as const
  const source = { region, versioned: undefined }
  const reads = { source: requests, destination: {} }
  return costOfRun({ ...run, source, destination: undefined, reads, restore: undefined }, prices).reduce(
    (sum, { usd = 0 }) => sum + usd,
    0,
  )
}

function transferCost(bytes: number, region: string, prices: PriceList): number {
  const tiers = prices.tiers(region, 'DataTransfer-Out-Bytes')
  return tiers === undefined ? 0 : costOf(tiers, bytes / 1024 ** 3)
}
