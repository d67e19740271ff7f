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
  /** Keys spread over the page, in order; the last one before the folder of its last key is among them. */
  readonly samples: readonly string[]
}

const SAMPLES = 12

/** Sums up a page. */
export function factsOf(
  objects: readonly Keyed[],
  { truncated, inDoubt = false }: { readonly truncated: boolean; readonly inDoubt?: boolean },
): PageFacts {
  const first = objects[0]?.key
  const last = objects.at(-1)?.key
  const folder = parentFolder(last ?? '')
  let [edge, known] = [-1, objects.length - 1]
  while (known - edge > 1) {
    const middle = (edge + known) >> 1
    if (objects[middle]?.key.startsWith(folder) === true) known = middle
    else edge = middle
  }
  const samples: string[] = []
  let before = -1
  for (let i = 0; i < SAMPLES && i < objects.length; i++) {
    const at = Math.floor((i * (objects.length - 1)) / (SAMPLES - 1))
    for (const index of before < edge && edge < at ? [edge, at] : [at]) {
      const sample = objects[index]
      if (sample !== undefined) samples.push(sample.key)
    }
    before = at
  }
  return { count: objects.length, truncated, inDoubt, first, last, samples }
}

/** The key up to and including its last slash. */
function parentFolder(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1)
}
