import { extname, resolve } from 'node:path'
import { readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { readText, type Flags } from '../options/flag-values.js'
import { checkOutput, writeResult } from './output-file.js'

/** Forms of a report. */
export type ReportFormat = 'html' | 'markdown' | 'json'

/** The form that a file name asks for. */
export function reportFormatOf(file: string): ReportFormat | undefined {
  return FORMS[extname(file).toLowerCase()]
}

const FORMS: Readonly<Record<string, ReportFormat>> = {
  ...{ '.html': 'html', '.htm': 'html', '.md': 'markdown', '.markdown': 'markdown', '.json': 'json' },
}

/** A report that is to be written when a run ends. */
export interface ReportFile {
  /** Writes that of the run in a folder. Answers why it could not, in words, or undefined. */
  write(folder: string): Promise<string | undefined>
}

/** Reads `--report`, and refuses a file that cannot be one, or cannot be written. Undefined where none was asked for. */
export async function readReportFile(flags: Flags, cwd: string): Promise<ReportFile | undefined> {
  const given = readText(flags, 'report')
  if (given === undefined) return undefined
  const format = reportFormatOf(given)
  if (format === undefined) {
    throw new UserError(
      `--report ${printable(given)} names no form that a report has`,
      'end it with .html, .md or .json',
    )
  }
  const file = resolve(cwd, given)
  await checkOutput(file, '--report')
  return {
    async write(folder) {
      try {
        const { reportOf } = await import('./report-text.js')
        await writeResult(file, await reportOf(await readCheckpoint(folder), format, cwd))
        return undefined
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    },
  }
}
