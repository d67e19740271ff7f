/** Exit codes, as documented in --help and README. */
export const EXIT = { done: 0, unexpected: 1, usage: 2, failures: 3, stopped: 4, interrupted: 130 } as const

/** The table of exit codes for --help. */
export const EXIT_TABLE = [
  'Exit codes:',
  '  0    done',
  '  1    unexpected',
  '  2    usage or bad input; nothing was done',
  '  3    finished, but some objects are in the failure ledger, differ (verify), or were kept (sync --delete)',
  '  4    stopped by something that affects every object; resumable',
  '  130  interrupted; resumable',
].join('\n')
