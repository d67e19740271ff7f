import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'

/**
 * What a stranger can act on, for what yargs says of a command line, in English. `args` is that command line; what is
 * not known is quoted from it, but for what may be a misplaced secret.
 */
export function usageError(said: string, args: readonly string[]): UserError {
  const [first = ''] = args
  const [, unknown] = /^Unknown commands?: (.*)$/s.exec(said) ?? []
  if (unknown !== undefined && (unknown === first || unknown.startsWith(`${first}, `))) {
    const meant = MEANT.get(first)
    return new UserError(
      `there is no command ${shown(first)}`,
      meant === undefined ? 'see s3move --help' : `did you mean s3move ${meant}? See s3move --help`,
    )
  }
  // An option before the command may take the place of its name.
  const hint = /^[a-z]/.test(first) ? `see s3move ${shown(first)} --help` : 'see s3move --help'
  if (unknown !== undefined)
    return new UserError(`too many names, or a value without its option: ${shown(unknown)}`, hint)
  const [, lacking] = /^Not enough arguments following: (\S+)$/.exec(said) ?? []
  if (lacking !== undefined) {
    const flag = `--${lacking}`
    return new UserError(`${flag} needs a value`, `write ${flag}=VALUE (with = where it begins with a hyphen)`)
  }
  const [, got, needed] = /^Not enough non-option arguments: got (\d), need at least (\d)$/.exec(said) ?? []
  if (got !== undefined) {
    const wanted = needed === '2' ? 'a source and a destination are needed' : 'a source is needed'
    return new UserError(`${wanted}, and ${got === '0' ? 'none' : 'only one'} was given`, hint)
  }
  const [, negated] = /^Unknown arguments?: (no-[^,\s]+)$/.exec(said) ?? []
  if (negated !== undefined && args.some((arg) => arg.startsWith(`--${negated}=`))) {
    return new UserError(`--${shown(negated)} takes no value`, `write --${shown(negated)} by itself, or leave it away`)
  }
  return new UserError(shown(said), hint)
}

/** Names of other programs' commands. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['cp', 'copy'],
  ['mv', 'move'],
  ['rm', 'delete'],
])

function shown(text: string): string {
  return printable(text.replace(/[^\s,]*:[^\s,]*@/g, '…@'))
}
