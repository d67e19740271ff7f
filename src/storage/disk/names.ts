import type { FolderIdentity } from '../../job/place.js'

/** How keys are names below the folder. */
export type Names = FolderIdentity['names']

/** The folder at the root that is ours; nothing in it is a key. */
export const OURS = '.s3move'

/** The file that tells a folder of ours from others, and how names are made in it. */
export const MARKER = `${OURS}/format.json`

// A `%` of a key is always `%25`, so one without two hexadecimal digits behind it is never part of a key.
/** The name of an empty segment, as in `a//b` or `a/`. */
const EMPTY = '%_'
/** Ends the name of an object that had to make room for a folder. */
export const ASIDE = '%object'
/** Joins a segment that is too long for one name: ends that of a folder, and begins the one in it. */
const JOINT = '%+'

/** Bytes of a name that leave room for what is put around it; file systems bear 255. */
const LONGEST = 236

const UNSAFE = {
  exact: /[%\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
  folded: /[^a-z0-9 !#$&'()+,\-.;=@[\]^_`{}~]/gu,
}
/** Names that mean something else to Windows, whatever their extension. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/

/** Whether a key can be told by a name at all: half a character has no bytes of its own. */
export function isStorable(key: string, names: Names): boolean {
  return names === 'literal' ? isLiteral(key) : !/\p{Cs}/u.test(key)
}

// What no listing of a folder shows is no key of it, and may lead out of it.
function isLiteral(key: string): boolean {
  if (/\0|\p{Cs}/u.test(key) || (process.platform === 'win32' && /[\\:]/.test(key))) return false
  const segments = key.split('/')
  return segments[0] !== OURS && segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/**
 * The path of an object below the root, its parts separated by `/`. Storable keys never have the same, not even for a file system that folds case if the
 * names are `folded`, and none leads out of the root or to what is ours. One may be that of a folder on the path of another.
 */
export function pathOf(key: string, names: Names): string {
  if (names === 'literal') return key
  const segments = key.split('/')
  return segments.map((segment, index) => encodeSegment(segment, names, index === 0)).join('/')
}

/** The path of the folder of the keys that begin with `prefix`, which is empty or ends in `/`. */
export function folderOf(prefix: string, names: Names): string {
  return prefix === '' ? '' : pathOf(prefix.slice(0, -1), names)
}

/** The path of the folder in which a path is; '' is the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/**
 * What a name in a folder stands for: a segment of a key, `'part'` for a folder whose names go on with a segment, undefined when no key has it.
 * `path` is relative to the folder of the segment, so it has `/` within a part; `first` says whether it begins a key.
 */
export function segmentOf(
  path: string,
  names: Names,
  first: boolean,
): { readonly segment: string } | 'part' | undefined {
  if (names === 'literal') return { segment: path }
  if (path === EMPTY) return { segment: '' }
  if (path.endsWith(JOINT)) return 'part'
  const segment = decoded(path.replaceAll(`${JOINT}/${JOINT}`, ''))
  // Every key has one name. Another one that reads the same would be a second object of that key.
  return segment === undefined || encodeSegment(segment, names, first) !== path ? undefined : { segment }
}

function encodeSegment(segment: string, names: 'exact' | 'folded', first: boolean): string {
  if (segment === '') return EMPTY
  let encoded = segment.replace(UNSAFE[names], encodeBytes)
  if (names === 'folded') encoded = encoded.replace(/[ .]$/, encodeBytes)
  const special = segment === '.' || segment === '..' || (first && segment === OURS)
  if ((special && encoded.startsWith('.')) || (names === 'folded' && DEVICE.test(encoded))) {
    encoded = encodeBytes(encoded.charAt(0)) + encoded.slice(1)
  }
  return encoded.length * 3 > LONGEST && Buffer.byteLength(encoded) > LONGEST ? inPieces(encoded) : encoded
}

function encodeBytes(text: string): string {
  let encoded = ''
  for (const byte of Buffer.from(text)) encoded += `%${byte.toString(16).padStart(2, '0')}`
  return encoded
}

function decoded(encoded: string): string | undefined {
  if (!encoded.includes('%')) return encoded
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

// As much as fits goes into each name, so that a segment is cut in one way only, and never within an encoded byte or a character.
function inPieces(encoded: string): string {
  const pieces: string[] = []
  let [piece, bytes] = ['', 0]
  for (const [unit] of encoded.matchAll(/%[0-9a-f]{2}|./gsu)) {
    const more = Buffer.byteLength(unit)
    if (bytes + more > LONGEST) {
      pieces.push(piece)
      piece = ''
      bytes = 0
    }
    piece += unit
    bytes += more
  }
  return [...pieces, piece].join(`${JOINT}/${JOINT}`)
}
