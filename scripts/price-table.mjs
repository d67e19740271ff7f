import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

// Writes src/prices/s3-prices.json, the prices that the package brings along.
//
//   node scripts/price-table.mjs OFFER.json..          files of the official price list, as they are:
//       https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonS3/current/REGION/index.json, AWSDataTransfer, awskms
//   node scripts/price-table.mjs --units DIR DATE FROM  a folder with s3.json, s3glacierdeeparchive.json, kms.json and datatransfer.json, each
//       `{ unit: { Region: US$ } }` with the names of the metered units behind the pages of prices, as they were at DATE, recorded by FROM

const TABLE = fileURLToPath(new URL('../src/prices/s3-prices.json', import.meta.url))

/** The Regions whose prices are kept, by their names. */
const REGIONS = new Map([
  ['US East (N. Virginia)', 'us-east-1'],
  ['US East (Ohio)', 'us-east-2'],
  ['US West (N. California)', 'us-west-1'],
  ['US West (Oregon)', 'us-west-2'],
  ['Canada (Central)', 'ca-central-1'],
  ['South America (Sao Paulo)', 'sa-east-1'],
  ['EU (Ireland)', 'eu-west-1'],
  ['EU (London)', 'eu-west-2'],
  ['EU (Paris)', 'eu-west-3'],
  ['EU (Frankfurt)', 'eu-central-1'],
  ['EU (Zurich)', 'eu-central-2'],
  ['EU (Stockholm)', 'eu-north-1'],
  ['EU (Milan)', 'eu-south-1'],
  ['EU (Spain)', 'eu-south-2'],
  ['Asia Pacific (Mumbai)', 'ap-south-1'],
  ['Asia Pacific (Singapore)', 'ap-southeast-1'],
  ['Asia Pacific (Sydney)', 'ap-southeast-2'],
  ['Asia Pacific (Tokyo)', 'ap-northeast-1'],
  ['Asia Pacific (Seoul)', 'ap-northeast-2'],
  ['Asia Pacific (Osaka)', 'ap-northeast-3'],
])

/** The metered units of each usage type: one, or what begins at so many GB. */
const UNITS = {
  s3: {
    'Requests-Tier1': 'PUT COPY/POST or LIST requests per Requests',
    'Requests-Tier2': 'GET and all other requests per Requests',
    'Requests-SIA-Tier1': 'PUT COPY/POST or LIST requests to Standard Infrequent Access per Requests',
    'Requests-SIA-Tier2': 'GET and all other requests to Standard Infrequent Access per Requests',
    'Requests-ZIA-Tier1': 'PUT COPY/POST or LIST requests to One Zone Infrequent Access per Requests',
    'Requests-ZIA-Tier2': 'GET and all other requests to One Zone Infrequent Access per Requests',
    'Requests-INT-Tier1': 'PUT COPY/POST or LIST requests to Intelligent Tiering per Requests',
    'Requests-INT-Tier2': 'GET and all other requests to Intelligent Tiering per Requests',
    'Requests-GIR-Tier1': 'PUT COPY/POST or LIST requests to Glacier Instant Retrieval per Requests',
    'Requests-GIR-Tier2': 'GET and all other requests to Glacier Instant Retrieval per Requests',
    'Requests-GLACIER-Tier1': 'COPY requests to Glacier per Requests',
    'Requests-GLACIER-Tier2': 'GET and all other requests to GLACIER per Requests',
    'Requests-GDA-Tier2': 'GET and all other requests to GDA per Requests',
    'TimedStorage-ByteHrs': [
      [0, 'Standard Storage First 50 TB per GB Mo'],
      [51200, 'Standard Storage Next 450 TB per GB Mo'],
      [512000, 'Standard Storage Over 500 TB per GB Mo'],
    ],
    'TimedStorage-INT-FA-ByteHrs': [
      [0, 'Intelligent Tiering Frequent Access First 50 TB per GB Mo'],
      [51200, 'Intelligent Tiering Frequent Access Next 450 TB per GB Mo'],
      [512000, 'Intelligent Tiering Frequent Access Over 500 TB per GB Mo'],
    ],
    'TimedStorage-SIA-ByteHrs': 'Standard Infrequent Access Storage per GB-Mo',
    'TimedStorage-ZIA-ByteHrs': 'One Zone Infrequent Access Storage Inf per GB-Mo',
    'TimedStorage-GIR-ByteHrs': 'Glacier Instant Retrieval Storage',
    'TimedStorage-GlacierByteHrs': 'Glacier Storage per GB Mo',
    'Monitoring-Automation-INT':
      'Per object per month monitoring and automation fee for objects in Intelligent Tiering',
    'Requests-Tier3': 'Glacier S3 API Tier 3 RestoreObject',
    'Requests-Tier5': 'Bulk Glacier Restore Requests',
    'Requests-Tier6': 'Glacier Expedited Glacier Restore Requests',
    'Standard-Retrieval-Bytes': 'Glacier S3 Standard Retrieval RestoreObject',
    'Bulk-Retrieval-Bytes': 'Glacier S3 Bulk Retrieval RestoreObject',
    'Expedited-Retrieval-Bytes': 'Glacier S3 Expedited Retrieval',
    'Standard-Retrieval-Bytes:DEEP_ARCHIVE': 'Fee for Standard Retrieval of data stored from Glacier Deep Archive',
    'Bulk-Retrieval-Bytes:DEEP_ARCHIVE': 'Fee for Bulk Retrieval of data stored from Glacier Deep Archive',
    'Retrieval-SIA': 'Object Retrieval in Standard Infrequent Access per GB',
    'Retrieval-ZIA': 'Object Retrieval in One Zone Infrequent Access per GB',
    'Retrieval-GIR': 'Object Retrieval in Glacier Instant Retrieval per GB',
  },
  s3glacierdeeparchive: {
    'Requests-GDA-Tier1': 'COPY Object to Glacier Deep Archive Requests',
    'Requests-GDA-Tier3': 'GDA Standard Restore Requests',
    'Requests-GDA-Tier5': 'Glacier Deep Archive Bulk Restore Requests',
    'TimedStorage-GDA-ByteHrs': 'Glacier Deep Archive GB Mo',
  },
  kms: { 'KMS-Requests': 'API request - Non Free Tier' },
}

/** What goes out to the Internet, by GB. */
const OUT = [
  [0, 'Next 10 TB', '0, EndingRange: 10240'],
  [10240, 'Next 40 TB', '10240, EndingRange: 51200'],
  [51200, 'Next 100 TB', '51200, EndingRange: 153600'],
  [153600, 'Greater than 150 TB', '153600, EndingRange: Inf'],
]

const [first = '', ...others] = process.argv.slice(2)
const table = first === '--units' ? ofUnits(...others) : await ofOffers([first, ...others])
writeFileSync(TABLE, JSON.stringify(table))
execFileSync('npx', ['prettier', '--write', TABLE])

/** @param {readonly string[]} files */
async function ofOffers(files) {
  const folder = mkdtempSync(join(tmpdir(), 'price-table-'))
  const module = join(folder, 'offer-file.mjs')
  const bundled = await rolldown({ input: fileURLToPath(new URL('../src/prices/offer-file.ts', import.meta.url)) })
  await bundled.write({ file: module })
  const { pricesOfOffer } = await import(module)
  rmSync(folder, { recursive: true })
  /** @type {Record<string, Record<string, unknown>>} */
  const regions = {}
  const dates = files.map((file) => {
    const offer = pricesOfOffer(readFileSync(file, 'utf8'), file)
    for (const [region, prices] of Object.entries(offer.regions)) regions[region] = { ...regions[region], ...prices }
    return offer.date
  })
  return { source: 'the AWS price list', date: dates.toSorted()[0], regions }
}

/**
 * @param {string} [folder]
 * @param {string} [date]
 * @param {string} [from]
 */
function ofUnits(folder = '', date = '', from = '') {
  /** @param {string} file @returns {Record<string, Record<string, string>>} */
  const units = (file) => JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8'))
  const transfer = units('datatransfer')
  /** @type {Record<string, Record<string, unknown>>} */
  const regions = {}
  for (const [name, region] of REGIONS) {
    /** @type {Record<string, unknown>} */
    const prices = {}
    for (const [file, types] of Object.entries(UNITS)) {
      const there = units(file)
      for (const [usageType, unit] of Object.entries(types)) {
        const price = Array.isArray(unit)
          ? unit.map(([from, one]) => [from, Number(there[String(one)]?.[name])])
          : Number(there[unit]?.[name])
        if (JSON.stringify(price).includes('null')) continue
        prices[usageType] = price
      }
    }
    const out = OUT.map(([from, unit, range]) => [
      from,
      Number(transfer[`DataTransfer External Outbound ${unit}`]?.[`${name} (StartingRange: ${range})`]),
    ])
    if (!JSON.stringify(out).includes('null')) prices['DataTransfer-Out-Bytes'] = out
    for (const [other, code] of REGIONS) {
      const prefix = 'DataTransfer InterRegion Outbound to '
      const found = Object.entries(transfer).flatMap(([unit, at]) =>
        unit.startsWith(prefix) ? [at[`${name} (To Location: ${other})`] ?? []].flat() : [],
      )
      const [price, ...more] = new Set(found)
      if (price !== undefined && more.length === 0) prices[`AWS-Out-Bytes:${code}`] = Number(price)
    }
    regions[region] = prices
  }
  return { source: `AWS pricing pages, as recorded by ${from}`, date, regions }
}
