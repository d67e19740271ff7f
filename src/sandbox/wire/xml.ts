import { malformedXml } from './s3-error.js'

export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
export const xmlNamespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

const special = /[&<>"\u0000-\u001f\u007f\ufffe\uffff]/
const everySpecial = /[&<>"\u0000-\u001f\u007f\ufffe\uffff]/g
const named: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Escapes text as S3 does: control characters become `&#xN;` even where XML 1.0 forbids them. */
export function escapeXml(text: string): string {
  if (!special.test(text)) return text
  return text.replace(everySpecial, (c) => named[c] ?? `&#x${c.charCodeAt(0).toString(16).toUpperCase()};`)
}

/** `<name>escaped value</name>`. */
export function element(name: string, value: string | number): string {
  return `<${name}>${typeof value === 'number' ? String(value) : escapeXml(value)}</${name}>`
}

/** An element of a request body: its local name, its own text, the elements in it. */
export interface XmlElement {
  readonly name: string
  text: string
  readonly children: XmlElement[]
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  // Line ends are normalised before references are resolved: a carriage return survives only as a reference.
  return text.replace(/\r\n?/g, '\n').replace(/&([^;]*);?/g, (whole, name: string) => {
    if (!whole.endsWith(';')) throw malformedXml()
    const known = entities[name]
    if (known !== undefined) return known
    const digits = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name)
    const code = digits?.[1] === undefined ? Number(digits?.[2] ?? NaN) : parseInt(digits[1], 16)
    if (!(code <= 0x10ffff)) throw malformedXml()
    return String.fromCodePoint(code)
  })
}

/** Parses a request body into its root element; throws MalformedXML. Attributes and comments are left out. */
export function parseXml(body: Buffer): XmlElement {
  const source = body.toString('utf8').replace(/^\ufeff/, '')
  const tokens = /<\?[^]*?\?>|<!--[^]*?-->|<!\[CDATA\[([^]*?)\]\]>|<(\/?)([^\s<>/?!]+)([^<>]*?)(\/?)>|([^<]+)/g
  const root: XmlElement = { name: '', text: '', children: [] }
  const open = [root]
  let end = 0
  for (const token of source.matchAll(tokens)) {
    if (token.index !== end) throw malformedXml()
    end += token[0].length
    const top = open.at(-1)
    if (top === undefined) throw malformedXml()
    const [, data, closing, tag, , empty, text] = token
    if (data !== undefined) top.text += data
    else if (text !== undefined) top.text += unescapeXml(text)
    else if (tag !== undefined) {
      const name = tag.slice(tag.indexOf(':') + 1)
      if (closing === '/') {
        if (top.name !== name || open.length < 2) throw malformedXml()
        open.pop()
      } else {
        const child: XmlElement = { name, text: '', children: [] }
        top.children.push(child)
        if (empty !== '/') open.push(child)
      }
    }
  }
  const [document] = root.children
  if (end !== source.length || open.length !== 1 || root.children.length !== 1 || document === undefined) {
    throw malformedXml()
  }
  return document
}

/** The elements of that name right inside `parent`. */
export function childrenOf(parent: XmlElement, name: string): XmlElement[] {
  return parent.children.filter((child) => child.name === name)
}

/** The text of the first such element, or undefined. */
export function textOf(parent: XmlElement, name: string): string | undefined {
  return parent.children.find((child) => child.name === name)?.text
}
