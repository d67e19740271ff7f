import { compareKeys, type KeyRange } from '../../keys.js'
import {
  countOf,
  endWith,
  outlined,
  wholePage,
  type ListedKeys,
  type OutlinedPage,
  type PageEnd,
} from './outlined-page.js'
import { commonUnits, PlaceHabits } from './place-habits.js'

/** Keys that share a prefix, of which more than a page are there; but for one, at most, that equals `until`. */
export interface KeyNode {
  readonly prefix: string
  readonly until: string | undefined
  readonly parent: KeyNode | undefined
  /** Keys of it that are counted, before those of `start`. */
  readonly before: number
  /** Its first keys of those that are not counted. */
  readonly start: PageEnd
  /** Once it was opened: how many keys are counted of those from `start` on, without what is below the children. */
  exact: number
  children: readonly KeyNode[]
  state: 'closed' | 'opening' | 'open'
  /** All below it is counted. */
  resolved: boolean
  /** How many keys there seem to be from `start` on; absent where it is to be reckoned anew. */
  estimate: number | undefined
  /** What draws below it have told of this number: how many, and their sum. */
  draws: number
  drawn: number
  /** Where in [0, 1) the latest draw went. */
  turn: number | undefined
}

/** Lists keys behind one; at most a page of them. An answer without keys has no more behind it. */
export type ListKeys = (after: string | undefined) => Promise<ListedKeys>

/** So many children of a node are told apart; the others are one more. */
const MOST_CHILDREN = 96

/** What is known of the keys of some ranges, as a tree of prefixes that grows where it is asked to. */
export class KeyTree {
  readonly root: KeyNode = noded({ prefix: '', until: undefined, parent: undefined, before: 0, start: NOTHING })
  /** Nodes that nobody has opened. */
  readonly closed = new Set<KeyNode>()
  /** Pages of which keys are counted, or that are the start of a node. */
  readonly pages: OutlinedPage[] = []
  readonly #opened: KeyNode[] = []
  readonly #opening = new Map<KeyNode, Promise<void>>()
  readonly #habits = new PlaceHabits()
  #reckonedAt = 0

  constructor(
    private readonly list: ListKeys,
    private readonly random: () => number,
  ) {}

  /** Looks at the first keys of ranges, which are in order and have nothing in common. To be called first. */
  async begin(ranges: readonly KeyRange[]): Promise<void> {
    const pages = await Promise.all(ranges.map(({ after, until }) => this.#listed(after, until)))
    const [children, used]: [KeyNode[], OutlinedPage[]] = [[], []]
    let exact = 0
    for (const [i, page] of pages.entries()) {
      used.push(page)
      if (isEnd(page)) exact += page.count
      else children.push(this.#child(this.root, { prefix: '', until: ranges[i]?.until, start: wholePage(page) }))
    }
    this.#grown(this.root, exact, children, used)
  }

  /** How many keys there seem to be in a node, from its start on. */
  estimateOf(node: KeyNode): number {
    return (node.estimate ??= this.#estimated(node))
  }

  /** Finds out the children of a node. */
  open(node: KeyNode): Promise<void> {
    if (node.state === 'open') return Promise.resolve()
    const known = this.#opening.get(node)
    if (known !== undefined) return known
    node.state = 'opening'
    const opening = this.#open(node).finally(() => {
      this.#opening.delete(node)
      if (node.state === 'opening') node.state = 'closed'
    })
    this.#opening.set(node, opening)
    return opening
  }

  /** Resolves once a node that is being opened is; at once where there is none. */
  async anyOpened(): Promise<void> {
    if (this.#opening.size > 0) await Promise.race(this.#opening.values())
  }

  async #open(node: KeyNode): Promise<void> {
    const { prefix, until } = node
    const children: KeyNode[] = []
    const used: OutlinedPage[] = []
    let { start } = node
    let exact = 0
    // A page that ends with the prefix itself, or with a key written meanwhile elsewhere, tells of no child.
    while (!isEnd(start.page) && !(start.page.last.length > prefix.length && start.page.last.startsWith(prefix))) {
      exact += countOf(start)
      start = wholePage(await this.#listed(start.page.last, until))
      used.push(start.page)
    }
    const parted = await this.#parting(prefix, until, start)
    let { place } = parted
    let { behindFirst } = parted
    let end = start
    // The last child so far that is not known to have a page: its prefix, and how many keys of it were seen.
    let begun: { readonly prefix: string; seen: number } | undefined
    for (;;) {
      const { page } = end
      if (page !== start.page) used.push(page)
      if (isEnd(page)) {
        exact += (begun?.seen ?? 0) + countOf(end)
        break
      }
      // Only keys written meanwhile lie elsewhere.
      place = Math.max(prefix.length, Math.min(place, commonUnits(page.last, start.page.last)))
      let before = 0
      if (begun !== undefined && end.first.startsWith(begun.prefix) && page.last.startsWith(begun.prefix)) {
        before = begun.seen
      } else {
        exact += begun?.seen ?? 0
        const part = endWith(end, place)
        exact += part.from - end.from
        begun = { prefix: prefixAt(page.last, place), seen: countOf(part) }
        if (part.from > end.from) {
          end = wholePage(await this.#listed(page.last, until))
          continue
        }
      }
      const mark = behindAll(begun.prefix)
      const isLast = mark === undefined || (until !== undefined && compareKeys(mark, until) >= 0)
      children.push(this.#child(node, { prefix: begun.prefix, until: isLast ? until : mark, start: end, before }))
      begun = undefined
      if (isLast) break
      const next: OutlinedPage = behindFirst ?? (await this.#listed(mark, until))
      behindFirst = undefined
      end = wholePage(next)
      if (children.length >= MOST_CHILDREN && !isEnd(next)) {
        used.push(next)
        children.push(this.#child(node, { prefix, until, start: end }))
        break
      }
    }
    this.#habits.branched(start.page.last, prefix.length, place, children.length + exact / PAGE)
    this.#grown(node, exact, children, used)
  }

  // The first place at which keys of a node part, and, where it was asked for, the page behind the first child there.
  async #parting(
    prefix: string,
    until: string | undefined,
    start: PageEnd,
  ): Promise<{ readonly place: number; behindFirst: OutlinedPage | undefined }> {
    const { last } = start.page
    let high = Math.max(prefix.length, wholeCharacter(last, Math.min(commonUnits(start.first, last), last.length - 1)))
    if (isEnd(start.page)) return { place: high, behindFirst: undefined }
    let low = prefix.length
    let behindFirst: OutlinedPage | undefined
    // Most part right behind the prefix; else the place is found by halving.
    for (let middle = low; low < high; middle = wholeCharacter(last, Math.floor((low + high) / 2))) {
      const mark = behindAll(prefixAt(last, middle))
      const isInside = mark !== undefined && (until === undefined || compareKeys(mark, until) < 0)
      const page = isInside ? await this.#listed(mark, until) : undefined
      if (page !== undefined && page.count > 0) [high, behindFirst] = [middle, page]
      else low = prefixAt(last, middle).length
    }
    return { place: high, behindFirst }
  }

  async #listed(after: string | undefined, until: string | undefined): Promise<OutlinedPage> {
    const listed = await this.list(after)
    const page = outlined(listed, after, until, this.random())
    let before = ''
    for (let i = 0; i < page.count; i += LEARNED) {
      const key = listed.keys[i] ?? ''
      this.#habits.learn(key, commonUnits(before, key))
      before = key
    }
    this.#habits.learn(page.last, 0)
    return page
  }

  #child(parent: KeyNode, child: Pick<KeyNode, 'prefix' | 'until' | 'start'> & { readonly before?: number }): KeyNode {
    return noded({ before: 0, parent, ...child })
  }

  #grown(node: KeyNode, exact: number, children: readonly KeyNode[], used: readonly OutlinedPage[]): void {
    Object.assign(node, { exact, children, state: 'open' })
    this.closed.delete(node)
    for (const child of children) this.closed.add(child)
    this.pages.push(...used)
    this.#opened.push(node)
    if (this.#opened.length > this.#reckonedAt * REFINED + 2) this.#reckonAnew()
    for (let up: KeyNode | undefined = node; up !== undefined; up = up.parent) this.#sumUp(up)
  }

  // What was learned since tells more of nodes that were met before.
  #reckonAnew(): void {
    this.#reckonedAt = this.#opened.length
    for (const node of this.closed) node.estimate = undefined
    for (const node of this.#opened.toReversed()) this.#sumUp(node)
  }

  #sumUp(node: KeyNode): void {
    node.estimate = node.exact
    node.resolved = true
    for (const child of node.children) {
      node.estimate += child.before + this.estimateOf(child)
      node.resolved &&= child.resolved
    }
  }

  #estimated({ prefix, start }: KeyNode): number {
    const seen = countOf(start)
    const times = this.#habits.times(start.first, start.page.last, prefix.length)
    return Math.max(seen + 1, Math.min(MOST_KEYS, seen * times))
  }
}

const PAGE = 1_000
/** Of every so many keys of a page one is learned from. */
const LEARNED = 25
const MOST_KEYS = 1e12
/** Estimates are reckoned anew once there are so many times as many nodes. */
const REFINED = 1.1

const NOTHING: PageEnd = wholePage({ after: undefined, count: 0, ended: true, last: '', steps: [], milestones: [] })

function isEnd({ ended, count }: OutlinedPage): boolean {
  return ended || count === 0
}

function noded(of: Pick<KeyNode, 'prefix' | 'until' | 'parent' | 'before' | 'start'>): KeyNode {
  return {
    ...of,
    ...{ exact: 0, children: [], state: 'closed', resolved: false, estimate: undefined },
    ...{ draws: 0, drawn: 0, turn: undefined },
  }
}

// The place, or the one before where it is amidst a character.
function wholeCharacter(key: string, place: number): number {
  const unit = key.charCodeAt(place)
  return place > 0 && unit >= 0xdc00 && unit < 0xe000 ? place - 1 : place
}

function prefixAt(key: string, place: number): string {
  return key.slice(0, place) + String.fromCodePoint(key.codePointAt(place) ?? 0)
}

/** The least text behind all that begins with a prefix and is longer; undefined where there is none. */
function behindAll(prefix: string): string | undefined {
  const characters = Array.from(prefix)
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const point = last.codePointAt(0) ?? 0
    if (point === 0x10ffff) continue
    return characters.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1)
  }
  return undefined
}
