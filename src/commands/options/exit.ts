/** Exit codes, as documented in --help and README. */
export const EXIT = { done: 0, unexpected: 1, usage: 2, failures: 3, stopped: 4, interrupted: 130 } as const

/** What a command can end with, and what that means. */
export type ExitCodes = Readonly<Record<number, string>>

/** What each command can end with. */
export const ALWAYS = {
  0: 'done',
  1: 'unexpected: a defect, or the output could not be written',
  2: 'usage or bad input; nothing was done',
} as const satisfies ExitCodes

const STOPPED = 'stopped by something that affects every object'

/** The exit codes of a command that writes; `finished` says what else than failed objects makes it end with 3. */
export function exitsOfWriting(finished = ''): ExitCodes {
  return {
    ...ALWAYS,
    3: `finished, but some objects failed${finished}`,
    4: `${STOPPED}; resumable`,
    130: 'interrupted; resumable',
  }
}

/** The exit codes of a command that lists; `differs` says when it ends with 3, if it can. */
export function exitsOfListing(differs?: string): ExitCodes {
  return {
    ...ALWAYS,
    ...(differs === undefined ? {} : { 3: differs }),
    4: `${STOPPED}; resumable with --checkpoint`,
    130: 'interrupted; resumable with --checkpoint',
  }
}
