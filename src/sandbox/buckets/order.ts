/** Ranks a UTF-16 code unit where its code point's UTF-8 bytes would stand: surrogates above U+E000..U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** Compares two keys by their UTF-8 bytes, the order in which S3 lists: negative, zero or positive. */
export function compareByUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** The first of `from..count` for which `holds` is true (`count` when none); `holds` must never turn false again. */
export function firstWhere(count: number, holds: (index: number) => boolean, from = 0): number {
  let low = from
  let high = count
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
