import { jsonText } from '../../checkpoint/json.js'
import type { LineFormat } from '../../job/ls.js'
import { printable } from '../../keys.js'
import type { ObjectSummary } from '../../storage/storage.js'

/** The first line of an output; '' for formats that have none. */
export function headerLine(format: LineFormat): string {
  return format === 'csv' ? 'key,size,etag,last_modified,storage_class\n' : ''
}

/**
 * Makes lines of objects, each ending in a newline. Keys are written in full: `prefix` and what they are relative to it.
 * - `text`: last modified, size, storage class, ETag and, last, the key as `printable` has it; `-` stands for a column without text
 * - `json`: one JSON object a line, which reads back as the very same key
 * - `csv`: RFC 4180, everything as it is; with `terminal`, where a key could give commands, as `printable` has it
 */
export function objectLineWriter(
  format: LineFormat,
  prefix: string,
  terminal: boolean,
): (objects: readonly ObjectSummary[]) => string {
  const { plainKey, plainField, plain, careful } = STYLES[format]
  const plainPrefix = plainKey.test(prefix)
  return (objects) => {
    let text = ''
    let plainClass: string | undefined
    for (const object of objects) {
      const { key, etag, lastModified, storageClass } = object
      // Field by field: in a whole line, a blank inside a field could be taken for one between fields.
      if (
        plainPrefix &&
        plainKey.test(key) &&
        plainField.test(etag) &&
        plainField.test(lastModified) &&
        (storageClass === plainClass || plainField.test(storageClass))
      ) {
        plainClass = storageClass
        text += plain(object, prefix)
      } else {
        text += careful(object, prefix + key, terminal)
      }
    }
    return text
  }
}

/** How a format makes lines. Of plain parts `plain` makes what `careful` would, in a fraction of the time. */
interface Style {
  readonly plainKey: RegExp
  readonly plainField: RegExp
  readonly plain: (object: ObjectSummary, prefix: string) => string
  readonly careful: (object: ObjectSummary, key: string, terminal: boolean) => string
}

const STYLES: Readonly<Record<LineFormat, Style>> = {
  text: {
    plainKey: /^[ -[\]-~]*$/,
    plainField: /^[!-[\]-~]+$/,
    plain: ({ key, size, etag, lastModified, storageClass }, prefix) =>
      `${lastModified} ${String(size).padStart(12)} ${storageClass} ${etag} ${prefix}${key}\n`,
    careful: ({ size, etag, lastModified, storageClass }, key) =>
      `${column(lastModified)} ${String(size).padStart(12)} ${column(storageClass)} ${column(etag)} ${printable(key)}\n`,
  },
  json: {
    plainKey: /^[ !#-[\]-~]*$/,
    plainField: /^[ !#-[\]-~]*$/,
    plain: ({ key, size, etag, lastModified, storageClass }, prefix) =>
      `{"key":"${prefix}${key}","size":${size},"etag":"${etag}","lastModified":"${lastModified}","storageClass":"${storageClass}"}\n`,
    careful: ({ size, etag, lastModified, storageClass }, key) =>
      `${jsonText({ key, size, etag, lastModified, storageClass })}\n`,
  },
  csv: {
    plainKey: /^(?! )[ !#-+\--[\]-~]*(?<! )$/,
    plainField: /^[!#-+\--[\]-~]*$/,
    plain: ({ key, size, etag, lastModified, storageClass }, prefix) =>
      `${prefix}${key},${size},${etag},${lastModified},${storageClass}\n`,
    careful({ size, etag, lastModified, storageClass }, key, terminal) {
      const shown = (text: string): string => csvField(terminal ? printable(text) : text)
      return `${shown(key)},${size},${shown(etag)},${shown(lastModified)},${shown(storageClass)}\n`
    },
  },
}

// A blank would move the columns behind it.
function column(text: string): string {
  return text === '' ? '-' : printable(text).replaceAll(' ', '\\x20')
}

/** A field of RFC 4180. */
export function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
