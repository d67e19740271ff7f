import { StorageError } from '../../errors.js'
import { decodedWords, encodedWords, inUtf8, isBeyondAscii } from '../../rfc2047.js'
import type { HeaderFields, Reading } from '../storage.js'
import type { Uploading } from '../parts.js'
import { askedOf, quoted, type Channel } from './request.js'
import type { Fields } from './sign.js'

/** How many objects are looked at in vain before a store counts as one that keeps what it is sent. */
const MOST_LOOKS = 3
const META = 'x-amz-meta-'

type Looks = Pick<Reading, 'head'>

/**
 * How a store takes user metadata beyond ASCII. Most keep the bytes of UTF-8. Swift takes each byte for a character of its own, and answers with the
 * whole encoded anew, as RFC 2047 has it; sent in that form it stays as it is. Which it is, is seen by a look at the first object of which it matters.
 * Copies inside a store bring along what it answers itself.
 */
export class MetadataForm {
  private encodes: boolean | undefined
  private looks = 0

  /** AWS takes both. `known` is what another instance for the same store has found out, if anything. */
  constructor(
    private readonly channel: Channel,
    known: boolean | undefined,
  ) {
    this.encodes = channel.aws ? false : known
  }

  /** Whether it is sent in encoded words, if that is known. */
  get known(): boolean | undefined {
    return this.encodes
  }

  /** The store is Swift: nothing needs to be looked at, and no object is there in the wrong form before it was. */
  isSwift(): void {
    this.encodes ??= true
  }

  /** Fields of a request as the store takes them. */
  own(fields: Fields): Fields {
    if (this.encodes !== true) return fields
    return fields.map((field) => {
      const [name, value] = field
      return isText(field) ? [name, encodedWords(value)] : field
    })
  }

  /** Writes an object, and once more, in the other form, where it was in the wrong one. Answers as `write` does: the ETag. */
  async kept(
    key: string,
    fields: HeaderFields,
    reading: Looks,
    write: (fields: HeaderFields) => Promise<string>,
  ): Promise<string> {
    const sent = this.encodes === undefined ? fields.filter(isText) : []
    const etag = await write(fields)
    if (sent.length === 0 || !(await this.isEncodedTwice(key, sent, reading))) return etag
    // What was to replace nothing replaces what was just written.
    return await write(fields.map((field) => (field[0] === 'if-none-match' ? ['if-match', quoted(etag)] : field)))
  }

  /** The same for objects in parts, which would all have to be sent again: such an object is done again as a whole, later. */
  uploading(uploading: Uploading, reading: Looks): Uploading {
    const unsure = new Map<string, HeaderFields>()
    return {
      ...uploading,
      begin: async (key, fields) => {
        const sent = this.encodes === undefined ? fields.filter(isText) : []
        const upload = await uploading.begin(key, fields)
        if (sent.length > 0) unsure.set(upload, sent)
        return upload
      },
      complete: async (key, upload, parts, fields) => {
        const etag = await uploading.complete(key, upload, parts, fields)
        const sent = unsure.get(upload) ?? []
        unsure.delete(upload)
        if (sent.length === 0 || !(await this.isEncodedTwice(key, sent, reading))) return etag
        // It would be found there, and left as it is.
        const isLeft = fields.some(([name]) => name === 'if-none-match')
        const what = isLeft ? 'delete it and copy it again' : 'it is written again, in the form that the store takes'
        throw new StorageError(
          `the store has encoded its metadata twice, so that it reads as something else: ${what}`,
          {
            ...{ severity: isLeft ? 'fail-object' : 'later', code: 'MetadataEncodedTwice' },
            ...askedOf(this.channel, 'CompleteMultipartUpload', key),
          },
        )
      },
      abort: async (key, upload) => {
        unsure.delete(upload)
        await uploading.abort(key, upload)
      },
    }
  }

  private async isEncodedTwice(key: string, sent: HeaderFields, reading: Looks): Promise<boolean> {
    const there = await headersOf(key, reading)
    for (const [name, value] of sent) {
      const now = there?.get(name)
      if (now === undefined) continue
      if (now === value || decodedWords(now) === value) {
        this.encodes ??= false
        return false
      }
      if (decodedWords(now) === inUtf8(value)) {
        this.encodes = true
        return true
      }
    }
    if (++this.looks >= MOST_LOOKS) this.encodes ??= false
    return false
  }
}

// What may not be looked at tells nothing.
async function headersOf(key: string, reading: Looks): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    return (await reading.head(key)).headers
  } catch (error) {
    if (error instanceof StorageError && (error.severity === 'skip' || error.severity === 'fail-object'))
      return undefined
    throw error
  }
}

function isText([name, value]: HeaderFields[number]): boolean {
  return name.startsWith(META) && isBeyondAscii(value)
}
