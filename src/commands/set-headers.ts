import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { UserError } from '../errors.js'
import { placeUrl } from '../job/place.js'
import type { HeaderRule, SetHeadersJob } from '../job/set-headers.js'
import { shellWord } from '../report/format.js'
import type { Command } from './options/command.js'
import { exitsOfWriting } from './options/exit.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import {
  booleanFlag,
  grouped,
  readArgument,
  readChoice,
  readFlag,
  readText,
  textFlag,
  type Flags,
} from './options/flag-values.js'
import {
  CANNED_ACLS,
  readMetadata,
  readRemovedHeaders,
  readSettings,
  refuseBoth,
  settingFlags,
} from './options/header-options.js'
import { onLossFlag, costFlags } from './options/pace-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { againFlag, freshFlags, runFlags, savedPlanFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import type { Prepare } from './run/start-write.js'

export const command: Command = {
  usage: 'set-headers <source>',
  group: 'copying',
  summary: 'change headers of every object below a prefix, in place',
  help: '$0 set-headers s3://bucket[/prefix] --cache-control VALUE ...\n\nChanges headers in place, and keeps all the rest.\nThat is a HEAD for each object, and a copy of it onto itself where something would change.',
  options: [
    ...[listFlags, selectionFlags, settingFlags],
    (argv) =>
      grouped(argv, 'Headers:', {
        'if-unset': booleanFlag('set only what is not there'),
        'guess-content-type': booleanFlag(
          'set Content-Type by the extension; where it is missing or binary/octet-stream',
        ),
        force: booleanFlag('with --guess-content-type: replace every Content-Type that differs'),
        rules: textFlag('FILE', 'file of rules, YAML or JSON: which objects get which headers (docs/set-headers.md)'),
      }),
    (argv) =>
      grouped(argv, 'Objects:', {
        preserve: {
          ...textFlag('TRAIT', 'keep access control lists (acl), for one more request an object'),
          values: ['acl'],
        },
        acl: {
          ...textFlag('ACL', 'canned access control list for every object rewritten, such as public-read'),
          values: CANNED_ACLS,
        },
        'reset-acl': booleanFlag('let S3 reset access control lists: objects become private'),
        'on-loss': onLossFlag('warn'),
        'folder-markers': booleanFlag('also empty objects whose key ends in /'),
      }),
    ...[runFlags, bucketSource, againFlag, freshFlags, savedPlanFlag, costFlags],
  ],
  everyday: [
    'dry-run',
    'include',
    'exclude',
    'cache-control',
    'content-type',
    'if-unset',
    'guess-content-type',
    'rules',
    'preserve',
    'profile',
  ],
  examples: [
    ['$0 set-headers s3://site --guess-content-type -n', 'what would change'],
    ["$0 set-headers s3://photos --cache-control 'public, max-age=31536000'", 'for a year'],
    ["$0 set-headers s3://site --exclude '*' --include '*.jpg' --cache-control no-cache --if-unset", 'of these alone'],
    ['$0 set-headers s3://site --rules rules.yaml --preserve acl', 'by rules; public objects stay public'],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const place = parseBucket(readArgument(flags, 'source'), 'place')
    const guess = readGuess(flags)
    const acl = readAcl(flags)
    const job: SetHeadersJob = {
      kind: 'set-headers',
      source: place,
      ...readObjects(flags),
      ...readKeyListOf(flags, io.cwd),
      rules: await readJobRules(flags, guess !== undefined, io.cwd),
      ...(guess === undefined ? {} : { guess }),
      folderMarkers: readFlag(flags, 'folder-markers') ?? false,
      ...(acl === undefined ? {} : { acl }),
    }
    const { begin } = await import('./run/start-write.js')
    return await begin(job, flags, io, preparation(job))
  },
}

// Nothing is rewritten before it is certain what becomes of access control lists.
function preparation(job: SetHeadersJob): Prepare {
  return async ({ ends }, warn) => {
    const { acls, versioned } = (await ends.destination?.traits()) ?? {}
    const url = placeUrl(job.source)
    if (acls !== false && job.acl === undefined) {
      throw new UserError(
        acls === true
          ? `the bucket of ${url} has access control lists, and S3 resets them when it rewrites an object: what is public would become private`
          : `the store does not say whether the objects of ${url} have access control lists, which S3 resets when it rewrites an object`,
        'add --preserve acl to keep them (a request more for each object that is rewritten), --acl NAME to set one for all, or --reset-acl if none matters',
      )
    }
    if (acls === false && job.acl !== undefined && !HARMLESS.has(job.acl)) {
      throw new UserError(`the bucket of ${url} has access control lists disabled`, 'leave --acl away')
    }
    const { lossesOfRewriting } = await import('../engine/actions/fidelity.js')
    const lost = lossesOfRewriting({ bucket: job.source.bucket, software: ends.source.software })
    if (lost !== undefined) warn(lost)
    if (versioned === true) {
      warn(
        `the bucket of ${url} keeps versions: each object that is rewritten gains one, and what it replaces stays and is billed`,
      )
    }
  }
}

const HARMLESS = new Set(['preserve', 'reset', 'bucket-owner-full-control'])

async function readJobRules(flags: Flags, guess: boolean, cwd: string): Promise<HeaderRule[]> {
  const file = readText(flags, 'rules')
  const set = [...readSettings(flags), ...readMetadata(flags)]
  const remove = readRemovedHeaders(flags)
  const ifUnset = readFlag(flags, 'if-unset') ?? false
  if (file !== undefined) {
    if (set.length + remove.length > 0 || ifUnset) {
      throw new UserError('--rules and headers on the command line do not go together', 'put them into the file')
    }
    const { readRules } = await import('../rules/read.js')
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
