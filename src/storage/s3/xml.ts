/** XML text content made plain: the five named entities and numeric references. Unknown references stay as they are. */
export function unescapeXml(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos));/g,
    (whole: string, decimal?: string, hex?: string, name?: keyof typeof NAMED) => {
      if (name !== undefined) return NAMED[name]
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    },
  )
}

/** Text as the content of an element, such that every parser reads the same from it: a raw carriage return would become a line feed. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"\r\n\t\x7f-\x9f\u2028]/g, (character) => `&#${character.charCodeAt(0)};`)
}

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** The text of a body that came one byte a character: decoded as UTF-8 where it is not ASCII. Throws `URIError` if it is not UTF-8. */
export function decodeUtf8(bytes: string): string {
  if (ASCII.test(bytes)) return bytes
  try {
    return STRICT.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    throw new URIError('not UTF-8')
  }
}

const ASCII = /^[\0-\x7f]*$/
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of the first element `name` in a small answer such as an error or a copy result, or undefined. What is not UTF-8 in it becomes U+FFFD. */
export function elementText(xml: string, name: string): string | undefined {
  const open = xml.indexOf(`<${name}>`)
  if (open < 0) return undefined
  const close = xml.indexOf(`</${name}>`, open)
  return close < 0
    ? undefined
    : unescapeXml(Buffer.from(xml.slice(open + name.length + 2, close), 'latin1').toString('utf8'))
}

/** The contents of all elements `name`, with or without attributes, in a small answer; not of those inside one of the same name. */
export function elementsOf(xml: string, name: string): string[] {
  const found: string[] = []
  for (const match of xml.matchAll(new RegExp(`<${name}(?: [^>]*)?>([^]*?)</${name}>`, 'g'))) found.push(match[1] ?? '')
  return found
}
