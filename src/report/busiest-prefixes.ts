import stringWidth from 'string-width'
import type { PrefixActivity } from '../job/events.js'
import { printable } from '../keys.js'
import { compactCount, compactRate, count, rate } from './format.js'
import type { Paint } from './paint.js'

/** What is told of the busiest prefixes in a line of a log; undefined when there are none. */
export function busiestLine(busiest: readonly PrefixActivity[]): string | undefined {
  if (busiest.length === 0) return undefined
  const each = busiest.map(({ prefix, perSecond, throttled, failed }) => {
    const troubles = [
      ...(throttled === 0 ? [] : [`${count(throttled)} throttled`]),
      ...(failed === 0 ? [] : [`${count(failed)} failed`]),
    ]
    return `${shown(prefix)} ${[rate(perSecond), ...troubles].join(', ')}`
  })
  return `busiest prefixes: ${each.join(' · ')}`
}

/** The same as a table of at most `width` columns, without a heading where a terminal is too narrow for one. */
export function busiestTable(busiest: readonly PrefixActivity[]): readonly ((width: number, paint: Paint) => string)[] {
  if (busiest.length === 0) return []
  const longest = Math.max(HEAD.length, ...busiest.map(({ prefix }) => stringWidth(shown(prefix))))
  const line = (name: string, cells: readonly string[], width: number): readonly [start: string, cells: string[]] => {
    const room = Math.max(0, Math.min(longest, width - INDENT.length - CELLS))
    return [INDENT + fitted(name, room), cells.map((cell, index) => `  ${cell.padStart(WIDTHS[index] ?? 0)}`)]
  }
  const heading = (width: number, paint: Paint): string => {
    const [start, cells] = line(HEAD, COLUMNS, width)
    return paint('dim', (start + cells.join('')).slice(0, width))
  }
  return [
    heading,
    ...busiest.map(({ prefix, perSecond, throttled, failed }) => (width: number, paint: Paint): string => {
      const told = [compactRate(perSecond), compactCount(throttled), compactCount(failed)]
      const [start, [rateCell = '', throttledCell = '', failedCell = '']] = line(shown(prefix), told, width)
      if (width < INDENT.length + CELLS) return (INDENT + told.join('  ')).slice(0, Math.max(0, width))
      return [
        start,
        rateCell,
        throttled === 0 ? throttledCell : paint('warning', throttledCell),
        failed === 0 ? failedCell : paint('bad', failedCell),
      ].join('')
    }),
  ]
}

const INDENT = '  '
const HEAD = 'busiest prefixes'
const COLUMNS = ['rate', 'throttled', 'failed'] as const
const WIDTHS = [8, 9, 6] as const
const CELLS = WIDTHS.reduce((sum, width) => sum + 2 + width, 0)

// One that does not end at a folder is the beginning of many names.
function shown(prefix: string): string {
  return prefix.endsWith('/') ? printable(prefix) : `${printable(prefix)}…`
}

// What prefixes have in common stands at their beginning, so that is what gives way.
function fitted(text: string, room: number): string {
  if (stringWidth(text) <= room) return text + ' '.repeat(room - stringWidth(text))
  const characters = Array.from(text)
  let start = 0
  let width = stringWidth(text)
  while (start < characters.length && width + 1 > room) width -= stringWidth(characters[start++] ?? '')
  const rest = characters.slice(start).join('')
  const cut = room === 0 ? '' : `…${rest}`
  return stringWidth(cut) > room ? ' '.repeat(room) : cut + ' '.repeat(room - stringWidth(cut))
}
