import type { Throttle } from '../../job/events.js'
import { compareKeys, printable, type KeyRange } from '../../keys.js'
import { escaped } from './html.js'

/** What a piece of the key space is at. */
type PieceState = 'done' | 'now' | 'held' | 'left'

/** The keys behind `after`, up to the next piece. */
export interface Piece {
  readonly after: string
  readonly state: PieceState
}

/** Places at which the key space is divided, at most; beyond, every second one is forgotten. */
const LANDMARKS = 240

/**
 * The key space of a run in order, in pieces. They are divided where ranges ended at any look, and where those of the first look began: between these it was done
 * before anybody looked. Where a range has come to divides nothing, else what is done would seem the larger the longer one looks.
 */
export class KeyspaceMap {
  private landmarks: readonly string[] | undefined
  // Of each range, by its end.
  private before: ReadonlyMap<string | undefined, string> = new Map()

  /** The pieces by what remains now, which is in order. A range is being done where it has come on since the look before, and held if it is so below the held prefix. */
  look(ranges: readonly KeyRange[], held: Pick<Throttle, 'prefix'> | undefined): readonly Piece[] {
    const begun = this.landmarks ?? ranges.map(({ after = '' }) => after)
    const ends = ranges.flatMap(({ until }) => (until === undefined ? [] : [until]))
    const places = new Set([...begun, ...ends])
    places.delete('')
    const landmarks = thinned([...places].sort(compareKeys))
    const moved = new Set(ranges.filter((range) => this.hasMoved(range)))
    this.landmarks = landmarks
    this.before = new Map(ranges.map(({ after = '', until }) => [until, after]))
    let at = 0
    return ['', ...landmarks].map((after, index): Piece => {
      const until = landmarks[index]
      while (at < ranges.length && endsBy(ranges[at], after)) at++
      const range = ranges[at]
      if (range === undefined || (until !== undefined && compareKeys(range.after ?? '', until) >= 0))
        return { after, state: 'done' }
      if (!moved.has(range)) return { after, state: 'left' }
      return { after, state: held !== undefined && (range.after ?? '').startsWith(held.prefix) ? 'held' : 'now' }
    })
  }

  private hasMoved({ after = '', until }: KeyRange): boolean {
    const was = this.before.get(until)
    return was !== undefined && was !== after
  }
}

function endsBy(range: KeyRange | undefined, after: string): boolean {
  return range?.until !== undefined && compareKeys(range.until, after) <= 0
}

function thinned(landmarks: readonly string[]): readonly string[] {
  let kept = landmarks
  while (kept.length > LANDMARKS) kept = kept.filter((_, index) => index % 2 === 0)
  return kept
}

/** Keys that are named below the strip, and how many characters of each. */
const NAMED = 4
const LONGEST_NAME = 28

/** The pieces as a strip, with what its colours mean and some of its keys; empty where there is nothing to tell apart. */
export function keyspaceStrip(pieces: readonly Piece[]): string {
  if (pieces.length < 2) return ''
  const runs: { state: PieceState; length: number; at: number }[] = []
  pieces.forEach(({ state }, at) => {
    const last = runs.at(-1)
    if (last?.state === state) last.length++
    else runs.push({ state, length: 1, at })
  })
  const number = (wanted: PieceState): number => pieces.filter(({ state }) => state === wanted).length
  const told = WORDS.filter(([state]) => number(state) > 0)
  const inWords = told.map(([state, word]) => `${number(state)} ${word}`).join(', ')
  const rects = runs.map(({ state, length, at }) => `<rect class="${state}" x="${at}" width="${length}" height="10"/>`)
  const legend = told.map(([state, word]) => `<span><i class="${state}"></i>${number(state)} ${word}</span>`)
  return [
    `<svg class="map" role="img" aria-label="${pieces.length} pieces of the key space in order: ${inWords}" viewBox="0 0 ${pieces.length} 10" preserveAspectRatio="none">${rects.join('')}</svg>`,
    `<div class="axis keys">${namesOf(pieces).join('')}</div>`,
    `<p class="legend">${legend.join(' ')}</p>`,
    '<p class="dim">From the first key to the last, in pieces as ranges were cut; some hold more objects than others.</p>',
  ].join('')
}

// Of pieces at about the same distances, where they begin.
function namesOf(pieces: readonly Piece[]): string[] {
  const shown = Math.min(NAMED, pieces.length)
  return Array.from({ length: shown }, (_, index) => {
    const { after = '' } = pieces[Math.floor((index * pieces.length) / shown)] ?? {}
    const name = printable(after)
    const cut = Array.from(name).slice(0, LONGEST_NAME).join('')
    return `<span>${escaped(index === 0 ? 'first' : cut === name ? name : `${cut}…`)}</span>`
  })
}

const WORDS: readonly (readonly [PieceState, string])[] = [
  ['done', 'done'],
  ['now', 'being done'],
  ['held', 'held back by the store'],
  ['left', 'left'],
]
