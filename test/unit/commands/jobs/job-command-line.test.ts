import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../../../src/commands/jobs/config-file.js'
import { commandLineOf } from '../../../../src/commands/jobs/job-command-line.js'
import { UserError } from '../../../../src/errors.js'
import { COMMANDS } from '../../../support/all-commands.js'

const SYNC = `
defaults:
  concurrency: 64
  exclude: '*.tmp'
  read-timeout: 30s
jobs:
  nightly:
    command: sync
    source: s3://photos
    destination: s3://photos-eu/
    delete: true
`

const job = (settings: string): string =>
  `jobs:\n  j:\n    command: sync\n    source: s3://a\n    destination: s3://b\n${settings}`

async function lineOf(text: string, name = 'j', ...given: string[]) {
  return await commandLineOf(parseConfig(text, 's3move.yaml'), name, given, COMMANDS)
}

async function refusedAs(text: string, name = 'j'): Promise<[message: string, hint: string | undefined]> {
  try {
    const { args } = await lineOf(text, name)
    return [`it is ${args.join(' ')}`, undefined]
  } catch (error) {
    if (error instanceof UserError) return [error.message, error.hint]
    throw error
  }
}

describe('the command line of a job', () => {
  test('is its command, its places in their order, what holds for all jobs, and its own options', async () => {
    const { args, text } = await lineOf(SYNC, 'nightly')
    const flags = ['--concurrency=64', '--exclude=*.tmp', '--read-timeout=30s', '--delete']
    expect(args).toEqual(['sync', 's3://photos', 's3://photos-eu/', ...flags])
    expect(text).toBe(
      "s3move sync s3://photos s3://photos-eu/ --concurrency=64 --exclude='*.tmp' --read-timeout=30s --delete",
    )
  })

  test('leaves out what holds for all jobs where the job says otherwise, or its command has no such option', async () => {
    const jobs = 'jobs:\n  j: {command: head, object: s3://a/k, profile: mine}\n'
    const { args } = await lineOf(`defaults: {profile: all, region: eu-west-3, concurrency: 8}\n${jobs}`)
    expect(args).toEqual(['head', 's3://a/k', '--region=eu-west-3', '--profile=mine'])
  })

  test.each([
    [['--delete=false'], '--delete'],
    [['--no-delete'], '--delete'],
    [['--concurrency', '8'], '--concurrency=64'],
    [['--include=*'], '--exclude=*.tmp'],
  ])('behind which %j is given has no %s any more', async (given, without) => {
    const [before, after] = [await lineOf(SYNC, 'nightly'), await lineOf(SYNC, 'nightly', ...given)]
    expect(before.args).toContain(without)
    expect(after.args).toEqual([...before.args.filter((arg) => arg !== without), ...given])
  })

  test('knows the letters of options, alone and in one word', async () => {
    const { args } = await lineOf(job('    yes: true\n    dry-run: false\n    quiet: true\n'), 'j', '-qn')
    expect(args).toEqual(['sync', 's3://a', 's3://b', '--yes', '-qn'])
  })

  test('has globs in the order of the file, which filters can repeat', async () => {
    const filters = "    exclude: '*'\n    filters:\n    - include: img/*\n    - exclude: img/tmp/*\n"
    const { args } = await lineOf(job(filters))
    expect(args.slice(3)).toEqual(['--exclude=*', '--include=img/*', '--exclude=img/tmp/*'])
  })

  test('has numbers as they are written, and what an alias stands for', async () => {
    const defaults = 'defaults:\n  exclude: &temporary [a, "1.50"]\n'
    const settings = '    size: 0010\n    expect: 1000000\n    include: *temporary\n'
    const { args } = await lineOf(defaults + job(settings))
    expect(args.slice(3)).toEqual(['--size=0010', '--expect=1000000', '--include=a', '--include=1.50'])
  })

  test('shows no password of a URL', async () => {
    const { text } = await lineOf(job('    endpoint-url: https://ann:secret@example.com\n'))
    expect(text).toBe('s3move sync s3://a s3://b --endpoint-url=https://…@example.com')
  })

  test('gives each value whole, and never as another option, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 1 }), async (values) => {
        const jobs = { j: { command: 'ls', source: 's3://a', 'storage-class-is': values } }
        const { args } = await lineOf(stringify({ jobs }))
        expect(args.slice(2)).toEqual(values.map((value) => `--storage-class-is=${value}`))
      }),
    )
  })

  test.each([
    ['delete: yes please', 'line 6, column 5: delete is true or false, and here is something else'],
    ['exclude: true', 'line 6, column 5: exclude wants text, and has true or false'],
    ['concurrency: [1, 2]', 'line 6, column 5: concurrency has one value, and here is a list'],
    ['exclude: [a, [b]]', 'line 6, column 18: exclude wants text, and has a map or a list'],
    ['exclude: [a, ""]', 'line 6, column 18: exclude has no value'],
    ['exclude: []', 'line 6, column 5: the list exclude is empty'],
    ['profile:', 'line 6, column 5: profile has no value'],
    ['profile: *nobody', 'line 6, column 5: profile has no value'],
    ['filters: [{include: a, exclude: b}]', 'line 6, column 15: a filter is one include or one exclude'],
    ['filters: {include: a}', 'line 6, column 5: filters is no list'],
    ['exlude: a', 'line 6, column 5: sync has no option exlude', 'did you mean exclude? See s3move sync --help'],
    ['Max_Delete: 1', 'line 6, column 5: sync has no option Max_Delete', 'did you mean max-delete?'],
    ['no-delete: true', 'line 6, column 5: sync has no option no-delete', 'write delete: false'],
    ['clobber: false', 'line 6, column 5: sync has no option clobber'],
    ['help: true', 'line 6, column 5: sync has no option help'],
    ['q: true', 'line 6, column 5: sync has no option q'],
    ['"a\\e[2Jb": true', 'line 6, column 5: sync has no option a\\x1b[2Jb'],
    ['secret-access-key: TOPSECRET', 'line 6, column 5: secret-access-key does not belong', 'name a profile'],
    ['AWS_SESSION_TOKEN: TOPSECRET', 'line 6, column 5: AWS_SESSION_TOKEN does not belong', 'name a profile'],
    ['source: s3://b', 'line 6, column 5: Map keys must be unique'],
    ['profile: !env HOME', 'line 6, column 14: Unresolved tag: !env'],
  ])('is refused with file, line and column: %s', async (setting, message, hint = '') => {
    const told = await refusedAs(job(`    ${setting}\n`))
    expect(told[0]).toContain(`s3move.yaml, ${message}`)
    expect(told[1]).toContain(hint)
    expect(told.join()).not.toContain('TOPSECRET')
  })

  test.each([
    ['jobs: {j: {source: s3://a}}', 'line 1, column 8: the job j has no command'],
    ['jobs: {j: {command: cp}}', 'line 1, column 12: there is no command cp', 'did you mean s3move copy?'],
    ['jobs: {j: {command: resume}}', 'line 1, column 12: resume is no command for a job', 'check, copy, delete'],
    ['jobs: {j: {command: sync, source: s3://a}}', 'line 1, column 8: the job j has no destination'],
    ['jobs: {j: {command: ls, source: --yes}}', 'line 1, column 25: source begins with a hyphen'],
    ['jobs: {j: [ls, s3://a]}', 'line 1, column 11: a job is no map'],
    ['jobs: {"-x": {command: ls}}', 'line 1, column 8: a job cannot have the name -x'],
    ['job: {}', 'line 1, column 1: the file cannot have job', 'did you mean jobs?'],
    ['token: x\njobs: {}', 'line 1, column 1: token does not belong into this file'],
    ['defaults: {}', 's3move.yaml: the file has no jobs'],
    ['', 's3move.yaml: the file has no jobs'],
    ['jobs: {j: {command: ls, source: s3://a}}\ndefaults: {exlude: a}', 'line 2, column 12: ls has no option exlude'],
    ['jobs: {j: {command: ls, source: s3://a}}\ndefaults: {source: s3://b}', 'column 12: source is of a job'],
    ['jobs: {j: {command: ls, source: s3://a}\n', 'line 2, column 1: '],
    ['jobs: {nightly: {command: ls}}', 'there is no job j in s3move.yaml', 'it has nightly'],
    ['jobs: {jj: {command: ls}}', 'there is no job j in s3move.yaml', 'did you mean s3move run jj?'],
  ])('is none of %s', async (text, message, hint = '') => {
    const told = await refusedAs(text)
    expect(told[0]).toContain(message)
    expect(told[1]).toContain(hint)
  })

  test('does not suffer from a mistake in another job', async () => {
    const { args } = await lineOf('jobs:\n  j: {command: ls, source: s3://a}\n  k: {command: nothing, x: [[]]}\n')
    expect(args).toEqual(['ls', 's3://a'])
  })

  test('has an error of its command told with the place of what it is about', async () => {
    const { located } = await lineOf(job('    concurrency: many\n'))
    const told = (message: string): string => located(new UserError(message, 'a hint')).message
    expect(told('--concurrency wants a whole number')).toBe(
      's3move.yaml, line 6, column 5: --concurrency wants a whole number',
    )
    expect(told('the source s3://a is not an S3 URL')).toBe(
      's3move.yaml, line 4, column 5: the source s3://a is not an S3 URL',
    )
    expect(told('--lanes wants a whole number')).toBe('--lanes wants a whole number')
    expect(located(new UserError('--concurrency', 'a hint')).hint).toBe('a hint')
  })
})
