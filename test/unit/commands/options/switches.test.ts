import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readSwitches, truthOf, type Declared } from '../../../../src/commands/options/switches.js'
import { UserError } from '../../../../src/errors.js'
import { declarationsOf } from '../../../../src/commands/options/command.js'
import { COMMANDS } from '../../../support/all-commands.js'
import { sandbox } from '../../../support/cli-buckets.js'
import { refusal, run, workFolder } from '../../../support/cli-program.js'

const DECLARED: Declared = {
  names: new Set(['dry-run', 'yes', 'quiet', 'clobber', 'no-clobber', 'source-no-sign-request']),
  letters: new Map([
    ['q', 'quiet'],
    ['y', 'yes'],
  ]),
}

const YES = ['true', 'yes', 'on', '1']
const NO = ['false', 'no', 'off', '0']

/** What is said of the switches, or the refusal. */
function said(...args: string[]): Record<string, boolean> | string {
  try {
    return Object.fromEntries(readSwitches(args, DECLARED))
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
}

/** A word in any mixture of capitals. */
const inAnyCase = (word: string): fc.Arbitrary<string> =>
  fc
    .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
    .map((capitals) =>
      Array.from(word, (letter, at) => (capitals[at] === true ? letter.toUpperCase() : letter)).join(''),
    )

describe('a switch', () => {
  test('takes true, yes, on and 1, false, no, off and 0, in any case, and no other text', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(...YES, ...NO).chain(inAnyCase), fc.string({ unit: 'binary' }), fc.string()),
        fc.constantFrom('dry-run', 'yes', 'source-no-sign-request'),
        (word, name) => {
          const lower = word.toLowerCase()
          const wanted = YES.includes(lower) ? true : NO.includes(lower) ? false : undefined
          expect(truthOf(word)).toBe(wanted)
          const heard = said('copy', `--${name}=${word}`)
          if (wanted === undefined) expect(heard).toMatch(/^neither yes nor no: --/)
          else expect(heard).toEqual({ [name]: wanted })
        },
      ),
    )
  })

  test.each<[string[], Record<string, boolean> | RegExp]>([
    [['--dry-run'], { 'dry-run': true }],
    [['--no-dry-run'], { 'dry-run': false }],
    [['--no-dry-run=no'], { 'dry-run': true }],
    [['--no-dry-run=perhaps'], /neither yes nor no: --no-dry-run=perhaps/],
    [['--no-clobber'], { clobber: false }],
    [['--no-clobber=Yes'], { clobber: false }],
    [['--no-clobber=0'], { clobber: true }],
    [['--no-no-clobber'], { clobber: true }],
    [['--clobber=off'], { clobber: false }],
    [['--no-clobber', '--clobber'], /--clobber was given 2 times/],
    [['--yes', '--yes'], /--yes was given 2 times/],
    [['--yes=1', '-y'], /--yes was given 2 times/],
    [['-q'], { quiet: true }],
    [['-qy'], { quiet: true, yes: true }],
    [['-qy=no'], { quiet: true, yes: false }],
    [['-q1'], /neither yes nor no: -q1/],
    [['-q.x'], /neither yes nor no: -q\.x/],
    [['-y='], /neither yes nor no: -y=/],
    [['--yes=\u001b[2J', '--dry-run=maybe'], /neither yes nor no: --yes=\\x1b\[2J --dry-run=maybe/],
    [['--dry-run', 'no'], /not certain whether no is meant for --dry-run/],
    [['--dry-run', 'TRUE'], /not certain whether TRUE is meant/],
    [['-q', '0'], /not certain whether 0 is meant for -q/],
    [['--dry-run', 's3://a'], { 'dry-run': true }],
    [['--region', 'no', '--colour=yes'], {}],
    [['s3://a', '--', '--dry-run'], /behind -- would count for nothing: --dry-run/],
    [['s3://a', '--'], {}],
  ])('%j', (args, wanted) => {
    const heard = said(...args)
    if (wanted instanceof RegExp) expect(heard).toMatch(wanted)
    else expect(heard).toEqual(wanted)
  })
})

describe('every switch of every command', () => {
  const PLACES: Readonly<Record<string, readonly string[]>> = {
    copy: ['s3://a', 's3://b'],
    sync: ['s3://a', 's3://b'],
    move: ['s3://a', 's3://b'],
    verify: ['s3://a', 's3://b'],
    'set-headers': ['s3://a'],
    delete: ['s3://a'],
    ls: ['s3://a'],
    du: ['s3://a'],
    resume: [],
    status: [],
    sandbox: [],
  }

  /** The switches that the help of a command names. */
  async function switchesOf(command: string): Promise<string[]> {
    const { command: declaring } = await COMMANDS.get(command)!()
    const switches = [...declarationsOf(declaring).all].filter(([, { type, hidden }]) => type === 'boolean' && !hidden)
    return switches.map(([name]) => name)
  }

  test.each(Object.keys(PLACES))(
    'of %s takes no word for consent that is none',
    { timeout: 60_000 },
    async (command) => {
      const cwd = await workFolder()
      const names = [...(await switchesOf(command)), 'help', 'version']
      const places = PLACES[command] ?? []
      const port = places.length === 0 ? [] : ['--endpoint-url', 'http://127.0.0.1:1']
      if (places.length > 0) expect(names).toContain('quiet')
      for (const word of ['', 'tru', '2']) {
        const flags = names.map((name) => `--${name}=${word}`)
        const line = refusal(await run([command, ...places, ...port, ...flags], { cwd }))
        expect(line).toContain(`neither yes nor no: ${flags.join(' ')}\n`)
      }
      if (command === 'sandbox') return
      for (const word of ['False', '0']) {
        const flags = names.map((name) => `--${name}${name.startsWith('no-') ? '' : `=${word}`}`)
        const { code, stderr } = await run([command, ...places, ...port, ...flags], { cwd })
        expect(stderr).not.toMatch(/neither|unexpected|Unknown/)
        expect(code).toBe(2)
      }
    },
  )

  test.each(['--dry-run=1', '--dry-run=yes', '--dry-run=True', '--dry-run=ON'])(
    'copy %s changes nothing',
    async (flag) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
      const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
      const { code, stdout } = await run([...args, flag], { cwd })
      expect([code, stdout]).toEqual([0, expect.stringContaining('dry run: nothing was changed')])
      expect(server.stats().copies).toEqual({})
    },
  )
})
