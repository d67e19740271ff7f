import { compareKeys, type KeyRange } from '../../keys.js'
import { KeyTree, type KeyNode, type ListKeys } from './key-tree.js'
import { countOf, type OutlinedPage } from './outlined-page.js'
import { spreadOf } from './spread.js'

/** How keys are to be estimated. */
export interface EstimateOptions {
  readonly list: ListKeys
  /** In order, and with nothing in common. */
  readonly ranges: readonly KeyRange[]
  /** At most so many pages are listed, and so many at once. */
  readonly requests: number
  readonly atOnce: number
  /** So many windows are drawn. */
  readonly windows: number
  /** In [0, 1). */
  readonly random: () => number
}

/** A few keys that follow one another, and stand for others. */
interface KeyWindow {
  readonly range: KeyRange
  readonly keys: number
  /** For how many they stand, themselves among them. */
  readonly standsFor: number
}

/** How many keys there are. */
export interface KeyEstimate {
  /** All were counted: `objects`, `low` and `high` are the same. */
  readonly exact: boolean
  readonly objects: number
  /** Where the number is, most likely. */
  readonly low: number
  readonly high: number
  /** So many were seen. */
  readonly seen: number
  /** Pages that were listed. */
  readonly requests: number
  /** In order; together they stand for all keys. */
  readonly windows: readonly KeyWindow[]
}

/** Of the pages this share is for opening the largest nodes; the rest is for draws. */
const OPENING = 0.5
/** Of the probability of a draw this share is the same for all children. */
const EVENLY = 0.2
/** Fewer draws say nothing of their spread. */
const LEAST_DRAWS = 8
/** What a draw is taken to need of pages, as long as few tell it. */
const PAGES_OF_DRAW = 40
const GOLDEN = (Math.sqrt(5) - 1) / 2

/**
 * Estimates how many keys there are (docs/plan.md tells how, and with which error). Undefined where the pages did not suffice for as many draws as an
 * interval needs. Rejects as `list` does.
 */
export async function estimateKeys(options: EstimateOptions): Promise<KeyEstimate | undefined> {
  const { ranges, requests: most, atOnce, random } = options
  let requests = 0
  let failure: Error | undefined
  const list: ListKeys = async (after) => {
    if (failure !== undefined) throw failure
    if (requests >= most) throw new Spent()
    requests++
    try {
      return await options.list(after)
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }
  const tree = new KeyTree(list, random)
  const { root } = tree
  await tree.begin(ranges)
  await together(atOnce, () => refine(tree, () => requests < most * OPENING))
  const guesses: number[] = []
  const opened = requests
  let drawing = 0
  const affordable = (): boolean => {
    const ended = guesses.length
    const each = ended < LEAST_DRAWS ? PAGES_OF_DRAW : (requests - opened) / (ended + drawing / 2)
    return requests + (drawing + 1) * each < most
  }
  await together(atOnce, async () => {
    while (!root.resolved && affordable()) {
      drawing++
      try {
        guesses.push(await draw(tree, root, random))
      } finally {
        drawing--
      }
    }
  })
  const seen = countedBelow(root) + [...tree.closed].reduce((sum, { start }) => sum + countOf(start), 0)
  if (root.resolved) {
    const windows = drawWindows(tree, seen, options)
    return { exact: true, objects: seen, low: seen, high: seen, seen, requests, windows }
  }
  if (guesses.length < LEAST_DRAWS) return undefined
  const { mean, low, high } = spreadOf(guesses)
  const objects = Math.max(seen, mean)
  return {
    ...{ exact: false, objects, low: Math.max(seen, low), high: Math.max(objects, high), seen, requests },
    windows: drawWindows(tree, objects, options),
  }
}

class Spent extends Error {}

// Whoever finds that no more pages may be listed ends.
async function together(atOnce: number, work: () => Promise<void>): Promise<void> {
  const worker = async (): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Spent)) throw error
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

async function refine(tree: KeyTree, goesOn: () => boolean): Promise<void> {
  while (goesOn() && !tree.root.resolved) {
    let largest: KeyNode | undefined
    for (const node of tree.closed) {
      if (node.state !== 'closed') continue
      if (largest === undefined || tree.estimateOf(node) > tree.estimateOf(largest)) largest = node
    }
    await (largest === undefined ? tree.anyOpened() : tree.open(largest))
  }
}

// Goes down to where all is counted, by children that are chosen at random. What it answers is the number of keys on average, whatever the probabilities are.
async function draw(tree: KeyTree, node: KeyNode, random: () => number): Promise<number> {
  await tree.open(node)
  if (node.resolved) return tree.estimateOf(node)
  const open = node.children.filter(({ resolved }) => !resolved)
  const all = open.reduce((sum, child) => sum + tree.estimateOf(child), 0)
  let counted = node.exact
  for (const child of node.children) counted += child.before + (child.resolved ? tree.estimateOf(child) : 0)
  // Each turn is even for itself, and all together are more so than chance would have it.
  node.turn = node.turn === undefined ? random() : (node.turn + GOLDEN) % 1
  let rest = node.turn
  let chosen: KeyNode | undefined
  let chance = 1
  for (const child of open) {
    chosen = child
    chance = ((1 - EVENLY) * tree.estimateOf(child)) / all + EVENLY / open.length
    rest -= chance
    if (rest < 0) break
  }
  if (chosen === undefined) return counted
  const below = await draw(tree, chosen, random)
  chosen.draws++
  chosen.drawn += below
  return counted + below / chance
}

function countedBelow(node: KeyNode): number {
  return node.children.reduce((sum, child) => sum + child.before + countedBelow(child), node.exact)
}

// Windows of which each stands for as many keys, spread over all in order.
function drawWindows(tree: KeyTree, objects: number, { windows, random }: EstimateOptions): KeyWindow[] {
  const shares = new Map<OutlinedPage, { readonly from: number; readonly keys: number }>()
  share(tree, tree.root, objects, (node, keys) => shares.set(node.start.page, { from: node.start.from, keys }))
  const parts = tree.pages
    .toSorted(byBeginning)
    .flatMap((page) => {
      const { from = page.count, keys = 0 } = shares.get(page) ?? {}
      return [
        { page, from: 0, to: from, keys: from },
        { page, from, to: page.count, keys },
      ]
    })
    .filter(({ keys, from, to }) => keys > 0 && to > from)
  const all = parts.reduce((sum, { keys }) => sum + keys, 0)
  const step = all / windows
  const drawn: KeyWindow[] = []
  let next = random() * step
  let passed = 0
  let hits = 0
  for (const part of parts) {
    let times = 0
    for (; next < passed + part.keys && hits < windows; next += step, hits++) times++
    passed += part.keys
    if (times > 0) drawn.push(...windowsIn(part, times, (times * objects) / windows, random))
  }
  return drawn
}

// Some windows of a part of a page, as many as there are up to `most`, which stand for so many keys together.
function windowsIn(
  { page, from, to }: { readonly page: OutlinedPage; readonly from: number; readonly to: number },
  most: number,
  keys: number,
  random: () => number,
): KeyWindow[] {
  const begin = page.steps.find(({ index }) => index === from)?.after ?? page.after
  const ends = page.milestones.filter(({ index }) => index >= from && index < to - 1)
  const last = to === page.count ? page.last : page.steps.find(({ index }) => index === to)?.after
  const all = last === undefined ? ends : [...ends, { index: to - 1, key: last }]
  const count = Math.min(most, all.length)
  const first = random()
  return Array.from({ length: count }, (_, i) => Math.floor(((i + first) * all.length) / count)).flatMap((at) => {
    const end = all[at]
    if (end === undefined) return []
    const before = at === 0 ? { index: from - 1, key: begin } : all[at - 1]
    const range = { ...(before?.key === undefined ? {} : { after: before.key }), until: end.key }
    return [{ range, keys: end.index - (before?.index ?? from - 1), standsFor: keys / count }]
  })
}

function byBeginning({ after: a }: OutlinedPage, { after: b }: OutlinedPage): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  return compareKeys(a, b)
}

// Shares the keys of a node among the closed nodes below it, by what draws and estimates tell of these.
function share(tree: KeyTree, node: KeyNode, keys: number, tell: (closed: KeyNode, keys: number) => void): void {
  if (node.state !== 'open') {
    tell(node, keys)
    return
  }
  const open = node.children.filter(({ resolved }) => !resolved)
  if (open.length === 0) return
  const likely = open.map((child) => (tree.estimateOf(child) + child.drawn) / (child.draws + 1))
  const all = likely.reduce((sum, one) => sum + one, 0)
  let rest = keys - node.exact
  for (const child of node.children) rest -= child.before + (child.resolved ? tree.estimateOf(child) : 0)
  for (const [i, child] of open.entries()) {
    // It has what was seen of it, at least.
    const least = child.state === 'open' ? countedBelow(child) : countOf(child.start)
    share(tree, child, Math.max(least, (Math.max(0, rest) * (likely[i] ?? 0)) / all), tell)
  }
}
