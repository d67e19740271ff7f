/** Whatever has a key. */
export interface Keyed {
  readonly key: string
}

/** What the keeper of the ranges must know of a page: a few keys stand for all. Plain data, to be sent between threads. */
export interface PageFacts {
  readonly count: number
  /** Whether the store has keys behind these (it says so; the count is no sign). */
  readonly truncated: boolean
  /** It says that it has none, and is asked once more. */
  readonly inDoubt: boolean
  readonly first: string | undefined
  readonly last: string | undefined
  /** Keys spread evenly over the page. */
  readonly samples: readonly string[]
  /** How many keys at its end lie in the folder of its last key. */
  readonly inFolder: number
  /** How many keys at its beginning lie in the folder of the key before the page. */
  readonly inFolderBefore: number
}

const SAMPLES = 12

/** Sums up a page; `before` is the last key of the page before it, if there was one. */
export function factsOf(
  objects: readonly Keyed[],
  { truncated, inDoubt = false }: { readonly truncated: boolean; readonly inDoubt?: boolean },
  before: string | undefined,
): PageFacts {
  const first = objects[0]?.key
  const last = objects.at(-1)?.key
  const samples: string[] = []
  for (let i = 0; i < SAMPLES && i < objects.length; i++) {
    const sample = objects[Math.floor((i * (objects.length - 1)) / (SAMPLES - 1))]
    if (sample !== undefined) samples.push(sample.key)
  }
  const folder = parentFolder(last ?? '')
  const folderBefore = parentFolder(before ?? '')
  let inFolder = 0
  while (inFolder < objects.length && objects[objects.length - 1 - inFolder]?.key.startsWith(folder) === true)
    inFolder++
  let inFolderBefore = 0
  while (inFolderBefore < objects.length && objects[inFolderBefore]?.key.startsWith(folderBefore) === true)
    inFolderBefore++
  return { count: objects.length, truncated, inDoubt, first, last, samples, inFolder, inFolderBefore }
}

/** The key up to and including its last slash. */
export function parentFolder(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1)
}
