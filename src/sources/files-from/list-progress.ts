import type { ListState } from '../../checkpoint/checkpoint.js'
import { PAGE } from '../ordered-source.js'
import type { ListPosition } from './data-rows.js'

/** Entries of a list by their numbers, from 0: those from `from` on and before `to`. */
export type Entries = NonNullable<ListState['ahead']>[number]

/** The state of a list of which all before `number` is settled, which stands at `place` if the list has places, and what is settled `ahead` of it. */
export function settledTo(
  { next: _next, ahead: _ahead, ...begun }: ListState,
  { number, place }: { readonly number: number; readonly place: ListPosition | undefined },
  ahead: readonly Entries[] = [],
): ListState {
  const beyond = ahead.filter(({ to }) => to > number)
  return {
    ...begun,
    entries: number,
    ...(place === undefined ? {} : { next: { file: place.file, row: place.row } }),
    ...(beyond.length === 0 ? {} : { ahead: beyond }),
  }
}

/** How many entries are settled. */
export function entriesSettled({ entries, ahead = [] }: ListState): number {
  return ahead.reduce((sum, { from, to }) => sum + to - Math.max(from, entries), entries)
}

/** How many claims of `ListRanges` what remains of a list is at most; without bound where its entries were not counted. */
export function claimsAtMost(list: ListState): number {
  return Math.ceil(((list.of ?? Infinity) - entriesSettled(list)) / PAGE) + (list.ahead?.length ?? 0)
}

/** All entries of some intervals, which may be empty: in order, those that touch as one. */
export function joined(intervals: readonly Entries[]): Entries[] {
  const all: Entries[] = []
  for (const { from, to } of [...intervals].sort((one, other) => one.from - other.from)) {
    if (from === to) continue
    const last = all.at(-1)
    if (last !== undefined && from <= last.to) all[all.length - 1] = { from: last.from, to: Math.max(last.to, to) }
    else all.push({ from, to })
  }
  return all
}
