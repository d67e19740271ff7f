import { UserError } from '../../errors.js'
import { TAG_LIMITS, type SetTagsJob } from '../../job/set-tags.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { booleanFlag, grouped, many, readFlag, readList, readText, textFlag, type Flags } from './flag-values.js'

/** Flags of what the tags of objects are to be. */
export function tagFlags(argv: Argv): Argv {
  return someTagFlags(
    grouped(argv, 'Tags:', {
      tagging: textFlag('TAGS', "the tags that objects are to have, and no others: 'team=web&cost=7'"),
    }),
  )
}

/** The same but that of all tags, which copies have too. */
export function someTagFlags(argv: Argv): Argv {
  return grouped(argv, 'Tags:', {
    tag: many('NAME=VALUE', 'tag to set, repeatable; the others stay'),
    'remove-tag': many('NAME', 'tag to take away, repeatable'),
    'remove-all-tags': booleanFlag('take all tags away'),
  })
}

/** What is to become of tags. */
export function readTagChanges(flags: Flags): Pick<SetTagsJob, 'set' | 'remove' | 'replace'> {
  const set = readList(flags, 'tag').map(tagOf)
  const remove = readList(flags, 'remove-tag')
  const whole = readTagging(flags)
  const none = readFlag(flags, 'remove-all-tags') === true
  const ways = [
    [set.length + remove.length > 0, '--tag and --remove-tag'] as const,
    [whole !== undefined, '--tagging'] as const,
    [none, '--remove-all-tags'] as const,
  ].flatMap(([given, name]) => (given ? [name] : []))
  if (ways.length > 1) {
    throw new UserError(
      `${ways.join(' and ')} contradict each other`,
      '--tag and --remove-tag change some tags and keep the others, --tagging sets all, --remove-all-tags takes all away: give one of the three',
    )
  }
  if (ways.length === 0) {
    throw new UserError(
      'nothing to set: no tag was named',
      "write --tag team=web, --remove-tag NAME, --tagging 'team=web&cost=7' or --remove-all-tags",
    )
  }
  if (whole !== undefined || none) return { set: whole ?? [], remove: [], replace: true }
  const wrong = tagsProblem(set)
  if (wrong !== undefined) throw new UserError(`--tag ${wrong}`, 'write --tag team=web for each tag')
  const both = set.find(([name]) => remove.includes(name))
  if (both !== undefined) {
    throw new UserError(`the tag ${printable(both[0])} is both to be set and to be removed`, 'do one of them')
  }
  return { set, remove: [...new Set(remove)] }
}

function tagOf(given: string): readonly [string, string] {
  const equals = given.indexOf('=')
  if (equals >= 1) return [given.slice(0, equals), given.slice(equals + 1)]
  throw new UserError(`--tag ${printable(given)} is not NAME=VALUE`, 'write --tag team=web')
}

/** The tags of `--tagging`. */
export function readTagging(flags: Flags): readonly (readonly [name: string, value: string])[] | undefined {
  const given = readText(flags, 'tagging')
  if (given === undefined) return undefined
  const tags = [...new URLSearchParams(given)]
  const wrong = tags.length === 0 ? 'names no tag' : tagsProblem(tags)
  if (wrong === undefined) return tags
  throw new UserError(`--tagging ${printable(given)} ${wrong}`, "write --tagging 'team=web&cost=7', URL-encoded")
}

/** What S3 would say against tags, if anything. */
function tagsProblem(tags: readonly (readonly [name: string, value: string])[]): string | undefined {
  const names = new Set(tags.map(([name]) => name))
  if (names.has('')) return 'names no tag'
  if (names.size < tags.length) return 'names a tag twice'
  if (tags.length > TAG_LIMITS.tags) return `names ${tags.length} tags, and S3 keeps ${TAG_LIMITS.tags}`
  return tags.some(([name, value]) => name.length > TAG_LIMITS.name || value.length > TAG_LIMITS.value)
    ? `has a tag that is too long for S3 (${TAG_LIMITS.name} characters for a name, ${TAG_LIMITS.value} for a value)`
    : undefined
}
