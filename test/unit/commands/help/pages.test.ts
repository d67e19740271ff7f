import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { longPage, shortPage } from '../../../../src/commands/help/command-page.js'
import { wrapped } from '../../../../src/commands/help/layout.js'
import { longMainPage, shortMainPage } from '../../../../src/commands/help/main-page.js'
import { manPage } from '../../../../src/commands/help/man-page.js'
import { TOPICS, topicPage } from '../../../../src/commands/help/topics.js'
import { declarationsOf, type Command } from '../../../../src/commands/options/command.js'
import { PLACEHOLDERS } from '../../../../src/commands/options/placeholders.js'
import { COMMANDS } from '../../../support/all-commands.js'
import { workFolder } from '../../../support/cli-program.js'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))

let commands: Command[] = []
beforeAll(async () => {
  commands = (await Promise.all([...COMMANDS.values()].map((load) => load()))).map(({ command }) => command)
})

const names = [...COMMANDS.keys()]
const named = (name: string): Command => commands.find(({ usage }) => usage.split(' ')[0] === name)!
const linesOf = (text: string): string[] => text.trimEnd().split('\n')

describe('what a command declares', () => {
  test.each(names)(
    '%s: each option that takes a value has a placeholder, no switch has one, and all say what they do',
    (name) => {
      for (const [option, { type, placeholder, describe: text, values }] of declarationsOf(named(name)).all) {
        expect([option, placeholder !== undefined]).toEqual([option, type === 'string'])
        expect([option, text.length > 0]).toEqual([option, true])
        if (placeholder === undefined) continue
        const words = Object.hasOwn(PLACEHOLDERS, placeholder) ? [] : placeholder.split('|')
        expect([option, words.filter((word) => !/^[A-Za-z0-9][A-Za-z0-9:._-]*$/.test(word))]).toEqual([option, []])
        expect([option, values?.filter((value) => !/^[\w:.-]+$/.test(value)) ?? []]).toEqual([option, []])
      }
    },
  )

  test.each(names)('%s: ten everyday options at most, and all of them are there', (name) => {
    const { everyday = [] } = named(name)
    const declared = declarationsOf(named(name))
    expect(everyday.length).toBeLessThanOrEqual(10)
    expect(everyday.filter((one) => declared.all.get(one)?.hidden !== undefined || !declared.all.has(one))).toEqual([])
    if (everyday.length === 0) expect(declared.all.size).toBeLessThanOrEqual(10)
  })

  test('the placeholders of the table are those that are used', () => {
    const used = new Set(
      commands.flatMap((one) => [...declarationsOf(one).all.values()].map(({ placeholder }) => placeholder)),
    )
    expect(Object.keys(PLACEHOLDERS).filter((one) => !used.has(one as keyof typeof PLACEHOLDERS))).toEqual([])
  })
})

describe('the help of a command', () => {
  test.each(names)('%s -h fits 24 lines of 80 columns, and each option one line', (name) => {
    const lines = linesOf(shortPage(named(name), 80))
    expect(lines.length).toBeLessThanOrEqual(23)
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    expect(lines.at(-1)).toBe(`all options: s3move ${name} --help`)
    const shown = lines.filter((line) => /^ {2}(?:-., |    )--/.test(line)).length
    const { everyday } = named(name)
    const all = [...declarationsOf(named(name)).all.values()].filter(({ hidden }) => hidden !== true)
    expect(shown).toBe(everyday?.length ?? all.length)
  })

  test.each(names.flatMap((name) => [[name, 60] as const, [name, 110] as const]))(
    '%s --help of %i columns keeps to its width, and has every option',
    (name, width) => {
      const page = longPage(named(name), width)
      // A line to paste is not broken.
      const long = linesOf(page).filter(
        (line) => line.length > width && !/^(?:s3move| {2}(?:\. <\()?s3move)/.test(line),
      )
      expect(long).toEqual([])
      for (const [option, { hidden }] of declarationsOf(named(name)).all) {
        if (hidden !== true) expect(page).toMatch(new RegExp(`^ {2}(?:-., |    )--${option}(?: |$)`, 'm'))
      }
    },
  )

  test('it begins with what each day needs, and tells connections in one place and last', () => {
    const headings = [...longPage(named('copy'), 110).matchAll(/\n\n([A-Z].*:)\n/g)].map(([, one = '']) => one)
    expect(headings.slice(0, 4).map((one) => one.split(/[ :]/)[0])).toEqual([
      'Examples',
      'Arguments',
      'Everyday',
      'Objects',
    ])
    expect(headings.slice(-7).map((one) => one.replace(/ \(.*|:$/, ''))).toEqual([
      ...['Output', 'Run', 'Speed and failures', 'Connection', 'Connection of one side, where it differs'],
      ...['Help', 'Exit codes'],
    ])
  })

  test('defaults are those that hold: a resume keeps the settings of its run', () => {
    expect(longPage(named('copy'), 110)).toMatch(/--concurrency N +objects in flight at once \[default: 256\]/)
    expect(longPage(named('delete'), 110)).toMatch(/--concurrency N .*\[default: 10000\]/)
    const resume = longPage(named('resume'), 110)
    for (const option of ['concurrency N', 'lanes N', 'retry-for TIME', 'bandwidth SIZE', 'read-timeout TIME']) {
      expect(resume.replaceAll(/\n {20,}/g, ' ')).toMatch(new RegExp(`--${option} .*\\[default: that of the run\\]`))
    }
  })

  test('what a command has no use for is not offered, and its exit codes are those that it can end with', () => {
    for (const name of ['delete', 'set-headers', 'ls', 'du'])
      expect(longPage(named(name), 110)).not.toContain('--bandwidth')
    expect(longPage(named('ls'), 110)).not.toMatch(/^ {2}3 /m)
    expect(longPage(named('copy'), 110)).toMatch(/^ {2}3 +finished, but some objects failed$/m)
    expect(longPage(named('verify'), 110)).toMatch(/^ {2}3 +finished, and the two sides differ$/m)
    expect(longPage(named('sandbox'), 110)).not.toMatch(/^ {2}130 /m)
  })
})

describe('the help of the program', () => {
  test('-h fits 24 lines of 80 columns and has the commands by what they are for', async () => {
    const lines = linesOf(await shortMainPage(COMMANDS, 80))
    expect(lines.length).toBeLessThanOrEqual(23)
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    const headings = lines.filter((line) => line.endsWith(':'))
    expect(headings).toEqual(['Copying and changing:', 'Looking and rehearsing:', 'Runs:'])
  })

  test('--help has every command, examples, and exit codes', async () => {
    const page = await longMainPage(COMMANDS, 80)
    for (const name of names) expect(page).toMatch(new RegExp(`^  ${name} `, 'm'))
    for (const heading of ['Examples:', 'More help:', 'Exit codes:']) expect(page).toContain(`\n${heading}\n`)
    expect(page).toContain('s3move COMMAND --help')
  })

  test.each([...TOPICS.keys()])(
    'the topic %s shows options of a command and names a page that there is',
    async (name) => {
      const topic = TOPICS.get(name)!
      const page = await topicPage(name, topic, COMMANDS, 80)
      if (topic.options !== undefined) {
        for (const heading of topic.options.slice(1)) expect(page).toMatch(new RegExp(`^${heading}.*:$`, 'm'))
      }
      expect(readFileSync(join(ROOT, 'docs', topic.page), 'utf8')).toMatch(/^# /)
    },
  )
})

describe('the manual page', () => {
  test('is that of the declarations; if not, run: npm run docs', async () => {
    // The commands stand in the order of the help there.
    const order = [
      ...readFileSync(join(ROOT, 'src/cli.ts'), 'utf8').matchAll(/import\('\.\/commands\/([a-z-]+)\.js'\)/g),
    ]
    const all = new Map(order.map(([, name = '']) => [name, COMMANDS.get(name)!]))
    expect(await manPage(all)).toBe(readFileSync(join(ROOT, 'man/s3move.1'), 'utf8'))
  })

  test.skipIf(spawnSync('mandoc', ['-V']).error !== undefined)(
    'mandoc has nothing to warn of (skipped where it is not installed)',
    async () => {
      const file = join(await workFolder(), 's3move.1')
      writeFileSync(file, await manPage(COMMANDS))
      const { stdout } = spawnSync('mandoc', ['-Tlint', '-Wwarning', file], { encoding: 'utf8' })
      // It changes with the version alone.
      expect(linesOf(stdout).filter((line) => line !== '' && !line.includes('missing date'))).toEqual([])
    },
  )

  test.skipIf(spawnSync('man', ['--version']).error !== undefined)(
    'man shows what can be pasted as it is typed (skipped where it is not installed)',
    async () => {
      const file = join(await workFolder(), 's3move.1')
      writeFileSync(file, await manPage(COMMANDS))
      const shown = spawnSync('man', ['--warnings', '-l', '-P', 'cat', file], {
        encoding: 'utf8',
        env: { ...process.env, MANWIDTH: '200', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: '' },
      })
      expect(shown.stderr).toBe('')
      expect(shown.stdout).toContain("--exclude '*' --include '*.jpg'")
    },
  )
})

describe('wrapped', () => {
  test('breaks at spaces, keeps all words, and a long one whole', () => {
    expect(wrapped('a bb ccc dddddddd e', 5)).toEqual(['a bb', 'ccc', 'dddddddd', 'e'])
    expect(wrapped('', 5)).toEqual([''])
  })
})
