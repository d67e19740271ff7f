import { UserError } from '../../errors.js'
import { hashText } from '../wire/hash.js'
import { datesLayout, deepLayout, hexLayout, hotLayout, seqLayout, type Layout } from './layouts.js'
import { DirectoryBucket, isDirectoryName } from './directory-bucket.js'
import type { Bucket } from './object.js'
import { mostOddKeys, oddLayout } from './odd-keys.js'
import { OrdinaryBucket } from './ordinary-bucket.js'
import { SyntheticBucket, type SyntheticTraits } from './synthetic-bucket.js'

const example = 'For example: src:dates:200k:glacier=1000,prefix=in/ (a synthetic source) or dst (an ordinary bucket)'
const layoutNames = ['seq', 'hex', 'dates', 'hot', 'deep', 'odd'] as const
const mostKeys = 1e12

/** True for the names that S3 gives to new buckets, and the older ones with capitals and underscores. */
export function isBucketName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(name)
}

/** Reads `200000`, `200k`, `5M`, `1e9` or `1_000_000`; undefined when it is no whole number. */
function readCount(text: string): number | undefined {
  const match = /^(\d[\d_]*(?:\.\d+)?(?:e\d+)?)([kKmMgGtT]?)$/.exec(text)
  if (match === null) return undefined
  const factor = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }[match[2]?.toLowerCase() ?? ''] ?? 1
  const count = Number(match[1]?.replaceAll('_', '')) * factor
  return Number.isSafeInteger(count) ? count : undefined
}

const SHARES = ['big', 'glacier', 'denied', 'tags', 'annotations'] as const

function isShare(name: string): name is (typeof SHARES)[number] {
  return SHARES.some((one) => one === name)
}

function readTraits(spec: string, name: string, options: string, seed: number): SyntheticTraits {
  const traits: { -readonly [K in keyof SyntheticTraits]: SyntheticTraits[K] } = {
    ...{ seed: (seed ^ hashText(name)) >>> 0, prefix: '', size: undefined, big: 0, glacier: 0, denied: 0, tags: 0 },
    annotations: 0,
  }
  for (const option of options.split(',').filter((text) => text !== '')) {
    const equals = option.indexOf('=')
    const key = option.slice(0, equals)
    const value = option.slice(equals + 1)
    if (equals !== -1 && key === 'prefix') {
      traits.prefix = value
      continue
    }
    const number = readCount(value)
    if (key !== 'size' && !isShare(key)) {
      throw new UserError(
        `Bucket ${JSON.stringify(spec)}: there is no option ${JSON.stringify(option)}.`,
        `Options are size=BYTES, ${SHARES.map((name) => `${name}=N`).join(', ')}, prefix=TEXT. ${example}`,
      )
    }
    if (number === undefined || (number === 0 && key !== 'size')) {
      throw new UserError(
        `Bucket ${JSON.stringify(spec)}: ${key} must be a ${key === 'size' ? 'number of bytes' : 'whole number above 0'}, got ${JSON.stringify(value)}.`,
        example,
      )
    }
    traits[key] = number
  }
  return traits
}

function makeLayout(spec: string, layout: string, count: number, traits: SyntheticTraits): Layout {
  const { seed } = traits
  const known = layoutNames.find((name) => name === layout)
  switch (known) {
    case 'seq':
      return seqLayout(count)
    case 'hex':
      return hexLayout(count, seed)
    case 'dates':
      return datesLayout(count, seed)
    case 'hot':
      return hotLayout(count)
    case 'deep':
      return deepLayout(count)
    case 'odd':
      if (count > mostOddKeys) {
        throw new UserError(
          `Bucket ${JSON.stringify(spec)}: the odd layout has at most ${mostOddKeys} objects.`,
          example,
        )
      }
      return oddLayout(count, seed, 1024 - Buffer.byteLength(traits.prefix))
    case undefined:
      throw new UserError(
        `Bucket ${JSON.stringify(spec)}: there is no layout ${JSON.stringify(layout)}.`,
        `Layouts are ${layoutNames.join(', ')}. ${example}`,
      )
  }
}

/** The most objects with which a directory bucket begins: each takes memory. */
const MOST_ZONAL = 2_000_000

function directoryBucket(spec: string, name: string, flags: string, created: number): DirectoryBucket {
  if (flags === '') return new DirectoryBucket(name, created)
  throw new UserError(
    `Bucket ${JSON.stringify(spec)}: a directory bucket has no options.`,
    `Write ${name}, or ${name}:hex:10k for one with objects.`,
  )
}

function ordinaryBucket(spec: string, name: string, flags: string, created: number): OrdinaryBucket {
  const bucket = new OrdinaryBucket(name, created)
  for (const flag of flags.split(',').filter((text) => text !== '')) {
    if (flag === 'acl') bucket.ownerEnforced = false
    else if (flag === 'versioned') bucket.setVersioning('Enabled')
    else if (flag === 'unconditional') bucket.unconditional = true
    else if (flag === 'unencrypted') bucket.unencrypted = true
    else {
      throw new UserError(
        `Bucket ${JSON.stringify(spec)}: there is no option ${JSON.stringify(flag)}.`,
        `An ordinary bucket can be acl, unconditional, unencrypted, versioned; a synthetic one is NAME:LAYOUT:COUNT. ${example}`,
      )
    }
  }
  return bucket
}

/**
 * Makes a bucket from its specification: `NAME[:FLAG,...]` (ordinary: `acl` puts ACLs in force, `versioned` keeps
 * versions, `unconditional` ignores conditions on writes, `unencrypted` encrypts nothing by itself) or `NAME:LAYOUT:COUNT[:option=value,...]` (synthetic).
 * One that is named as a directory bucket is one, with the objects of the layout, if there is one. Throws UserError when it is malformed.
 */
export function makeBucket(spec: string, seed: number, created: number): Bucket {
  const [name = '', layout = '', amount, ...rest] = spec.split(':')
  const malformed = (what: string) => new UserError(`Bucket ${JSON.stringify(spec)}: ${what}`, example)
  if (!isBucketName(name)) throw malformed('a bucket name has 3 or more letters, digits, dots, hyphens, underscores.')
  const directory = isDirectoryName(name)
  if (amount === undefined) return (directory ? directoryBucket : ordinaryBucket)(spec, name, layout, created)
  const count = readCount(amount)
  if (count === undefined || count > mostKeys) {
    throw malformed(`NAME:LAYOUT:COUNT expected, with a COUNT of objects such as 200000, 200k or 1e9 (at most 1e12).`)
  }
  const traits = readTraits(spec, name, rest.join(':'), seed)
  const synthetic = new SyntheticBucket(name, created, makeLayout(spec, layout, count, traits), traits)
  if (!directory) return synthetic
  if (count > MOST_ZONAL)
    throw malformed(`a directory bucket is held in memory, so that it has ${MOST_ZONAL} objects at most.`)
  return DirectoryBucket.filledWith(synthetic)
}
