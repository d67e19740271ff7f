import type { Argv } from './argv.js'
import { UserError } from '../../errors.js'
import { shellArgument } from '../../report/format.js'
import { isFolder, placeUrl, type Place } from '../../job/place.js'
import { endsInSlash } from '../../keys.js'
import { booleanFlag, grouped, readFlag, type Flags } from './flag-values.js'
import type { CommandIo } from './io.js'

/** Flag of what a prefix without a slash at its end stands for. */
export function prefixFlags(argv: Argv): Argv {
  return grouped(argv, 'Prefixes:', {
    'prefix-as-text': booleanFlag(
      'a prefix without / at its end stands for all keys that begin with it, and not for a folder',
    ),
  })
}

/**
 * Refuses, with the command line that is right, two prefixes of which one ends in a slash and the other does not: names would be joined wrongly. An
 * empty one, and a folder, count as if they did. `written` is how they are written in the command line.
 */
export function checkSlashes(
  [source, destination]: readonly [Place, Place],
  written: readonly [string, string],
  flags: Flags,
  { args }: Pick<CommandIo, 'args'>,
): void {
  const isRight = [source, destination].map(({ prefix }) => endsInSlash(prefix))
  if (isRight[0] === isRight[1] || asText(flags)) return
  const [from, to] = [source, destination].map(placeUrl)
  const single = forOne(args, [source, destination], written[1])
  const wrong = written.filter((_text, index) => isRight[index] === false)
  throw new UserError(
    `one prefix ends in / and the other does not, so names would be joined wrongly: ${from} and ${to} (an empty prefix and a folder count as ending in /)`,
    `write: ${corrected(args, wrong)} (${single === undefined ? '' : `for a single object: ${single}; `}to join them letter by letter: --prefix-as-text)`,
  )
}

// The command line that copies one object, named like the prefix of the source, to below that of the destination; a folder has no place for it.
function forOne(
  args: readonly string[],
  [source, destination]: readonly [Place, Place],
  written: string,
): string | undefined {
  if (endsInSlash(source.prefix) || isFolder(destination)) return undefined
  const name = source.prefix.slice(source.prefix.lastIndexOf('/') + 1)
  const whole = `${written}${written.endsWith('/') ? '' : '/'}${name}`
  return `s3move ${args.map((arg) => shellArgument(arg === written ? whole : arg)).join(' ')}`
}

/** As what a job takes its prefix that deletes what is below it. */
export function readPrefixAs({ prefix }: Place, flags: Flags): { readonly prefixAs?: 'folder' } {
  return endsInSlash(prefix) || asText(flags) ? {} : { prefixAs: 'folder' }
}

function asText(flags: Flags): boolean {
  return readFlag(flags, 'prefix-as-text') ?? false
}

/** The command line with a slash behind these places, to be pasted. */
export function corrected(args: readonly string[], places: readonly string[]): string {
  return `s3move ${args.map((arg) => shellArgument(places.includes(arg) ? `${arg}/` : arg)).join(' ')}`
}
