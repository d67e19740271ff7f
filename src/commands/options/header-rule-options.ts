import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import type { HeaderRule, SetHeadersJob } from '../../job/set-headers.js'
import { shellWord } from '../../report/format.js'
import type { Argv } from './argv.js'
import { booleanFlag, grouped, readFlag, readText, textFlag, type Flags } from './flag-values.js'
import { readMetadata, readRemovedHeaders, readSettings, refuseBoth, settingFlags } from './header-options.js'
import { readRewriting } from './rewrite-options.js'

/** Flags of which objects get which headers. */
export function headerRuleFlags(argv: Argv): Argv {
  return grouped(settingFlags(argv), 'Headers:', {
    'if-unset': booleanFlag('set only what is not there'),
    'guess-content-type': booleanFlag('set Content-Type by the extension; where it is missing or binary/octet-stream'),
    force: booleanFlag('with --guess-content-type: replace every Content-Type that differs'),
    rules: textFlag('FILE', 'file of rules, YAML or JSON: which objects get which headers (docs/set-headers.md)'),
  })
}

/** What is to change on objects. */
export async function readHeaderChanges(
  flags: Flags,
  cwd: string,
): Promise<Pick<SetHeadersJob, 'rules' | 'guess' | 'folderMarkers' | 'acl'>> {
  const guess = readGuess(flags)
  return {
    rules: await readJobRules(flags, guess !== undefined, cwd),
    ...(guess === undefined ? {} : { guess }),
    ...readRewriting(flags),
  }
}

async function readJobRules(flags: Flags, guess: boolean, cwd: string): Promise<HeaderRule[]> {
  const file = readText(flags, 'rules')
  const set = [...readSettings(flags), ...readMetadata(flags)]
  const remove = readRemovedHeaders(flags)
  const ifUnset = readFlag(flags, 'if-unset') ?? false
  if (file !== undefined) {
    if (set.length + remove.length > 0 || ifUnset) {
      throw new UserError('--rules and headers on the command line do not go together', 'put them into the file')
    }
    const { readRules } = await import('../../rules/read.js')
    return readRules(await readFileText(resolve(cwd, file), file), file)
  }
  if (set.length + remove.length === 0 && !guess) {
    throw new UserError(
      'nothing to set: no header was named',
      "name at least one, such as --cache-control 'public, max-age=31536000', or --rules FILE",
    )
  }
  if (ifUnset && set.length === 0) throw new UserError('--if-unset sets nothing by itself', 'name a header to set')
  refuseBoth(set, remove)
  return [{ set, remove, ...(ifUnset ? { ifUnset } : {}) }]
}

async function readFileText(path: string, shown: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    throw new UserError(
      `the rules in ${shellWord(shown)} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code}`,
      'check the path after --rules',
    )
  }
}

function readGuess(flags: Flags): SetHeadersJob['guess'] {
  const force = readFlag(flags, 'force') ?? false
  if (readFlag(flags, 'guess-content-type') === true) return force ? 'always' : 'missing'
  if (force)
    throw new UserError('--force is about --guess-content-type, which was not given', 'add it, or leave --force away')
  return undefined
}
