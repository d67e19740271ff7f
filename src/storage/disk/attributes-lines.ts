import { asciiJson, type StoredAttributes } from './attributes.js'

/**
 * What a log of attributes says of a name, one line each time: its attributes; that none of before count any more, in whatever log (`none`); or that the
 * line before it about that name in the same log does not (`undone`).
 */
export type LineKind = 'attributes' | 'none' | 'undone'

/** A line with the attributes of the object at a name. ASCII. */
export function attributesLine(name: string, attributes: StoredAttributes): string {
  return `${asciiJson({ name, ...attributes })}\n`
}

/** A line that takes back what was said of a name. */
export function withdrawal(name: string, kind: 'none' | 'undone'): string {
  return `${asciiJson({ name, [kind]: true })}\n`
}

const LINE = /^\{"name":("(?:[^"\\]|\\.)*"),(?:"(none|undone)":true|.+)\}$/

/** What a line, without its end, speaks of; undefined when it was not written by the functions above, or not to its end. Attributes are not looked at. */
export function lineIn(text: string): { readonly name: string; readonly kind: LineKind } | undefined {
  const [, quoted, withdrawn] = LINE.exec(text) ?? []
  if (quoted === undefined) return undefined
  const kind = withdrawn === 'none' || withdrawn === 'undone' ? withdrawn : 'attributes'
  if (!quoted.includes('\\')) return { name: quoted.slice(1, -1), kind }
  try {
    return { name: JSON.parse(quoted) as string, kind }
  } catch {
    return undefined
  }
}
