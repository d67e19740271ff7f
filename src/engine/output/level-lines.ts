import { jsonText } from '../../checkpoint/json.js'
import type { LineFormat } from '../../job/ls.js'
import { printable } from '../../keys.js'
import type { LevelEntry } from '../../storage/storage.js'
import { headerLine, objectLineWriter, csvField } from './ls-lines.js'

/** The first line of an output of one level; '' for formats that have none. */
export function levelHeaderLine(format: LineFormat): string {
  return format === 'csv' ? `folder,${headerLine(format)}` : ''
}

/**
 * Makes lines of the names of a level, as those of `objectLineWriter` where they are objects. A folder has the columns of an object and `PRE` for its
 * class in `text`, `{"folder":…}` in `json`, and the first column in `csv`: nothing that reads keys takes it for one.
 */
export function levelLineWriter(
  format: LineFormat,
  prefix: string,
  terminal: boolean,
): (entries: readonly LevelEntry[]) => string {
  const objectLine = objectLineWriter(format, prefix, terminal)
  const folderLine = (folder: string): string => {
    switch (format) {
      case 'text':
        return `${'-'.padEnd(24)} ${'-'.padStart(12)} PRE - ${printable(folder)}\n`
      case 'json':
        return `${jsonText({ folder })}\n`
      case 'csv':
        return `${csvField(terminal ? printable(folder) : folder)},,,,,\n`
    }
  }
  const before = format === 'csv' ? ',' : ''
  return (entries) =>
    entries
      .map((entry) => ('folder' in entry ? folderLine(prefix + entry.folder) : before + objectLine([entry.object])))
      .join('')
}
