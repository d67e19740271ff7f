import { describe, expect, test } from 'vitest'
import { run, workFolder } from '../../../support/cli-program.js'

describe('a command line that is not understood', () => {
  test.each([
    [['cp', 's3://aaa', 's3://bbb'], 'there is no command cp', 'did you mean s3move copy? See s3move --help'],
    [['rm', 's3://aaa'], 'there is no command rm', 'did you mean s3move delete? See s3move --help'],
    [['frob'], 'there is no command frob', 'see s3move --help'],
    [['copy', 's3://aaa'], 'a source and a destination are needed, and only one was given', 'see s3move copy --help'],
    [['sync'], 'a source and a destination are needed, and none was given', 'see s3move sync --help'],
    [['delete'], 'a source is needed, and none was given', 'see s3move delete --help'],
    [
      ['move', 's3://aaa', 's3://bbb', 's3://ccc'],
      'too many names, or a value without its option: s3://ccc',
      'see s3move move --help',
    ],
    [
      ['copy', 's3://aaa', 's3://bbb', '--lanes', '--dry-run'],
      '--lanes needs a value',
      'write --lanes=VALUE (with = where it begins with a hyphen)',
    ],
    [
      ['copy', 's3://aaa', 's3://bbb', '--no-path-style=no'],
      '--no-path-style takes no value',
      'write --no-path-style by itself, or leave it away',
    ],
    [['ls', 's3://aaa', '--no-clobber', 'x'], 'Unknown argument: no-clobber', 'see s3move ls --help'],
    [
      ['ls', 's3://aaa', 'who:secret@host'],
      'too many names, or a value without its option: …@host',
      'see s3move ls --help',
    ],
  ])('%j says what is wrong, and what there is to do', async (args, said, hint) => {
    const cwd = await workFolder()
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stdout, stderr]).toEqual([2, '', `s3move: ${said}\n        ${hint}\n`])
  })
})
