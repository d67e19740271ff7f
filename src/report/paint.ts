import { styleText } from 'node:util'

const STYLES = { bad: 'red', warning: 'yellow', good: 'green', dim: 'dim' } as const

/** Puts colour around text that is fit for a terminal as it is, by what it tells. */
export type Paint = (tone: keyof typeof STYLES, text: string) => string

/** How text on standard output and on standard error is painted. */
export interface Paints {
  readonly stdout: Paint
  readonly stderr: Paint
}

/** Without colours: for pipes, files and programs. */
export const PLAIN: Paint = (_tone, text) => text

/**
 * With colours. Node would judge by the standard output and the environment whether there are any, whatever the text is for: that is switched off. One style at a
 * time, as Node 20 judges differently for several.
 */
export const COLOURED: Paint = (tone, text) => styleText(STYLES[tone], text, { validateStream: false })

/** `warning: …`, the word painted. */
export function warningLine(message: string, paint: Paint = PLAIN): string {
  return `${paint('warning', 'warning:')} ${message}`
}
