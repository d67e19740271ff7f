import type { PricedGroup } from '../job/planned-group.js'
import type { Restore } from '../job/transfer.js'
import { costOf, fromDeepArchive, transferTo, type PriceList, type Tiers } from './price-list.js'

/** A side of a run that is billed. */
export interface BilledSide {
  /** Absent where the prices of the store are not known. */
  readonly region?: string | undefined
  /** Its bucket keeps what is deleted or replaced; undefined where that is not known. */
  readonly versioned: boolean | undefined
}

/** Objects of one class of which the same becomes. */
export interface BilledGroup extends PricedGroup {
  /** `tagged`: its content stays as it is, and where; so does that of what is encrypted otherwise. `archived`: its copy is refused, unless it was restored by now. */
  readonly fate: 'written' | 'tagged' | 'archived' | 'deleted' | 'none'
}

/** Annotations of a sample of objects. */
export interface SampledAnnotations {
  /** Objects whose annotations are known, and those for which nobody knows. */
  readonly looked: number
  readonly unknown: number
  readonly annotations: number
  readonly bytes: number
  /** Of the annotations those that are read one by one, as no copy takes them along. */
  readonly read: number
}

/** All of a run that may cost money. */
export interface BilledRun {
  /** Absent where it is a folder. */
  readonly source: BilledSide | undefined
  /** The same as the source where objects are changed in place. */
  readonly destination: BilledSide | undefined
  /** What is deleted is there. */
  readonly deletesAt: 'source' | 'destination'
  /** What is written takes the place of what is read: a rewrite, or a move. */
  readonly replaces: boolean
  /** The bytes pass through this machine. */
  readonly streamed: boolean
  readonly groups: readonly BilledGroup[]
  /** Requests that only read, by the side that they are sent to. */
  readonly reads: Readonly<Record<'source' | 'destination', Readonly<Record<string, number>>>>
  /** Requests to KMS, as many as are known of; undefined where nothing is known of them. */
  readonly kmsRequests: number | undefined
  /** What a sample of what is written would replace at the destination: of how many, and its bytes by class; where nothing else tells it. */
  readonly sampled?: { readonly looked: number; readonly bytes: Readonly<Record<string, number>> } | undefined
  /** What of a sample of what is written has annotations that are written as well; where there are any. */
  readonly annotations?: SampledAnnotations | undefined
  /** How archived objects are to be restored; undefined where they are not. */
  readonly restore: Restore | undefined
}

/** One row of what a run costs. */
export interface CostRow {
  readonly kind:
    'requests' | 'retrieval' | 'early-deletion' | 'transfer' | 'kms' | 'restore' | 'storage' | 'monitoring' | 'versions'
  /** What is paid for, for a person. */
  readonly what: string
  readonly region?: string | undefined
  readonly storageClass?: string
  /** Absent where it is not known. */
  readonly amount?: number
  readonly unit: 'requests' | 'GB' | 'GB-months' | 'objects'
  /** Of the price, as bills have it. */
  readonly usageType?: string
  /** Absent where nothing is known of it. */
  readonly usd?: number
  /** When it is paid: by the run, each month after it, or each month already and still. */
  readonly paid: 'once' | 'monthly' | 'already'
  /** It may be less. */
  readonly atMost?: true
}

/** What AWS calls a GB. */
const GB = 1024 ** 3
const DAYS_OF_A_MONTH = 30
/** What of an archived object is kept beside it in the class, and what in STANDARD, in bytes. */
const OVERHEAD = { ofClass: 32 * 1024, ofStandard: 8 * 1024 }

interface ClassTypes {
  readonly infix: string
  readonly storage: string
  readonly retrieval?: string
  /** Of small objects 128 KiB are billed. */
  readonly padded?: true
  readonly archive?: true
}

const CLASSES: ReadonlyMap<string, ClassTypes> = new Map<string, ClassTypes>([
  ['STANDARD', { infix: '', storage: 'TimedStorage-ByteHrs' }],
  ['INTELLIGENT_TIERING', { infix: 'INT-', storage: 'TimedStorage-INT-FA-ByteHrs' }],
  ['STANDARD_IA', { infix: 'SIA-', storage: 'TimedStorage-SIA-ByteHrs', retrieval: 'Retrieval-SIA', padded: true }],
  ['ONEZONE_IA', { infix: 'ZIA-', storage: 'TimedStorage-ZIA-ByteHrs', retrieval: 'Retrieval-ZIA', padded: true }],
  ['GLACIER_IR', { infix: 'GIR-', storage: 'TimedStorage-GIR-ByteHrs', retrieval: 'Retrieval-GIR', padded: true }],
  ['GLACIER', { infix: 'GLACIER-', storage: 'TimedStorage-GlacierByteHrs', archive: true }],
  ['DEEP_ARCHIVE', { infix: 'GDA-', storage: 'TimedStorage-GDA-ByteHrs', archive: true }],
])

/** The rows of what a run costs, in US$ of `prices`; a row without `usd` is one that nobody knows. */
export function costOfRun(run: BilledRun, prices: PriceList): CostRow[] {
  const priced = pricing(prices)
  return [
    ...requestRows(run, priced),
    ...retrievalRows(run, priced),
    ...earlyRows(run, priced),
    ...transferRows(run, priced),
    ...kmsRows(run, priced),
    ...restoreRows(run, priced),
    ...storageRows(run, priced),
    ...versionRows(run, priced),
    ...sampledRows(run, priced),
    ...annotationRows(run, priced),
  ]
}

/** The sums of rows by when they are paid; of what is known. */
export function sumsOf(rows: readonly CostRow[]): Readonly<Record<CostRow['paid'], number>> {
  const sums = { once: 0, monthly: 0, already: 0 }
  for (const { paid, usd = 0 } of rows) sums[paid] += usd
  return sums
}

/** The row of an amount that a side is billed for. */
type Priced = (
  side: BilledSide | undefined,
  usageType: string | undefined,
  amount: number,
  row: Pick<CostRow, 'kind' | 'what' | 'unit' | 'paid' | 'storageClass' | 'atMost'>,
) => CostRow[]

// A row of an amount, with its price where there is one; none of nothing, and of what is not billed at all.
function pricing(prices: PriceList): Priced {
  return (side, usageType, amount, row) => {
    if (side === undefined || amount === 0) return []
    const { region } = side
    const tiers: Tiers | undefined =
      region === undefined || usageType === undefined ? undefined : prices.tiers(region, usageType)
    return [
      {
        ...row,
        ...(region === undefined ? {} : { region }),
        amount,
        ...(usageType === undefined ? {} : { usageType }),
        ...(tiers === undefined ? {} : { usd: costOf(tiers, amount) }),
      },
    ]
  }
}

/** What is billed for an operation: tier 1 is that of writes and lists, tier 2 that of reads. */
function tierOf(operation: string): 'free' | 1 | 2 | undefined {
  if (/^(Delete|Abort)/.test(operation)) return 'free'
  // That of an update no page of AWS names: it is a PUT.
  if (/^(Copy|Put|Update|Create|Complete|UploadPart|List)/.test(operation)) return 1
  return /^(Get|Head)/.test(operation) ? 2 : undefined
}

/** Whether an operation writes an object: it is billed as those of the class that it writes. */
export function isBilledAsWrite(operation: string): boolean {
  return tierOf(operation) === 1 && !operation.startsWith('List')
}

interface RequestSum {
  readonly side: BilledSide
  readonly type: string | undefined
  readonly storageClass: string
  n: number
  readonly operations: Set<string>
}

function requestRows({ source, destination, groups, reads }: BilledRun, priced: Priced): CostRow[] {
  const sums = new Map<string, RequestSum>()
  const add = (side: BilledSide | undefined, operation: string, storageClass: string, n: number): void => {
    if (side === undefined || n === 0 || tierOf(operation) === 'free') return
    const type = requestType(operation, storageClass)
    // What has no price has no company either.
    const key = JSON.stringify([side.region ?? side === source, type ?? operation, storageClass])
    const sum = sums.get(key) ?? { side, type, storageClass, n: 0, operations: new Set() }
    sum.n += n
    sum.operations.add(operation)
    sums.set(key, sum)
  }
  for (const { fate, storageClass, writtenClass, writes } of groups) {
    // Of what is archived the copy is refused, and billed.
    if (fate !== 'written' && fate !== 'tagged' && fate !== 'archived') continue
    for (const [operation, n] of Object.entries(writes)) {
      // Lists are those of the annotations of what is read.
      if (tierOf(operation) === 2 || operation.startsWith('List')) add(source, operation, storageClass, n)
      else add(destination, operation, writtenClass, n)
    }
  }
  const shares = sharesOf(groups)
  for (const [side, requests] of [[source, reads.source] as const, [destination, reads.destination] as const]) {
    for (const [operation, n] of Object.entries(requests)) {
      // Which objects were looked at is not kept: their classes are taken to be those of all.
      const ofBucket = tierOf(operation) === 1 || operation.includes('Bucket')
      for (const [storageClass, share] of ofBucket ? STANDARD : shares) add(side, operation, storageClass, n * share)
    }
  }
  return [...sums.values()].flatMap(({ side, type, storageClass, n, operations }) => {
    const what = `${[...operations].sort().join(', ')} (${storageClass})`
    return priced(side, type, Math.round(n), { kind: 'requests', what, unit: 'requests', paid: 'once', storageClass })
  })
}

const STANDARD = [['STANDARD', 1] as const]

/** The usage type of a request; undefined where it is not known. */
function requestType(operation: string, storageClass: string): string | undefined {
  const tier = tierOf(operation)
  const types = CLASSES.get(storageClass)
  if (/Annotations?$/.test(operation)) return `Requests-Annotation-Tier${tier}`
  if (tier === undefined || tier === 'free' || types === undefined) return undefined
  // Lists are billed as those of STANDARD, and so are the parts of what is uploaded into an archive.
  const plain = /^List/.test(operation) || (types.archive === true && /^(Create|UploadPart)/.test(operation))
  return `Requests-${plain ? '' : types.infix}Tier${tier}`
}

function sharesOf(groups: readonly BilledGroup[]): readonly (readonly [string, number])[] {
  const objects = new Map<string, number>()
  for (const group of groups) objects.set(group.storageClass, (objects.get(group.storageClass) ?? 0) + group.objects)
  const all = [...objects.values()].reduce((sum, n) => sum + n, 0)
  return all === 0 ? STANDARD : [...objects].map(([storageClass, n]) => [storageClass, n / all])
}

function retrievalRows({ source, groups }: BilledRun, priced: Priced): CostRow[] {
  return groups
    .filter(({ fate }) => fate === 'written')
    .flatMap(({ storageClass, bytes }) => {
      const types = CLASSES.get(storageClass)
      if (types !== undefined && types.retrieval === undefined) return []
      const what = `reading what is in ${storageClass}`
      return priced(source, types?.retrieval, bytes / GB, {
        kind: 'retrieval',
        what,
        unit: 'GB',
        paid: 'once',
        storageClass,
      })
    })
}

// A bucket that keeps versions keeps what is deleted, and bills it on.
function earlyRows({ source, destination, deletesAt, replaces, groups }: BilledRun, priced: Priced): CostRow[] {
  return groups.flatMap(({ fate, storageClass, earlyByteDays }) => {
    const side = fate === 'deleted' && deletesAt === 'destination' ? destination : source
    if (side?.versioned === true || !(fate === 'deleted' || (fate === 'written' && replaces))) return []
    const months = earlyByteDays / GB / DAYS_OF_A_MONTH
    const what = `the rest of the least time in ${storageClass}, of what is deleted before it`
    const row = { kind: 'early-deletion', what, unit: 'GB-months', paid: 'once', storageClass } as const
    return priced(side, CLASSES.get(storageClass)?.storage, months, row)
  })
}

function transferRows({ source, destination, streamed, groups }: BilledRun, priced: Priced): CostRow[] {
  if (source === undefined || source === destination) return []
  const bytes = groups.reduce((sum, group) => sum + (group.fate === 'written' ? group.bytes : 0), 0)
  if (streamed) {
    const what = 'transfer out of AWS to this machine; nothing where it is in the same Region'
    const row = { kind: 'transfer', what, unit: 'GB', paid: 'once', atMost: true } as const
    return priced(source, 'DataTransfer-Out-Bytes', bytes / GB, row)
  }
  const to = destination?.region
  if (to !== undefined && to === source.region) return []
  const row = { kind: 'transfer', what: `transfer to ${to ?? 'the destination'}`, unit: 'GB', paid: 'once' } as const
  return priced(source, to === undefined ? undefined : transferTo(to), bytes / GB, row)
}

const UPDATE = 'UpdateObjectEncryption'

function kmsRows({ destination, groups, kmsRequests }: BilledRun, priced: Priced): CostRow[] {
  const writes = groups.some(({ fate, writes }) => fate === 'written' || (fate === 'tagged' && UPDATE in writes))
  if (!writes || destination === undefined) return []
  const row = {
    kind: 'kms',
    what: 'requests to KMS, for each object without a bucket key',
    unit: 'requests',
    paid: 'once',
  } as const
  if (kmsRequests === undefined)
    return [{ ...row, ...(destination.region === undefined ? {} : { region: destination.region }) }]
  return priced(destination, 'KMS-Requests', kmsRequests, row)
}

const RESTORES: Readonly<Record<Restore['tier'], { readonly requests: number; readonly bytes: string }>> = {
  standard: { requests: 3, bytes: 'Standard-Retrieval-Bytes' },
  bulk: { requests: 5, bytes: 'Bulk-Retrieval-Bytes' },
  expedited: { requests: 6, bytes: 'Expedited-Retrieval-Bytes' },
}

// Less where some is restored already, which no listing tells.
function restoreRows({ source, groups, restore }: BilledRun, priced: Priced): CostRow[] {
  if (restore === undefined) return []
  const { days, tier } = restore
  return groups.flatMap(({ fate, storageClass, objects, bytes }) => {
    if (fate !== 'archived') return []
    const row = { kind: 'restore', paid: 'once', storageClass, atMost: true } as const
    const types = restoreTypes(storageClass, tier)
    // S3 keeps them to the midnight after these days.
    const months = ((bytes / GB) * (days + 1)) / DAYS_OF_A_MONTH
    const kept = `what is restored from ${storageClass}, in STANDARD for ${days} ${days === 1 ? 'day' : 'days'} and up to one more`
    return [
      ...priced(source, types.requests, objects, {
        ...{ ...row, unit: 'requests' },
        what: `RestoreObject (${storageClass}, ${tier})`,
      }),
      ...priced(source, types.bytes, bytes / GB, {
        ...{ ...row, unit: 'GB' },
        what: `retrieving what is in ${storageClass} (${tier})`,
      }),
      ...priced(source, CLASSES.get('STANDARD')?.storage, months, { ...{ ...row, unit: 'GB-months' }, what: kept }),
    ]
  })
}

// From DEEP_ARCHIVE nothing is expedited.
function restoreTypes(
  storageClass: string,
  tier: Restore['tier'],
): { readonly requests?: string; readonly bytes?: string } {
  const { requests, bytes } = RESTORES[tier]
  if (storageClass === 'GLACIER') return { requests: `Requests-Tier${requests}`, bytes }
  if (storageClass !== 'DEEP_ARCHIVE' || tier === 'expedited') return {}
  return { requests: `Requests-GDA-Tier${requests}`, bytes: fromDeepArchive(bytes) }
}

function storageRows(run: BilledRun, priced: Priced): CostRow[] {
  const { source, destination, replaces, groups } = run
  const inPlace = source === destination
  // What stays in its class costs what it did.
  const written = groups.filter(
    ({ fate, storageClass, writtenClass }) => fate === 'written' && (!inPlace || storageClass !== writtenClass),
  )
  const copies = inPlace ? 'what is rewritten' : 'the copies'
  return [
    ...written.flatMap((group) => stored(destination, group, group.writtenClass, 'monthly', copies, priced)),
    ...(replaces
      ? []
      : written.flatMap((group) =>
          stored(source, group, group.storageClass, 'already', 'what they are copies of', priced),
        )),
  ]
}

function stored(
  side: BilledSide | undefined,
  { objects, bytes, billedBytes }: BilledGroup,
  storageClass: string,
  paid: CostRow['paid'],
  what: string,
  priced: Priced,
): CostRow[] {
  const types = CLASSES.get(storageClass)
  const row = { kind: 'storage', unit: 'GB-months', paid, storageClass } as const
  const kept = types?.padded === true ? billedBytes : bytes
  const overhead = types?.archive === true ? objects : 0
  return [
    ...priced(side, types?.storage, (kept + overhead * OVERHEAD.ofClass) / GB, {
      ...row,
      what: `${what}, in ${storageClass}`,
    }),
    ...priced(side, CLASSES.get('STANDARD')?.storage, (overhead * OVERHEAD.ofStandard) / GB, {
      ...row,
      what: `the index of what is in ${storageClass}`,
    }),
    ...(storageClass === 'INTELLIGENT_TIERING'
      ? priced(side, 'Monitoring-Automation-INT', objects, {
          ...{ kind: 'monitoring', unit: 'objects', paid, storageClass, atMost: true },
          what: `monitoring of ${what}, of those of 128 KiB and more`,
        } as const)
      : []),
  ]
}

// What is deleted or replaced and stays as a version.
function versionRows({ source, destination, deletesAt, replaces, groups }: BilledRun, priced: Priced): CostRow[] {
  return groups.flatMap(({ fate, storageClass, bytes, replacedBytes }) => {
    const row = { kind: 'versions', unit: 'GB-months', paid: 'monthly', storageClass } as const
    const type = CLASSES.get(storageClass)?.storage
    const deleted = fate === 'deleted' || (fate === 'written' && replaces)
    const side = fate === 'deleted' && deletesAt === 'destination' ? destination : source
    return [
      ...(deleted && side?.versioned === true
        ? priced(side, type, bytes / GB, {
            ...row,
            what: `what is deleted or rewritten, and stays as a version, in ${storageClass}`,
          })
        : []),
      ...(fate === 'written' && source !== destination && destination?.versioned === true
        ? Object.entries(replacedBytes).flatMap(([replaced, size]) =>
            priced(destination, CLASSES.get(replaced)?.storage, size / GB, {
              ...{ ...row, storageClass: replaced },
              what: `what copies replace, and stays as a version, in ${replaced}`,
            }),
          )
        : []),
    ]
  })
}

// The same of copies whose destination was not listed.
function sampledRows({ destination, groups, sampled }: BilledRun, priced: Priced): CostRow[] {
  if (sampled === undefined || sampled.looked === 0) return []
  const { looked, bytes } = sampled
  const written = writtenOf(groups)
  return Object.entries(bytes).flatMap(([storageClass, size]) =>
    priced(destination, CLASSES.get(storageClass)?.storage, ((size / looked) * written) / GB, {
      ...{ kind: 'versions', unit: 'GB-months', paid: 'monthly', storageClass },
      what: `what copies replace, and stays as a version, in ${storageClass}: by a look for ${looked} of them`,
    }),
  )
}

function writtenOf(groups: readonly BilledGroup[]): number {
  return groups.reduce((sum, { fate, objects }) => sum + (fate === 'written' ? objects : 0), 0)
}

// Each is billed as a write, whether it comes along with its object or is written by itself.
function annotationRows({ source, destination, replaces, groups, annotations }: BilledRun, priced: Priced): CostRow[] {
  const written = writtenOf(groups)
  if (annotations === undefined || written === 0) return []
  const { looked, unknown, bytes } = annotations
  if (looked === 0) {
    const what = 'annotations of the copies: they could not be listed'
    return unknown === 0 ? [] : [{ kind: 'requests', what, unit: 'requests', paid: 'once' }]
  }
  const each = written / looked
  const by = `by a look at ${looked} of them`
  const requests = { kind: 'requests', unit: 'requests', paid: 'once' } as const
  const kept = (side: BilledSide | undefined, paid: CostRow['paid'], what: string): CostRow[] =>
    priced(side, 'Annotation-TimedStorage-ByteHrs', (bytes * each) / GB, {
      ...{ kind: 'storage', unit: 'GB-months', paid },
      what: `${what}: ${by}`,
    })
  return [
    ...priced(destination, 'Requests-Annotation-Tier1', Math.round(annotations.annotations * each), {
      ...requests,
      what: `annotations of the copies, each as a PUT: ${by}`,
    }),
    ...priced(source, 'Requests-Annotation-Tier2', Math.round(annotations.read * each), {
      ...requests,
      what: `GetObjectAnnotation: ${by}`,
    }),
    ...(source === destination ? [] : kept(destination, 'monthly', 'annotations of the copies')),
    ...(source === destination || replaces ? [] : kept(source, 'already', 'annotations of what they are copies of')),
  ]
}
