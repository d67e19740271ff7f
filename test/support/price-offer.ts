import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A file of the AWS price list with what us-east-1 has of these. */
export async function offer(cwd: string, prices: Readonly<Record<string, string>>): Promise<string> {
  const entries = Object.entries(prices)
  const file = join(cwd, 'index.json')
  const products = entries.map(
    ([usagetype], at) => [`S${at}`, { attributes: { usagetype, regionCode: 'us-east-1' } }] as const,
  )
  const terms = entries.map(
    ([, USD], at) =>
      [
        `S${at}`,
        { [`S${at}.T`]: { priceDimensions: { a: { beginRange: '0', endRange: 'Inf', pricePerUnit: { USD } } } } },
      ] as const,
  )
  const OnDemand = Object.fromEntries(terms) as object
  await writeFile(
    file,
    JSON.stringify({
      publicationDate: '2026-10-30T00:00:00Z',
      products: Object.fromEntries(products) as object,
      terms: { OnDemand },
    }),
  )
  return file
}
