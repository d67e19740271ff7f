import { describe, expect, test } from 'vitest'
import { declarationsOf } from '../../../../src/commands/options/command.js'
import { COMMANDS_OF_OTHERS, FLAGS_OF_OTHERS } from '../../../../src/commands/options/other-programs.js'
import { COMMANDS } from '../../../support/all-commands.js'
import { run, workFolder } from '../../../support/cli-program.js'

const COPY = ['copy', 's3://aaa', 's3://bbb']

describe('a command line that is not understood', () => {
  test.each([
    [
      ['cp', 's3://aaa', 's3://bbb'],
      'there is no command cp',
      'did you mean s3move copy? It copies all that is below a prefix; see s3move copy -h',
    ],
    [
      ['rm', 's3://aaa/one'],
      'there is no command rm',
      'did you mean s3move delete? It deletes all that is below a prefix; see s3move delete -h',
    ],
    [['rsync', 's3://aaa'], 'there is no command rsync', 'did you mean s3move sync? See s3move sync -h'],
    [['verfiy', 's3://aaa'], 'there is no command verfiy', 'did you mean s3move verify? See s3move verify -h'],
    [['cpoy', 's3://aaa'], 'there is no command cpoy', 'did you mean s3move copy? See s3move copy -h'],
    [['chekc', 's3://aaa'], 'there is no command chekc', 'did you mean s3move check? See s3move check -h'],
    [
      ['cp', '--help'],
      'there is no command cp',
      'did you mean s3move copy? It copies all that is below a prefix; see s3move copy -h',
    ],
    [['frob'], 'there is no command frob', 'see s3move --help'],
    [['s3://aaa', 's3://bbb'], 'there is no command s3://aaa', 'see s3move --help'],
    [['--dry-run'], '--dry-run stands where a command belongs', 'see s3move --help'],
    [['copy', 's3://aaa'], 'copy needs a source and a destination', 'only one was given; see s3move copy -h'],
    [['sync'], 'sync needs a source and a destination', 'none was given; see s3move sync -h'],
    [['delete'], 'delete needs a source', 'none was given; see s3move delete -h'],
    [
      ['move', 's3://aaa', 's3://bbb', 's3://ccc'],
      'one argument too many: s3://ccc',
      'a value stands behind its option, and what has spaces in quotes; see s3move move -h',
    ],
    [
      ['copy', 's3://aaa', 's3://bbb', '--lanes', '--dry-run'],
      '--lanes needs a value',
      'write --lanes=N (with = where it begins with a hyphen)',
    ],
    [
      ['copy', 's3://aaa', 's3://bbb', '--no-path-style=no'],
      '--no-path-style takes no value',
      'write --no-path-style by itself, or leave it away',
    ],
    [
      ['ls', 's3://aaa', '--no-clobber', 'x'],
      'ls has no option --no-clobber',
      'it is for s3move copy; see s3move ls -h',
    ],
    [
      ['ls', 's3://aaa', 'who:secret@host'],
      'one argument too many: …@host',
      'a value stands behind its option, and what has spaces in quotes; see s3move ls -h',
    ],
    // Of aws, rclone and s5cmd, misspelt, and of another command.
    [[...COPY, '--dryrun'], 'copy has no option --dryrun', 'did you mean --dry-run? See s3move copy -h'],
    [[...COPY, '--dry_run'], 'copy has no option --dry_run', 'did you mean --dry-run? See s3move copy -h'],
    [
      [...COPY, '--concurency', '5'],
      'copy has no option --concurency',
      'did you mean --concurrency? See s3move copy -h',
    ],
    [
      [...COPY, '--recursive'],
      'copy has no option --recursive',
      'leave it away: every command goes through all that is below a prefix; see s3move copy -h',
    ],
    [[...COPY, '--transfers=9'], 'copy has no option --transfers', 'did you mean --concurrency? See s3move copy -h'],
    [[...COPY, '--min-size', '1M'], 'copy has no option --min-size', 'did you mean --size=+SIZE? See s3move copy -h'],
    [[...COPY, '--size-only'], 'copy has no option --size-only', 'it is for s3move sync; see s3move copy -h'],
    [
      [...COPY, '--dest-endpoint-url', 'http://x'],
      'copy has no option --dest-endpoint-url',
      'did you mean --destination-endpoint-url? See s3move copy -h',
    ],
    [[...COPY, '-y'], 'copy has no option -y', 'see s3move copy -h'],
    [[...COPY, '--frobnicate'], 'copy has no option --frobnicate', 'see s3move copy -h'],
    [
      ['delete', 's3://aaa', '--bandwidth', '1M'],
      'delete has no option --bandwidth',
      'it is for s3move copy, s3move sync, s3move move, s3move resume, s3move worker; see s3move delete -h',
    ],
  ])('%j says what is wrong, and what there is to do', async (args, said, hint) => {
    const cwd = await workFolder()
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stdout, stderr]).toEqual([2, '', `s3move: ${said}\n        ${hint}\n`])
  })
})

describe('what other programs call it', () => {
  test('leads to options that there are, and to commands of which the difference is told', async () => {
    const options = new Set<string>()
    for (const { command } of await Promise.all([...COMMANDS.values()].map((load) => load())))
      for (const name of declarationsOf(command).all.keys()) options.add(name)
    const named = [...FLAGS_OF_OTHERS.values()].flatMap((text) => /^--([a-z-]+)/.exec(text)?.[1] ?? [])
    expect(named.filter((name) => !options.has(name))).toEqual([])
    expect([...FLAGS_OF_OTHERS.keys()].filter((name) => options.has(name) && name !== 'force')).toEqual([])
    const missing = [...COMMANDS_OF_OTHERS].filter(([, [ours]]) => !COMMANDS.has(ours)).map(([name]) => name)
    expect(missing.filter((name) => name !== 'stat')).toEqual([])
    expect([...COMMANDS_OF_OTHERS.keys()].filter((name) => COMMANDS.has(name))).toEqual([])
  })
})
