import type { HeaderFields, ObjectContent, ObjectSummary, Storage } from './storage.js'

/** The code of a part that a store cannot copy inside itself, as it does not know how. */
export const NO_PART_COPY = 'PartCopyNotSupported'

/** What a store allows of parts, as far as is known. It learns, for all who share it. */
export interface PartLimits {
  /** How many parts an object may have, where so many are wanted. Never rejects. */
  most(wanted: number): Promise<number>
  /** One part more than that was refused for its number. */
  readonly learn: (most: number) => void
  /** Parts can be copied inside it: false once one was refused as `NO_PART_COPY`. */
  readonly copies: () => boolean
}

/** How objects of a store are made of parts, which are copied inside it or sent. */
export interface Uploading {
  /** Absent where they are those of S3. */
  readonly limits?: PartLimits | undefined

  /** Begins an object with `fields`; answers the upload, which is billed until it is completed or aborted. */
  begin(key: string, fields: HeaderFields): Promise<string>

  /** Makes a part of bytes of `object` in `source`, if its ETag is still that. May be repeated. */
  copyPart(source: Storage, object: ObjectSummary, part: PartRange): Promise<Part>

  /**
   * Makes a part of `bytes`, of which `md5` is the MD5. Fails with the code `BrokenContent` when the store says that it has others. May be
   * repeated.
   */
  sendPart(part: Pick<PartRange, 'key' | 'upload' | 'number'>, bytes: Buffer, md5: Buffer): Promise<Part>

  /**
   * The same of content that does not fit into memory, sent while it comes. Where its MD5 is not known beforehand the ETag in the answer is compared
   * with it, as far as that is one.
   */
  streamPart(part: Pick<PartRange, 'key' | 'upload' | 'number'>, content: ObjectContent): Promise<Part>

  /** The parts that an upload has, by number; undefined when there is no such upload. */
  parts(key: string, upload: string): Promise<ReadonlyMap<number, Part> | undefined>

  /** Puts all parts, in order, in the place of the object; `fields` may hold conditions. Answers the ETag that it has now, '' where the store does not tell. */
  complete(key: string, upload: string, parts: readonly Part[], fields: HeaderFields): Promise<string>

  /** Gives up an upload; one that is gone is no error. */
  abort(key: string, upload: string): Promise<void>
}

/** Which bytes a part is made of, both ends included, and of which upload of which object it is. */
export interface PartRange {
  readonly key: string
  readonly upload: string
  /** From 1. */
  readonly number: number
  readonly first: number
  readonly last: number
}

/** A part that is there. */
export interface Part {
  readonly etag: string
  readonly size: number
  /** Its checksum as an XML element, where the upload has an algorithm; '' otherwise. */
  readonly checksum: string
}
