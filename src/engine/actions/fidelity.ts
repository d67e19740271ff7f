import { StorageError } from '../../errors.js'
import type { Trait } from '../../job/object-attributes.js'
import type { Transfer } from '../../job/transfer.js'
import { printable } from '../../keys.js'
import type { Headers } from '../../rules/decide.js'
import { nameInCeph } from '../../rules/header-names.js'
import type { BucketTraits, ObjectHead, ObjectSummary, Page, Software, Storage } from '../../storage/storage.js'
import { annotationsOf, mayHaveAnnotations } from './annotations.js'
import { headersOf, needsHead } from './copy-attributes.js'

/** What a look at one object tells of a copy before it begins. */
export interface FidelityReport {
  /** The full key of the object that was looked at. */
  readonly key: string
  /** What its copy would be without, and what to do about it. */
  readonly losses: readonly string[]
  /** What will be otherwise, and cannot be helped; and what could not be found out. */
  readonly notes: readonly string[]
}

/** What the destination tells of itself. */
export interface Receiving {
  /** Those of its bucket, whether it can lock objects included where that is asked for. */
  readonly traits: (locks: boolean) => Promise<BucketTraits>
  /** Whether objects there can have tags; undefined where that does not matter, or is not known. */
  readonly keepsTags: () => Promise<boolean | undefined>
  readonly software?: Software | undefined
  /** Whether the bytes of copies pass through this machine: then they have no annotations by themselves. */
  readonly streamed?: boolean | undefined
  /** Whether objects there can have annotations; undefined where that is not known. */
  readonly keepsAnnotations?: boolean | undefined
}

/** How many objects of the listing are looked at for one that is no marker of a folder. */
const FIRST = 10

/**
 * Looks at the first object below the source, of which `first` may be known already, and tells what its copy would lose. Nothing is written. Undefined when there is no object.
 * Rejects with a StorageError when nothing at all can be done.
 */
export async function foresee(
  job: Transfer,
  source: Storage,
  receiving: Receiving,
  first?: Page,
): Promise<FidelityReport | undefined> {
  const { objects } = first ?? (await source.list({ limit: FIRST }))
  const real = objects.slice(0, FIRST).filter(({ notAKey }) => notAKey === undefined)
  const object = real.find(({ size }) => size > 0) ?? real[0]
  if (object === undefined) return undefined
  const { reading } = source
  const { traits, keepsTags, software } = receiving
  const attributes = job.attributes ?? {}
  const { preserve = [], drop = [], acl, encryption, keyFile, tagging } = attributes
  const losses: string[] = []
  const notes: string[] = []
  const keeps = (trait: Trait): boolean => preserve.includes(trait)
  const seesAnnotations = receiving.streamed === true && !drop.includes('annotations') && mayHaveAnnotations(source)
  const [head, tags, grants, annotations] = await Promise.all([
    answer(reading.head(object.key, object.version)),
    tagging === undefined && !drop.includes('tags') ? answer(reading.tagging(object.key, object.version)) : undefined,
    acl === undefined ? answer(reading.grants(object.key, object.version)) : undefined,
    seesAnnotations ? answer(annotationsOf(source, object)) : undefined,
  ])
  if (head instanceof StorageError) {
    const why = `it cannot be looked at (${said(head)})`
    if (head.code === 'SSE-C') {
      losses.push(
        'it is encrypted with a key of the customer’s (SSE-C), without which it cannot be copied: --source-sse-c-key-file FILE',
      )
    } else if (needsHead(attributes)) losses.push(`${why}, as what was asked for needs, so objects like it will fail`)
    else notes.push(`${why}, so not all that its copy would lose is known`)
  } else {
    lost(object, head, { keeps, encrypted: encryption !== undefined || keyFile !== undefined }, losses, notes)
    if (software === 'Ceph')
      losses.push(...renamedByCeph(headersOf(attributes, source, object, { ...head, unshown: 0 })))
  }

  if (tags instanceof StorageError && tags.severity !== 'skip') {
    // A store without tags loses none.
    if (!isUnknownThere(tags)) {
      losses.push(
        `its tags cannot be read (${said(tags)}): objects that have some will fail; --no-preserve tags copies them without`,
      )
    }
  }
  if (tags !== undefined && !(tags instanceof StorageError) && tags.header !== '') {
    const kept = await keepsTags()
    if (kept === false) {
      losses.push(
        'it has tags, and the destination’s store keeps none, so objects with tags will fail; --no-preserve tags copies them without',
      )
    } else if (kept === undefined)
      notes.push('it has tags, and whether the destination’s store takes tags is not known')
  }
  if (annotations !== undefined) {
    unannotated(annotations, keeps('annotations'), receiving.keepsAnnotations, losses, notes)
  }
  if (grants instanceof StorageError) {
    if (keeps('acl'))
      losses.push(`its access control list cannot be kept (${said(grants)}), so objects like it will fail`)
    else if (grants.code === 'AclNotCarried') losses.push(PRIVATE)
  } else if (grants !== undefined && grants.length > 0 && !keeps('acl')) losses.push(PRIVATE)
  const givesAcl = keeps('acl') || (acl !== undefined && acl !== OWNER)
  if (givesAcl || keeps('lock')) {
    const { acls, locks, versioned } = await traits(keeps('lock'))
    if (givesAcl && acls === false) {
      losses.push(
        `the destination’s bucket has access control lists disabled (BucketOwnerEnforced), and refuses copies that have one`,
      )
    }
    if (keeps('lock')) {
      if (locks === false) losses.push(`the destination’s bucket has no Object Lock, so copies would not be locked`)
      else if (locks === undefined && versioned === false)
        losses.push('the destination’s bucket keeps no versions, which locks need, so copies would not be locked')
      else if (locks === undefined)
        notes.push('the store does not tell whether the destination’s bucket has Object Lock (--preserve lock)')
    }
  }
  if (keeps('lock') && !(head instanceof StorageError) && !isLocked(head)) {
    const hidden = await answer(reading.hidesLock?.(object.key, object.version) ?? Promise.resolve(false))
    if (hidden === true)
      losses.push(
        'these credentials may not see whether it is locked (GetObjectRetention), so copies may be left unlocked',
      )
  }
  return { key: source.place.prefix + object.key, losses, notes }
}

function isLocked({ carried }: ObjectHead): boolean {
  return carried.some(([name]) => name.startsWith('x-amz-object-lock-'))
}

// The only list that a bucket without lists takes.
const OWNER = 'bucket-owner-full-control'
const PRIVATE =
  'it has an access control list, and its copy would be private: --preserve acl keeps it, --acl NAME sets one'

function unannotated(
  annotations: readonly unknown[] | StorageError,
  keeps: boolean,
  takes: boolean | undefined,
  losses: string[],
  notes: string[],
): void {
  if (annotations instanceof StorageError) {
    if (annotations.severity === 'skip') return
    const why = `its annotations cannot be listed (${said(annotations)})`
    if (keeps) losses.push(`${why}, so objects like it will fail`)
    else notes.push(`${why}; if it has some, its copy has none`)
    return
  }
  const { length } = annotations
  if (length === 0) return
  const has = `it has ${length} annotation${length === 1 ? '' : 's'}`
  if (takes === false) {
    losses.push(
      `${has}, and there are none at the destination${keeps ? ', so objects with annotations will fail' : ''}`,
    )
  } else if (!keeps) {
    losses.push(
      `${has}, and its copy, whose bytes pass through this machine, would have none: --preserve annotations keeps them`,
    )
  } else if (takes === undefined)
    notes.push(`${has}, and whether the destination’s store takes annotations is not known`)
}

function lost(
  object: ObjectSummary,
  head: ObjectHead,
  { keeps, encrypted }: { readonly keeps: (trait: Trait) => boolean; readonly encrypted: boolean },
  losses: string[],
  notes: string[],
): void {
  const has = (name: string): string | undefined => head.carried.find(([one]) => one === name)?.[1]
  if (!keeps('redirect') && has('x-amz-website-redirect-location') !== undefined) {
    losses.push('it has a website redirect: --preserve redirect keeps it')
  }
  if (!keeps('lock') && isLocked(head)) {
    losses.push('it is locked (Object Lock), and its copy would not be: --preserve lock keeps that')
  }
  const kms = has('x-amz-server-side-encryption')
  if (!encrypted && !keeps('encryption') && kms?.startsWith('aws:kms') === true) {
    losses.push(
      `it is encrypted with ${kms}, and its copy would be as the destination’s bucket has it: --preserve encryption keeps the key, --sse sets another`,
    )
  }
  if (object.etag.includes('-')) {
    notes.push('it was uploaded in parts, and its copy will have another ETag')
  }
}

function renamedByCeph(headers: Headers): string[] {
  const names = [...headers.keys()].filter((name) => name.startsWith('x-amz-meta-') && name.includes('_'))
  if (names.length === 0) return []
  const renamed = names.map((name) => printable(`${name} would be ${nameInCeph(name)}`))
  return [`the destination’s store (Ceph) keeps no _ in the names of metadata: ${renamed.join(', ')}`]
}

/** A side of a job, as far as it matters to what Swift does not carry. */
export interface SwiftSide {
  readonly bucket: string
  readonly software?: Software | undefined
}

const UNSEEN = 'S3 shows neither'

/** What a rewrite of objects in place loses on Swift, of which S3 shows nothing; one sentence, or undefined elsewhere. */
export function lossesOfRewriting({ bucket, software }: SwiftSide): string | undefined {
  if (software !== 'Swift') return undefined
  return (
    `s3://${printable(bucket)} is in OpenStack Swift, where an object that is rewritten loses its X-Delete-At (it no longer expires), and the ` +
    `parts of one that was uploaded in parts stay behind, and are billed, in the container ${printable(bucket)}+segments; ${UNSEEN}: to keep ` +
    `X-Delete-At, or to remove such parts, use Swift’s own API`
  )
}

/** The same of copies; `inherits`: they keep what their source has, as they are made inside the store and not given headers. */
export function lossesOfCopies(source: SwiftSide, destination: SwiftSide, inherits: boolean): string[] {
  const told: string[] = []
  if (source.software === 'Swift' && !inherits) {
    told.push(
      `s3://${printable(source.bucket)} is in OpenStack Swift, whose X-Delete-At (when an object expires) S3 does not show: copies do not have it`,
    )
  }
  if (destination.software === 'Swift') {
    told.push(
      `s3://${printable(destination.bucket)} is in OpenStack Swift: the parts of an object that was uploaded in parts, and is replaced by a copy, ` +
        `stay behind, and are billed, in the container ${printable(destination.bucket)}+segments, which S3 does not show`,
    )
  }
  return told
}

async function answer<T>(asked: Promise<T>): Promise<T | StorageError> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof StorageError && error.severity !== 'stop-run') return error
    throw error
  }
}

// Stores say so in one of these ways of what they do not know.
function isUnknownThere({ status, code }: StorageError): boolean {
  return status === 501 || status === 405 || (status === 400 && UNKNOWN.has(code))
}

const UNKNOWN: ReadonlySet<string> = new Set(['InvalidArgument', 'NotImplemented'])

function said({ operation, code }: StorageError): string {
  return `${operation} ${printable(code)}`
}
