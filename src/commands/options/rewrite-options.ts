import { UserError } from '../../errors.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import type { Argv } from './argv.js'
import { booleanFlag, grouped, readChoice, readFlag, textFlag, type Flags } from './flag-values.js'
import { CANNED_ACLS } from './header-options.js'
import { onLossFlag } from './pace-options.js'

/** Two switches of rewriting. */
export const RESET_ACL = booleanFlag('let S3 reset access control lists: objects become private')
export const FOLDER_MARKERS = booleanFlag('also empty objects whose key ends in /')

/** Flags of what becomes of objects that are rewritten in place, and of which. */
export function rewriteFlags(argv: Argv): Argv {
  return grouped(keepingFlags(argv), 'Objects:', { 'folder-markers': FOLDER_MARKERS })
}

/** Flags of what becomes of objects that are rewritten in place. */
export function keepingFlags(argv: Argv): Argv {
  return grouped(argv, 'Objects:', {
    preserve: {
      ...textFlag('TRAIT', 'keep access control lists (acl), for one more request an object'),
      values: ['acl'],
    },
    acl: {
      ...textFlag('ACL', 'canned access control list for every object rewritten, such as public-read'),
      values: CANNED_ACLS,
    },
    'reset-acl': RESET_ACL,
    'on-loss': onLossFlag('warn'),
  })
}

/** What these flags say. */
export function readRewriting(flags: Flags): Pick<SetHeadersJob, 'folderMarkers' | 'acl'> {
  const acl = readAcl(flags)
  return { folderMarkers: readFlag(flags, 'folder-markers') ?? false, ...(acl === undefined ? {} : { acl }) }
}

function readAcl(flags: Flags): string | undefined {
  const preserve = readChoice(flags, 'preserve', ['acl'])
  const canned = readChoice(flags, 'acl', CANNED_ACLS)
  const reset = readFlag(flags, 'reset-acl') === true ? 'reset' : undefined
  const given = [preserve === undefined ? undefined : 'preserve', canned, reset].filter((one) => one !== undefined)
  if (given.length > 1) {
    throw new UserError('--preserve acl, --acl and --reset-acl contradict one another', 'give one of them')
  }
  return given[0]
}
