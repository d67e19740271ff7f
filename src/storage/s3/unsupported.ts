import { StorageError } from '../../errors.js'
import { CHECKSUM_ALGORITHMS } from '../../job/checksums.js'
import { printable } from '../../keys.js'
import type { Notice } from '../notice.js'
import type { Asked } from './storage-errors.js'
import type { Fields } from './sign.js'

/** A part of requests without which a run keeps its promises on a store that does not know it. */
interface Extra {
  /** As S3 writes it. */
  readonly name: string
  /** Where it can be left out. */
  readonly operations: ReadonlySet<string>
  /** What becomes of its purpose. */
  readonly instead: string
}

const READS: ReadonlySet<string> = new Set(['HeadObject', 'GetObject'])
const WRITES: ReadonlySet<string> = new Set(['PutObject', 'CopyObject', 'CompleteMultipartUpload'])
const COPIES: ReadonlySet<string> = new Set(['CopyObject', 'UploadPartCopy'])
const REMOVALS: ReadonlySet<string> = new Set(['DeleteObject'])
const CHECKSUMS = ['algorithm', ...CHECKSUM_ALGORITHMS.map((name) => name.toLowerCase())]
const DIRECTIVE = 'x-amz-tagging-directive'
const TAGGING = 'x-amz-tagging'
const ANNOTATIONS = 'x-amz-object-annotation-directive'
const CLASS = 'x-amz-storage-class'
const BEGINNINGS: ReadonlySet<string> = new Set(['PutObject', 'CopyObject', 'CreateMultipartUpload'])

// On stores other than AWS whatever rests on a condition looks right before each request as well, since such a store may ignore it.
const LOOKED_AT = 'what is there is looked at right before each of them instead'

/** By the name of the header; in the order in which they are suspected. */
const EXTRAS: ReadonlyMap<string, Extra> = new Map([
  [
    'x-amz-checksum-mode',
    {
      ...{ name: 'x-amz-checksum-mode', operations: READS },
      instead: 'checksums that it may keep are not compared, MD5s in ETags are',
    },
  ],
  [
    'x-amz-copy-if-match',
    { name: 'x-amz-copy-if-match', operations: COPIES, instead: 'x-amz-copy-source-if-match says the same' },
  ],
  ['if-none-match', { name: 'If-None-Match', operations: WRITES, instead: LOOKED_AT }],
  ['if-match', { name: 'If-Match', operations: new Set([...WRITES, ...REMOVALS]), instead: LOOKED_AT }],
  [DIRECTIVE, { name: DIRECTIVE, operations: COPIES, instead: 'tags that copies have got are removed after them' }],
  [ANNOTATIONS, { name: ANNOTATIONS, operations: COPIES, instead: 'what has no annotations copies none' }],
  [CLASS, { name: CLASS, operations: BEGINNINGS, instead: 'copies have the storage class that it gives by itself' }],
  ...CHECKSUMS.map((what): [string, Extra] => {
    const name = `x-amz-checksum-${what}`
    return [name, { name, operations: BEGINNINGS, instead: 'copies have no such checksum' }]
  }),
])

type Refusal = Pick<StorageError, 'code' | 'status'>

/** What is known of a store, and of a run, beforehand. */
interface Known {
  /** What `all` told of another instance for the same store. */
  readonly known?: readonly string[] | undefined
  /** Headers that were asked for, and are never left out. */
  readonly insists?: readonly string[] | undefined
}

/**
 * What a store has refused so far, by name: requests go without it from then on, and each is told once. AWS knows all of it, and what it refuses
 * has another reason.
 */
export class Unsupported {
  private readonly names: Set<string>

  private readonly insists: ReadonlySet<string>
  private askedForTags: Promise<boolean> | undefined

  /** `host` is that of the store. */
  constructor(
    private readonly host: string,
    private readonly tell: (notice: Notice) => void,
    { known = [], insists = [] }: Known = {},
  ) {
    this.names = new Set(known)
    this.insists = new Set(insists)
  }

  get all(): readonly string[] {
    return [...this.names]
  }

  has(name: string): boolean {
    return this.names.has(name)
  }

  /** It was refused so, and what was sent without it was not. */
  add(name: string, fault: Refusal, instead: string): void {
    this.learn(name, fault, `requests go without it; ${instead}`)
  }

  /** Whether the store refuses tags, as `ask` tells: whatever has some must not be written without. Asked once, however many are refused at the same time. */
  lacksTags(ask: () => Promise<StorageError | undefined>): Promise<boolean> {
    this.askedForTags ??= ask().then((refusal) => {
      // It may have been too busy to say.
      if (refusal === undefined) this.askedForTags = undefined
      else this.learn(TAGGING, refusal, TAGS_FAIL)
      return refusal !== undefined
    })
    return this.askedForTags
  }

  private learn(name: string, { code, status }: Refusal, consequence: string): void {
    if (this.names.has(name)) return
    this.names.add(name)
    this.told(name, `does not support ${name} (${status ?? ''} ${printable(code)}): ${consequence}`)
  }

  /** What a person should know of the store beside: told once, by name. */
  told(name: string, what: string): void {
    this.tell({ kind: `not-supported ${name} ${this.host}`, message: `${this.host} ${what}` })
  }

  /** Whether such a request would be refused for its tags. */
  refusesTags(fields: Fields): boolean {
    return this.names.size > 0 && this.names.has(TAGGING) && hasTags(fields)
  }

  /** The fields of a request without those that the store has refused for such an operation. */
  without(operation: string, fields: Fields): Fields {
    if (this.names.size === 0) return fields
    const tagged = hasTags(fields)
    return fields.filter(([header, value]) => {
      const extra = EXTRAS.get(header)
      return (
        extra === undefined || !this.mayLeaveOut(header, tagged) || !this.names.has(nameOf(extra, operation, value))
      )
    })
  }

  /** The headers of a request that was refused which may be why, the first suspect first. */
  suspects({ operation }: Asked, fields: Fields, { message, code }: StorageError): Fields {
    const sent = new Map(fields)
    const suspects = [...EXTRAS].flatMap(([header, { operations }]): Fields => {
      const value = sent.get(header)
      if (value === undefined || !operations.has(operation) || !this.mayLeaveOut(header, sent.has(TAGGING))) return []
      return code === INVALID_CLASS && header !== CLASS ? [] : [[header, value]]
    })
    const text = message.toLowerCase()
    return suspects.sort(([one], [other]) => Number(text.includes(other)) - Number(text.includes(one)))
  }

  // Tags without their directive would be those of the source.
  private mayLeaveOut(header: string, tagged: boolean): boolean {
    return !this.insists.has(header) && !(header === DIRECTIVE && tagged)
  }

  /** What was sent without this header was not refused. */
  convict([header, value]: Fields[number], operation: string, fault: StorageError): void {
    const extra = EXTRAS.get(header)
    if (extra !== undefined) this.add(nameOf(extra, operation, value), fault, extra.instead)
  }
}

/** Whether a request gives tags to what it writes. */
export function hasTags(fields: Fields): boolean {
  return fields.some(([name]) => name === TAGGING)
}

// A store may have one storage class and not another; it gives that of a copy in every operation alike.
function nameOf({ name }: Extra, operation: string, value: string): string {
  if (name === CLASS) return `the storage class ${printable(value)}`
  return READS.has(operation) ? name : `${name} with ${operation}`
}

/** Whether a store may refuse so what it does not know. HEAD is refused without a word. */
export function mayBeUnsupported({ status, code }: StorageError): boolean {
  return status === 501 || status === 405 || (status === 400 && UNKNOWN.has(code)) || lacksClass({ code })
}

/** Whether a store, AWS too, says so that it does not have the storage class that a request asks for. */
export function lacksClass({ code }: Pick<StorageError, 'code'>): boolean {
  return code === INVALID_CLASS
}

const INVALID_CLASS = 'InvalidStorageClass'

const UNKNOWN: ReadonlySet<string> = new Set(['InvalidArgument', 'InvalidRequest', 'NotImplemented', 'BadRequest'])

/** Whether an answer tells that a request was understood which was refused before: it is another, and none that passes. */
export function isOtherAnswer(before: StorageError, status: number, code: string | undefined): boolean {
  if (status < 300) return true
  return status < 500 && status !== 408 && status !== 429 && !(status === before.status && code === before.code)
}

const TAGS_FAIL = 'objects that have tags fail; a new copy with --no-preserve tags copies them without'

/** What tells whether a store takes tags. */
export const PROBE_TAGS: Fields = [
  ['x-amz-tagging', 's3move=probe'],
  ['x-amz-tagging-directive', 'REPLACE'],
]

/** Whether a directory bucket refuses a copy for what its source has: it takes no tags, and says so of each object that has some. */
export function isTagRefusal(status: number, operation: string, fields: Fields): boolean {
  return status === 501 && operation === 'CopyObject' && !fields.some(([name]) => name === DIRECTIVE)
}

/** The error of an object with what a directory bucket does not keep. */
export function notKeptThere(asked: Asked): StorageError {
  const message =
    'it has tags or annotations, and a directory bucket keeps none: a new copy with --no-preserve tags,annotations copies it without'
  return new StorageError(message, { severity: 'fail-object', code: 'TagsNotSupported', status: 501, ...asked })
}

/** The error of an object with tags, which the store does not take. */
export function tagsNotSupported(asked: Asked): StorageError {
  const message =
    'it has tags, and the store that it is written to keeps none: a new copy with --no-preserve tags copies it without'
  return new StorageError(message, { severity: 'fail-object', code: 'TagsNotSupported', ...asked })
}
