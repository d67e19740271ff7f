/**
 * Lines up cells in columns: the first to the left, the others to the right.
 * @param {readonly (readonly string[])[]} rows The first is the heading.
 */
export function table(rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const line = (/** @type {readonly string[]} */ row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('   ')
  const [heading = [], ...rest] = rows
  return [line(heading), widths.map((width) => '─'.repeat(width)).join('   '), ...rest.map(line)].join('\n')
}

/**
 * A number with its thousands marked, or a dash for one that could not be measured.
 * @param {number | undefined} n
 * @param {number} [digits] Behind the point.
 */
export function number(n, digits = 0) {
  if (n === undefined || Number.isNaN(n)) return '-'
  return n.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/**
 * How many times `base` a figure is.
 * @param {number | undefined} n
 * @param {number | undefined} base
 */
export function ratio(n, base) {
  return n === undefined || base === undefined || base === 0 ? '-' : `${(n / base).toFixed(2)} x`
}

/**
 * Bytes in MiB.
 * @param {number | undefined} bytes
 */
export function mebibytes(bytes) {
  return bytes === undefined ? '-' : number(bytes / 2 ** 20)
}

/** @param {readonly number[]} all */
export function mean(all) {
  return all.reduce((sum, one) => sum + one, 0) / all.length
}
