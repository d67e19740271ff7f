import { truthOf } from './switches.js'

/** What a command line asks for in place of a command's work: help in short, all help, or the version. */
export type AskedFor = 'short help' | 'help' | 'version'

/** What is asked for, wherever in the command line that stands; undefined where the command is to do its work. */
export function asksFor(args: readonly string[]): AskedFor | undefined {
  const end = args.indexOf('--')
  for (const arg of end < 0 ? args : args.slice(0, end)) {
    const [, name, word = 'yes'] = /^--(help|version)(?:=(.*))?$/s.exec(arg) ?? []
    if (name !== undefined && truthOf(word) === true) return name === 'help' ? 'help' : 'version'
    // Other letters beside it are no reason to do anything else, and `-help` is what users of some programs type.
    if (arg === '-help') return 'help'
    if (/^-[A-Za-z]*h[A-Za-z]*$/.test(arg)) return 'short help'
    if (arg === '-V') return 'version'
  }
  return undefined
}

/** Whether a command line plans a command, rather than asking what `plan` is. */
export function isPlanned([first, name = '']: readonly string[]): boolean {
  return first === 'plan' && name !== '' && !name.startsWith('-')
}
