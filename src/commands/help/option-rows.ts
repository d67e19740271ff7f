import type { Declarations, Option } from '../options/argv.js'
import { clauseOf, type HelpRow } from './layout.js'

/** An option as it is written: `-q, --quiet`, `--lanes N`. */
function termOf(name: string, { alias, placeholder }: Option): string {
  const short = alias === undefined ? '    ' : `-${alias}, `
  return `${short}--${name}${placeholder === undefined ? '' : ` ${placeholder}`}`
}

/** All that is said of an option. */
function optionText({ describe, otherwise }: Option): string {
  return otherwise === undefined ? describe : `${describe} [default: ${otherwise}]`
}

/** So much of it as has room in a line of `most` characters: the whole, or without its default, or what stands before its first `;`, `:` or `(`. */
function brief(option: Option, most: number): string {
  return [optionText(option), option.describe].find((text) => text.length <= most) ?? clauseOf(option.describe)
}

/** Those of the options with these names that are in the help. */
function optionRows(declared: Declarations, names: Iterable<string>): HelpRow[] {
  return [...names].flatMap((name) => {
    const option = declared.all.get(name)
    return option === undefined || option.hidden === true ? [] : [[termOf(name, option), optionText(option)] as const]
  })
}

/** The same, a line for each. */
export function briefRows(declared: Declarations, names: Iterable<string>, width: number): HelpRow[] {
  const shown = [...names].flatMap((name) => {
    const option = declared.all.get(name)
    return option === undefined || option.hidden === true ? [] : [[termOf(name, option), option] as const]
  })
  const column = Math.max(0, ...shown.map(([term]) => term.length)) + 4
  return shown.map(([term, option]) => [term, brief(option, width - column)])
}

/** The headings that come last, in this order; those of what a command does come before them as it declares them. */
const LAST = ['Output:', 'Run:', 'Speed and failures:', 'Connection', 'Connection of one side']

function rank(heading: string): number {
  return LAST.findLastIndex((last) => heading.startsWith(last))
}

/** The options of a command by their headings, in the order of the help; without the hidden ones. */
export function headedRows(declared: Declarations): (readonly [heading: string, rows: HelpRow[]])[] {
  return [...declared.headed('Options:')]
    .toSorted(([one], [other]) => rank(one) - rank(other))
    .map(([heading, names]) => [heading, optionRows(declared, names)] as const)
    .filter(([, rows]) => rows.length > 0)
}
