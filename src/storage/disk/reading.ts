import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { typeOf } from '../../rules/content-types.js'
import { contentEncoding } from '../content-encoding.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Reading } from '../storage.js'
import { placeUrl } from '../../job/place.js'
import { STORAGE_CLASS, type StoredAttributes } from './attributes.js'
import type { Notice } from '../notice.js'
import { close, fstat, readFully } from './calls.js'
import { changed, diskFault, fault, gone, type Asked } from './storage-errors.js'
import type { Tree } from './tree.js'

/** Bytes that are read at once for a digest. */
const PIECE = 1024 ** 2

/**
 * How an object looks in a listing.
 *
 * A file without attributes, which another program made or changed, has an ETag of its size and time of modification, as web servers give it. It is no MD5, nor one of parts, so nobody
 * takes it for these; it costs no reading, and tells a file that was written to meanwhile.
 */
export function summary(key: string, stats: Stats, attributes: StoredAttributes | undefined): ObjectSummary {
  const { size, mtimeMs } = stats
  return {
    key,
    size,
    etag: attributes?.etag ?? `mtime.${Math.round(mtimeMs * 1000).toString(36)}.${size.toString(36)}`,
    lastModified: new Date(attributes?.modified ?? Math.floor(mtimeMs)).toISOString(),
    storageClass: attributes?.storageClass ?? 'STANDARD',
  }
}

/** A file, and what is kept of the object in it. */
interface Found {
  readonly stats: Stats
  readonly attributes: StoredAttributes | undefined
}

/** Reads objects of a tree. */
export function createReading(tree: Tree, notice: (notice: Notice) => void): Reading {
  const attributesOf = (key: string, stats: Stats, asked: Asked): Promise<StoredAttributes | undefined> =>
    tree.attributes(key, stats, asked, () =>
      notice({
        kind: 'other-attributes',
        message: `the headers and metadata that are kept for ${placeUrl({ bucket: tree.root, prefix: key })} are of other content, or of another time: it is taken for a file without (as others may be)`,
      }),
    )

  const using = async <T>(
    operation: Asked['operation'],
    key: string,
    work: (file: number, stats: Stats, asked: Asked) => Promise<T>,
  ): Promise<T> => {
    const asked: Asked = { operation, bucket: tree.root, key }
    try {
      const opened = await tree.open(key, asked)
      if (opened === undefined) throw gone(asked)
      const { file, stats } = opened
      try {
        return await work(file, stats, asked)
      } finally {
        await close(file)
      }
    } catch (error) {
      throw diskFault(error, asked)
    }
  }

  // Reads, provided that the object has the ETag before and after.
  const reading = <T>(
    { key, etag }: Pick<ObjectSummary, 'key' | 'etag'>,
    work: (file: number, found: Found, asked: Asked) => Promise<T>,
  ): Promise<T> =>
    using('GetObject', key, async (file, stats, asked) => {
      const attributes = await attributesOf(key, stats, asked)
      if (summary(key, stats, attributes).etag !== etag) throw changed(asked)
      const answer = await work(file, { stats, attributes }, asked)
      const after = await fstat(file)
      if (after.size !== stats.size || after.mtimeMs !== stats.mtimeMs) throw changed(asked)
      return answer
    })

  const look = (key: string): Promise<Found> =>
    using('HeadObject', key, async (_, stats, asked) => ({
      stats,
      attributes: await attributesOf(key, stats, asked),
    }))

  return {
    async head(key) {
      const { stats, attributes } = await look(key)
      return headOf(key, stats, attributes)
    },

    open: ({ key, etag }, room) =>
      reading({ key, etag }, async (file, { stats, attributes }, asked) => ({
        head: headOf(key, stats, attributes),
        bytes: await bytesOf(file, 0, stats.size, asked, room),
      })),

    async tagging(key) {
      const { attributes } = await look(key)
      const tags = tagsOf(attributes).map((tag) => {
        const split = tag.indexOf('=')
        const [name, value] = split < 0 ? [tag, ''] : [tag.slice(0, split), tag.slice(split + 1)]
        return `<Tag><Key>${inXml(name)}</Key><Value>${inXml(value)}</Value></Tag>`
      })
      return { header: attributes?.tags ?? '', xml: `<TagSet>${tags.join('')}</TagSet>` }
    },

    digest: (key, object) =>
      reading({ key, etag: object.etag }, async (file, { stats: { size } }, asked) => {
        if (size !== object.size) {
          throw fault(asked, 'fail-object', 'BrokenContent', `there are ${size} bytes where ${object.size} were listed`)
        }
        const digest = createHash('sha256')
        const buffer = Buffer.allocUnsafe(Math.min(size, PIECE))
        for (let at = 0; at < size;) {
          const count = await readFully(file, buffer.subarray(0, size - at), at)
          if (count === 0) throw changed(asked)
          digest.update(buffer.subarray(0, count))
          at += count
        }
        return digest.digest('hex')
      }),

    read: (object, first, last, room) =>
      reading(object, (file, _, asked) => bytesOf(file, first, Math.max(0, last - first + 1), asked, room)),

    async grants(key) {
      const { attributes } = await look(key)
      return (attributes?.others ?? []).filter(([name]) => isAccess(name))
    },
  }
}

function headOf(key: string, stats: Stats, attributes: StoredAttributes | undefined): ObjectHead {
  const { size, etag, lastModified, storageClass } = summary(key, stats, attributes)
  const others = attributes?.others ?? []
  const checksums = new Map(others.flatMap(([name, value]) => checksumIn(name, value)))
  const carried = [
    ...others.filter(([name, value]) => !isAccess(name) && checksumIn(name, value).length === 0),
    ...[...checksums.keys()].map((algorithm) => [CHECKSUM_ALGORITHM, algorithm.toUpperCase()] as const),
  ]
  // Of a file that another program made, its name is all there is.
  const guess = typeOf(key)
  const guessed = guess === undefined ? [] : ([['content-type', guess]] as const)
  return {
    ...{ size, etag, lastModified, storageClass },
    headers: new Map(attributes?.headers.flatMap(ofContent) ?? guessed),
    carried: storageClass === 'STANDARD' ? carried : [...carried, [STORAGE_CLASS, storageClass]],
    tags: tagsOf(attributes).length,
    checksums,
    plainEtag: attributes !== undefined,
    ...{ unshown: 0, archived: false, locked: false },
  }
}

// What was kept before it was known better.
function ofContent([name, value]: HeaderFields[number]): HeaderFields {
  const kept = name === 'content-encoding' ? contentEncoding(value) : value
  return kept === undefined ? [] : [[name, kept]]
}

async function bytesOf(file: number, first: number, size: number, asked: Asked, room?: Buffer): Promise<Buffer> {
  // Not from a pool that is shared: the piece is kept and sent while others are read.
  const bytes = room?.length === size ? room : Buffer.allocUnsafeSlow(size)
  if ((await readFully(file, bytes, first)) < size) throw changed(asked)
  return bytes
}

const CHECKSUM_ALGORITHM = 'x-amz-checksum-algorithm'

// The checksum that was sent with the whole content: its algorithm, and its value.
function checksumIn(name: string, value: string): [] | [readonly [algorithm: string, value: string]] {
  const [, algorithm] = /^x-amz-checksum-(.+)$/.exec(name) ?? []
  return algorithm === undefined || name === CHECKSUM_ALGORITHM ? [] : [[algorithm, value]]
}

function isAccess(name: string): boolean {
  return name === 'x-amz-acl' || name.startsWith('x-amz-grant-')
}

function tagsOf(attributes: StoredAttributes | undefined): string[] {
  return (attributes?.tags ?? '').split('&').filter((tag) => tag !== '')
}

// Text of a query as text of an XML element, one byte a character.
function inXml(encoded: string): string {
  const text = decodeURIComponent(encoded.replaceAll('+', ' ')).replace(
    /[&<>"\r\n\t]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  )
  return Buffer.from(text).toString('latin1')
}
