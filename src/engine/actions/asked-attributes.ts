import { StorageError } from '../../errors.js'
import type { Attributes } from '../../job/object-attributes.js'
import { timeOf } from '../../times.js'
import type { Acl, HeaderFields, ObjectHead, Storage } from '../../storage/storage.js'
import { headersThatDiffer } from './compare-objects.js'

/** Something that an object was to have, and what the store shows of it. */
export interface MissingAttribute {
  /** As people call it. */
  readonly property: string
  readonly asked: string
  /** Undefined where the store does not tell. */
  readonly there: string | undefined
}

/** All that a written object is to have. */
export interface AskedAttributes {
  /** As fields of a request: headers, metadata, and what a new object is given beside its content. */
  readonly fields: HeaderFields
  /** What of it nobody takes for granted: it was named. */
  readonly named?: Pick<Attributes, 'storageClass' | 'checksumAlgorithm' | 'keyFile'> | undefined
  /** Headers and metadata of what it was made of: those that are not among the fields are to be gone. */
  readonly before?: ReadonlyMap<string, string> | undefined
  /** Tags that are not among the fields are to be gone. */
  readonly noTags?: boolean | undefined
}

const NONE = 'none'
const ENCRYPTION = 'x-amz-server-side-encryption'
const LOCK = 'x-amz-object-lock-'
const GRANT = 'x-amz-grant-'

/**
 * What of all that was asked for the object `key` of `store` does not have, as far as the store tells; `copy` is its head. What HEAD does not tell
 * is asked for by itself: tags, the access control list, and a class or a lock that HEAD does not show. Rejects with what may pass.
 */
export async function lacksOf(
  asked: AskedAttributes,
  store: Storage,
  key: string,
  copy: ObjectHead,
): Promise<MissingAttribute[]> {
  const of = valuesOf(asked.fields)
  const lacks = [...lacksOfHead(asked, copy)]
  const lock = lockThatLacks(of, valuesOf(copy.carried))
  if (lock !== undefined) {
    const hidden = lock.there === NONE && (await store.reading.hidesLock?.(key)) === true
    lacks.push(hidden ? { ...lock, there: undefined } : lock)
  }
  const wantedClass = of('x-amz-storage-class') ?? asked.named?.storageClass
  if (wantedClass !== undefined && !isSameClass(wantedClass, copy.storageClass)) {
    const listed = await unlessRefused(store.list({ within: key, limit: 1 }))
    const object = listed instanceof StorageError ? undefined : listed.objects.find((one) => one.key === key)
    // Ceph shows the class of a copy in one of the two alone.
    if (object === undefined || !isSameClass(wantedClass, object.storageClass))
      lacks.push({ property: 'storage class', asked: wantedClass, there: copy.storageClass })
  }
  const tagging = of('x-amz-tagging') ?? ''
  if (tagging !== '') {
    const tags = await unlessRefused(store.reading.tagging(key))
    if (!(tags instanceof StorageError)) {
      if (!isSameTags(tagging, tags.header))
        lacks.push({ property: 'tags', asked: tagging, there: tags.header || NONE })
    } else lacks.push({ property: 'tags', asked: tagging, there: isUnknown(tags) ? NONE : undefined })
  } else if (asked.noTags === true && copy.tags > 0) {
    lacks.push({ property: 'tags', asked: NONE, there: `${copy.tags} of them` })
  }
  const wantedAcl = asked.fields.filter(([name]) => name === 'x-amz-acl' || name.startsWith(GRANT))
  if (wantedAcl.length > 0 && store.reading.acl !== undefined) {
    const acl = await unlessRefused(store.reading.acl(key))
    const lack =
      acl instanceof StorageError ? { asked: shown(wantedAcl), there: undefined } : aclThatLacks(wantedAcl, acl)
    if (lack !== undefined) lacks.push({ property: 'access control list', ...lack })
  }
  return lacks
}

// A store that does not know the question has none of what is asked about.
function isUnknown({ status }: StorageError): boolean {
  return status === 501 || status === 405
}

// What a store refuses for good tells nothing; what may pass is thrown on.
async function unlessRefused<T>(answer: Promise<T>): Promise<T | StorageError> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof StorageError && (error.severity === 'fail-object' || error.severity === 'stop-run'))
      return error
    throw error
  }
}

function valuesOf(fields: HeaderFields): (name: string) => string | undefined {
  return (name) => fields.find(([field]) => field === name)?.[1]
}

/** What of that a HEAD tells alone: encryption, redirect, checksum, headers and metadata. */
function lacksOfHead({ fields, named = {}, before }: AskedAttributes, copy: ObjectHead): MissingAttribute[] {
  const of = valuesOf(fields)
  const there = valuesOf(copy.carried)
  const lacks: MissingAttribute[] = []
  const add = (property: string, asked: string, seen: string | undefined): void =>
    void lacks.push({ property, asked, there: seen })
  lacks.push(...encryptionThatLacks(of, there))
  if (named.keyFile !== undefined && copy.customerKey !== true)
    add('encryption', 'a key of yours (SSE-C)', there(ENCRYPTION))
  const redirect = of('x-amz-website-redirect-location')
  if (redirect !== undefined && there('x-amz-website-redirect-location') !== redirect)
    add('website redirect', redirect, there('x-amz-website-redirect-location') ?? NONE)
  const algorithms = copy.carried.filter(([name]) => name === 'x-amz-checksum-algorithm').map(([, value]) => value)
  const { checksumAlgorithm } = named
  // Many stores keep none, or tell of none.
  if (checksumAlgorithm !== undefined && !algorithms.includes(checksumAlgorithm))
    add('checksum algorithm', checksumAlgorithm, algorithms.length === 0 ? undefined : algorithms.join(', '))
  const wanted = new Map(fields.filter(([name]) => isHeader(name)))
  const differ = headersThatDiffer({ ...copy, headers: wanted }, copy).filter(
    // What nobody asked for is the store's own, unless it was to be taken away.
    (name) => wanted.has(name) || (name !== 'content-type' && before?.get(name) === copy.headers.get(name)),
  )
  for (const [property, names] of [
    ['headers', differ.filter((name) => !isMetadata(name))],
    ['metadata', differ.filter(isMetadata)],
  ] as const) {
    if (names.length === 0) continue
    const said = (of: ReadonlyMap<string, string>, side: 0 | 1): string =>
      names
        // What has another name there is told by both.
        .map((name) => name.split(' as ').at(side) ?? name)
        .map((name) => `${name}: ${of.get(name) ?? NONE}`)
        .join(', ')
    add(property, said(wanted, 0), said(copy.headers, 1))
  }
  return lacks
}

function isMetadata(name: string): boolean {
  return name.startsWith('x-amz-meta-')
}

function isHeader(name: string): boolean {
  return isMetadata(name) || !name.startsWith('x-amz-')
}

type Values = (name: string) => string | undefined

/** Dates are told to a second by some stores that keep milliseconds. */
const PRECISION = 1_000

/** What of a lock an object lacks that has `there`; undefined where that locks it as long, as hard, and with the hold. */
function lockThatLacks(asked: Values, there: Values): MissingAttribute | undefined {
  const [mode, until, hold] = [
    asked(`${LOCK}mode`),
    asked(`${LOCK}retain-until-date`) ?? '',
    asked(`${LOCK}legal-hold`),
  ]
  const [itsMode, itsUntil, itsHold] = [`mode`, `retain-until-date`, `legal-hold`].map((name) => there(LOCK + name))
  const [event, itsEvent] = [eventHoldIn(asked), eventHoldIn(there)]
  // Retention that is over is none.
  const retained = mode !== undefined && !(timeOf(until) <= Date.now())
  const isRetained =
    mode?.toUpperCase() === itsMode?.toUpperCase() && !(timeOf(itsUntil ?? '') < timeOf(until) - PRECISION)
  const isHeld = hold?.toUpperCase() === 'ON'
  if ((!retained || isRetained) && (!isHeld || itsHold?.toUpperCase() === 'ON') && (event ?? itsEvent) === itsEvent)
    return undefined
  return {
    property: 'lock',
    asked: lockInWords(retained ? mode : undefined, until, isHeld, event),
    there: lockInWords(itsMode, itsUntil, itsHold?.toUpperCase() === 'ON', itsEvent),
  }
}

// The hold until an event, and what retention follows it; undefined where there is none.
function eventHoldIn(values: Values): string | undefined {
  if (values(`${LOCK}event-hold`)?.toUpperCase() !== 'ON') return undefined
  const [days, years] = ['days', 'years'].map((unit) => values(`${LOCK}event-hold-duration-${unit}`))
  const then = days !== undefined ? ` and ${days} days` : years !== undefined ? ` and ${years} years` : ''
  return `a hold until an event${then}`
}

function lockInWords(
  mode: string | undefined,
  until: string | undefined,
  held: boolean,
  event: string | undefined,
): string {
  const parts = [
    ...(mode === undefined ? [] : [`${mode} until ${until ?? ''}`]),
    ...(held ? ['a legal hold'] : []),
    ...(event === undefined ? [] : [event]),
  ]
  return parts.length === 0 ? NONE : parts.join(' and ')
}

function encryptionThatLacks(asked: Values, there: Values): MissingAttribute[] {
  const lacks: MissingAttribute[] = []
  const [wanted, is] = [asked(ENCRYPTION), there(ENCRYPTION)]
  if (wanted === undefined) return lacks
  if (is !== wanted) return [{ property: 'encryption', asked: wanted, there: is }]
  const [key, itsKey] = [asked(`${ENCRYPTION}-aws-kms-key-id`), there(`${ENCRYPTION}-aws-kms-key-id`)]
  if (key !== undefined && !(itsKey !== undefined && isSameKey(key, itsKey)))
    lacks.push({ property: 'KMS key', asked: key, there: itsKey })
  const [bucketKey, itsBucketKey] = ['', ''].map((_, index) => {
    return (index === 0 ? asked : there)(`${ENCRYPTION}-bucket-key-enabled`)
  })
  if (bucketKey !== undefined && (itsBucketKey ?? 'false') !== bucketKey) {
    // Where it is not used S3 does not tell.
    lacks.push({ property: 'bucket key', asked: bucketKey, there: itsBucketKey })
  }
  return lacks
}

/** Whether two names may be those of one KMS key: what an alias stands for, only its owner knows, and S3 tells ARNs. */
export function isSameKey(one: string, other: string): boolean {
  const [a, b] = [one, other].map((name) => name.replace(/^.*?:key\//, ''))
  return a === b || [one, other].some((name) => /(?:^|:)alias\//.test(name))
}

/** Names by which stores tell classes that S3 calls otherwise, as `isSameClass` compares them. */
const CLASSES: Readonly<Record<string, string>> = {
  regional: 'standard',
  multiregional: 'standard',
  ia: 'standardia',
  infrequentaccess: 'standardia',
  nearline: 'standardia',
  rrs: 'reducedredundancy',
  glacierir: 'glacierinstantretrieval',
  flexibleretrieval: 'glacier',
  glacierflexibleretrieval: 'glacier',
}

/** Whether two names are those of one storage class. */
export function isSameClass(one: string, other: string): boolean {
  const [a, b] = [one, other].map((name) => {
    const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
    return CLASSES[plain] ?? plain
  })
  return a === b
}

function isSameTags(one: string, other: string): boolean {
  const [a, b] = [one, other].map((header) => JSON.stringify([...new URLSearchParams(header)].sort()))
  return a === b
}

const GROUPS = 'http://acs.amazonaws.com/groups/global/'
/** What a canned list gives to others than the owner; of the others of S3 that depends on who owns the bucket. */
const CANNED: Readonly<Record<string, readonly string[]>> = {
  'public-read': [`${GROUPS}AllUsers READ`],
  // What WRITE may mean for an object, no store says.
  'public-read-write': [`${GROUPS}AllUsers READ`],
  'authenticated-read': [`${GROUPS}AuthenticatedUsers READ`],
}
const PERMISSIONS: Readonly<Record<string, string>> = {
  [`${GRANT}full-control`]: 'FULL_CONTROL',
  [`${GRANT}read`]: 'READ',
  [`${GRANT}read-acp`]: 'READ_ACP',
  [`${GRANT}write-acp`]: 'WRITE_ACP',
}

// Which of the grants that were asked for are not there; that of the owner, who can give himself any, does not count.
function aclThatLacks(wanted: HeaderFields, { owner, grants }: Acl): Omit<MissingAttribute, 'property'> | undefined {
  const others = grants.filter((grant) => grant !== `${owner} FULL_CONTROL`)
  const canned = wanted.find(([name]) => name === 'x-amz-acl')?.[1]
  const there = others.length === 0 ? 'the owner alone' : others.join(', ')
  if (canned === 'private') return others.length === 0 ? undefined : { asked: shown(wanted), there }
  const asked = canned === undefined ? wanted.flatMap(grantsIn) : (CANNED[canned] ?? [])
  const isGiven = (grant: string): boolean =>
    grant.startsWith(`${owner} `) ||
    grants.some((one) => one === grant || one === grant.replace(/[A-Z_]+$/, 'FULL_CONTROL'))
  return asked.every(isGiven) ? undefined : { asked: shown(wanted), there }
}

function grantsIn([name, value]: HeaderFields[number]): string[] {
  return [...value.matchAll(/(?:id|uri)="([^"]*)"/g)].map(([, grantee = '']) => `${grantee} ${PERMISSIONS[name] ?? ''}`)
}

function shown(fields: HeaderFields): string {
  return fields.map(([name, value]) => (name === 'x-amz-acl' ? value : `${name}: ${value}`)).join(', ')
}

/**
 * In what a copy differs from its source beside content and headers, as far as both stores tell: `storage-class`, `encryption`, and `lock` where it is
 * less locked. `classes` are those that the listings show.
 */
export function traitsThatDiffer(
  source: ObjectHead,
  copy: ObjectHead,
  classes: readonly [source: string, copy: string],
): string[] {
  const [of, there] = [valuesOf(source.carried), valuesOf(copy.carried)]
  const differ: string[] = []
  const isClass = (one: string): boolean => [classes[1], copy.storageClass].some((other) => isSameClass(one, other))
  if (![classes[0], source.storageClass].some(isClass)) differ.push('storage-class')
  const [name, key] = [ENCRYPTION, `${ENCRYPTION}-aws-kms-key-id`]
  const [one, other, itsKey, otherKey] = [of(name), there(name), of(key), there(key)]
  const isOtherKey = itsKey !== undefined && otherKey !== undefined && !isSameKey(itsKey, otherKey)
  if (one !== undefined && other !== undefined && (one !== other || isOtherKey)) differ.push('encryption')
  if (lockThatLacks(of, there) !== undefined) differ.push('lock')
  return differ
}

/** Whether two lists give the same to the same, each owner taken for the other. */
export function isSameAcl(one: Acl, other: Acl): boolean {
  const [a, b] = [one, other].map(({ owner, grants }) =>
    JSON.stringify(
      [
        ...new Set(
          grants.map((grant) => (grant.startsWith(`${owner} `) ? `owner${grant.slice(owner.length)}` : grant)),
        ),
      ].sort(),
    ),
  )
  return a === b
}
