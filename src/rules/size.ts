/** The bytes of a size as people write it: `123`, or with K, M, G or T (KiB, MiB, GiB, TiB), all powers of 1,024; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})(?: ?([KMGT])(?:iB)?)?$/i.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' ')
}
