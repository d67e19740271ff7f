import { UserError } from '../errors.js'
import { checkCount, list, Mismatch, oneOf, positive, shape, text } from '../job/schema.js'
import { printable } from '../keys.js'
import { parseCheckpoint, type Checkpoint } from './checkpoint.js'
import { jsonText, parseJson } from './json.js'
import { checkHolder, type Holder } from './lock-holder.js'

/** The key of the one object that says all of a run in a bucket. */
export const RECORD = 'run.json'

/** How the keys begin of the objects that hold what its files hold. */
export const PIECES = 'pieces/'

const FORMAT = 's3move-bucket/1'

/** A part of a file: an object that is written once, under a name that no other has. */
export interface FilePiece {
  readonly key: string
  readonly bytes: number
}

/** A file of a run's folder: its pieces, in order. */
export interface KeptFile {
  readonly name: string
  readonly pieces: readonly FilePiece[]
}

/** A run in a bucket: who holds it, what was saved last, and the pieces that this counts on. Replaced as a whole. */
export interface BucketRecord {
  readonly format: typeof FORMAT
  /** Who wrote it last: unique to a taking of the lock. */
  readonly session: string
  /** How often that has written it: tells one writing from all others, so that one whose answer was lost can be looked up. */
  readonly sequence: number
  /** Absent while nobody holds the run. */
  readonly holder?: Holder
  readonly files: readonly KeptFile[]
  /** What was saved last, as in `checkpoint.json`; absent before the first time. */
  readonly checkpoint?: unknown
}

/** One of a run that has just begun. */
export const NO_RECORD: Omit<BucketRecord, 'session' | 'sequence'> = { format: FORMAT, files: [] }

// What it names becomes a file of this machine.
function fileName(value: unknown, at: string): string {
  const name = text(value, at)
  if (!/^[a-z][\w.-]{0,99}$/.test(name)) throw new Mismatch(`${at} is not the name of a file of a run`)
  return name
}

function pieceKey(value: unknown, at: string): string {
  const key = text(value, at)
  if (!key.startsWith(PIECES)) throw new Mismatch(`${at} is not the key of a piece`)
  return key
}

const document = shape<BucketRecord>(
  {
    ...{ format: oneOf(FORMAT), session: text, sequence: checkCount },
    files: list(
      shape<KeptFile>({ name: fileName, pieces: list(shape<FilePiece>({ key: pieceKey, bytes: positive }, {})) }, {}),
    ),
  },
  // It is proven when it is read as one.
  { holder: checkHolder, checkpoint: (value) => value },
)

/** Reads one. A `UserError` for what is none; `url` is that of the run, as people write it. */
export function parseRecord(bytes: Uint8Array, url: string): BucketRecord {
  try {
    return document(parseJson(bytes), '')
  } catch (error) {
    if (!(error instanceof Mismatch || error instanceof SyntaxError || error instanceof TypeError)) throw error
    throw new UserError(
      `${url}${RECORD} is damaged, or was written by another version of s3move: ${printable(error.message)}`,
      'Give the prefix that was given to --checkpoint, and resume with the s3move that wrote it, or a newer one.',
    )
  }
}

/** The text of one, which `parseRecord` reads back as the same. */
export function recordText(record: BucketRecord): string {
  return `${jsonText(record, 1)}\n`
}

/** The text of its checkpoint, as in `checkpoint.json`; undefined where nothing was saved yet. */
export function checkpointText({ checkpoint }: BucketRecord): string | undefined {
  return checkpoint === undefined ? undefined : `${jsonText(checkpoint, 2)}\n`
}

/** What was saved last. A `UserError` where it is damaged. */
export function checkpointIn(record: BucketRecord, url: string): Checkpoint | undefined {
  const source = checkpointText(record)
  return source === undefined ? undefined : parseCheckpoint(source, `${url}${RECORD}`)
}
