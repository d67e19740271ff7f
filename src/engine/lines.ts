import { jsonText } from '../checkpoint/json.js'
import type { LineFormat } from '../job.js'
import { printable } from '../keys.js'
import type { ObjectSummary } from '../storage/storage.js'

/** The first line of an output; '' for formats that have none. */
export function headerOf(format: LineFormat): string {
  return format === 'csv' ? 'key,size,etag,last_modified,storage_class\n' : ''
}

/**
 * Makes lines of objects, each ending in a newline. Keys are written in full: `prefix` and what they are relative to it.
 * - `text`: last modified, size, storage class, ETag and, last, the key as `printable` has it
 * - `json`: one JSON object a line, which reads back as the very same key
 * - `csv`: RFC 4180, keys as they are; with `terminal`, where a key could give commands, as `printable` has them
 */
export function lineWriter(
  format: LineFormat,
  prefix: string,
  terminal: boolean,
): (objects: readonly ObjectSummary[]) => string {
  const line = LINES[format]
  return (objects) => {
    let text = ''
    for (const object of objects) text += line(object, prefix + object.key, terminal)
    return text
  }
}

type Line = (object: ObjectSummary, key: string, terminal: boolean) => string

const LINES: Readonly<Record<LineFormat, Line>> = {
  text({ size, etag, lastModified, storageClass }, key) {
    const line = `${lastModified} ${String(size).padStart(12)} ${storageClass} ${etag} ${key}`
    // One look at the whole line costs less than one at each field.
    if (PLAIN.test(line) && COLUMNS.test(line)) return `${line}\n`
    return `${column(lastModified)} ${String(size).padStart(12)} ${column(storageClass)} ${column(etag)} ${printable(key)}\n`
  },
  json({ size, etag, lastModified, storageClass }, key) {
    const line = `{"key":"${key}","size":${size},"etag":"${etag}","lastModified":"${lastModified}","storageClass":"${storageClass}"}`
    if (PLAIN_JSON.test(line)) return `${line}\n`
    return `${jsonText({ key, size, etag, lastModified, storageClass })}\n`
  },
  csv({ size, etag, lastModified, storageClass }, key, terminal) {
    const line = `${key},${size},${etag},${lastModified},${storageClass}`
    // Four commas, all between fields, and nothing in these that would have to be quoted.
    if (PLAIN_CSV.test(line)) return `${line}\n`
    const shown = terminal ? (text: string): string => field(printable(text)) : field
    return `${shown(key)},${size},${shown(etag)},${shown(lastModified)},${shown(storageClass)}\n`
  },
}

// Three columns without blanks around a number, before the key.
const COLUMNS = /^[^ ]+ +\d+ [A-Z_]+ [0-9a-f-]+ /
const PLAIN = /^[ -[\]-~]*$/
const PLAIN_JSON =
  /^\{"key":"[ !#-[\]-~]*","size":\d+,"etag":"[ !#-[\]-~]*","lastModified":"[ !#-[\]-~]*","storageClass":"[ !#-[\]-~]*"\}$/
const PLAIN_CSV = /^[!#-+\--[\]-~]*(?:,[!#-+\--[\]-~]*){4}$/

// A blank would move the columns behind it.
function column(text: string): string {
  return text === '' ? '-' : printable(text).replaceAll(' ', '\\x20')
}

function field(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
