import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { PROGRAM, until, workFolder } from '../support/cli-program.js'
import { shellTerminal, type ShellTerminal } from '../support/pty.js'

/** The program as it is typed. */
const s3move = `${process.execPath} ${PROGRAM}`
/** Progress is told every 250 ms, so pages that come later come between two lines of it. */
const SLOW_LISTING = 'list=300-600'

async function terminalFor({ url }: TestSandbox, cwd?: string): Promise<ShellTerminal> {
  return await shellTerminal(cwd ?? (await workFolder()), { AWS_ENDPOINT_URL: url })
}

/** Types a command, and answers all lines behind it once the shell has taken its end in. */
async function outputOf(terminal: ShellTerminal, command: string): Promise<string[]> {
  terminal.type(`${command}; echo "rc=$?"\n`)
  await terminal.shows(/^rc=\d+$/)
  expect(terminal.lasting).toEqual([])
  const lines = await terminal.lines()
  return lines.slice(
    lines.findIndex((line) => line.includes('echo "rc=')) + 1,
    lines.findIndex((line) => /^rc=\d/.test(line)) + 1,
  )
}

describe('a terminal of 80 columns', () => {
  test('shows every difference that verify finds as a line for people, whole, with its summary below', async () => {
    const server = await sandbox({ buckets: ['src:seq:1500', 'dst'], latency: SLOW_LISTING })
    const lines = await outputOf(await terminalFor(server), `${s3move} verify s3://src s3://dst`)
    const keys = (await contentOf(server, 'src')).keys()
    expect(lines.filter((line) => line.startsWith('missing ')).sort()).toEqual(
      [...keys].map((key) => `missing    ${key}`).sort(),
    )
    expect(lines.slice(1500)).toEqual([
      'finished: 1,500 objects differ',
      '  missing   1,500 objects at the destination',
      expect.stringMatching(/^ {2}time {6}1,500 objects in /),
      'rc=3',
    ])
  })

  test('shows in what objects differ, and no command that a key holds', async () => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'size\u001b[2J', { Body: 'xx' })
    await put(server, 'dst', 'size\u001b[2J', { Body: 'x' })
    const [line] = await outputOf(await terminalFor(server), `${s3move} verify s3://src s3://dst`)
    expect(line).toBe('different  size\\x1b[2J  size 2 → 1')
    const [json] = await outputOf(await terminalFor(server), `${s3move} verify s3://src s3://dst --format json`)
    expect(JSON.parse(json!)).toMatchObject({ key: 'size\u001b[2J', verdict: 'different', differs: ['size'] })
  })

  test('shows verdicts, the end and errors in colours, and none with NO_COLOR', async () => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', '\u001b[32mkey', { Body: 'xx' })
    await put(server, 'dst', 'more', { Body: 'x' })
    const more = `${s3move} copy s3://src s3://dst --dry-run; ${s3move} ls s3://src --to keys.csv`
    const verify = `${s3move} verify s3://src s3://dst; ${more}; ${s3move} cp`
    const colours = async (terminal: ShellTerminal): Promise<(number | undefined)[]> => {
      const begins = [
        'missing    \\x1b[32mkey',
        'extra    ',
        'finished: 2 objects differ',
        'dry run: ',
        'wrote 1 object',
        's3move: there is',
      ]
      return await Promise.all(begins.map((text) => terminal.colourOf(text)))
    }
    const [RED, GREEN, YELLOW] = [1, 2, 3]
    const terminal = await terminalFor(server)
    await outputOf(terminal, verify)
    expect(await colours(terminal)).toEqual([RED, YELLOW, RED, GREEN, GREEN, RED])
    const plain = await terminalFor(server)
    await outputOf(plain, `export NO_COLOR=1; ${verify}`)
    expect(await colours(plain)).toEqual(Array.from({ length: 6 }))
  })

  test.each([
    ['to the terminal', ''],
    ['through a pipe whose reader writes to the terminal', ' | cat'],
  ])('shows every line of ls %s, and nothing between or over them', async (_, pipe) => {
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst'], latency: SLOW_LISTING })
    const lines = await outputOf(await terminalFor(server), `${s3move} ls s3://src --format csv${pipe}`)
    expect(lines.shift()).toBe('key,size,etag,last_modified,storage_class')
    expect(lines.pop()).toBe('rc=0')
    expect(lines.map((line) => line.split(',')[0]).sort()).toEqual([...(await contentOf(server, 'src')).keys()].sort())
    for (const line of lines) expect(line).toMatch(/^[0-9a-f]{32},\d+,[0-9a-f]{32},[^,]+,STANDARD$/)
  })
})

describe('a rehearsal on a terminal', () => {
  test.each([
    ['to the terminal', ''],
    ['through a pipe whose reader writes to the terminal', ' | cat'],
  ])('shows every line %s, and its result below', async (_, pipe) => {
    const server = await sandbox({ buckets: ['src:seq:1500', 'dst'], latency: SLOW_LISTING })
    const command = `${s3move} copy s3://src/ s3://dst/ --dry-run -v${pipe}`
    const lines = await outputOf(await terminalFor(server), command)
    const end = lines.indexOf('dry run: nothing was changed')
    const shown = lines.slice(1, end).map((line) => /^copy s3:\/\/src\/(.*) s3:\/\/dst\/\1$/.exec(line)?.[1])
    expect(shown.sort()).toEqual([...(await contentOf(server, 'src')).keys()].sort())
    expect(lines[end + 1]).toMatch(/^would copy {3}1,500 objects, /)
  })

  test('shows how far it has come while it lists', async () => {
    const server = await sandbox({ buckets: ['src:seq:20k', 'dst'], latency: 'list=300-400' })
    const terminal = await terminalFor(server)
    terminal.type(`${s3move} copy s3://src s3://dst --dry-run --lanes 1 --expect 20000\n`)
    await terminal.shows(/^(rehearsing )?about \d+% · [\d,]+ seen · /)
  })
})

describe('a copy on a terminal', () => {
  const copying = `${s3move} copy s3://src s3://dst --concurrency 4 --checkpoint run --expect 4000`
  const slow = (): Promise<TestSandbox> => sandbox({ buckets: ['src:hex:2000', 'dst'], latency: 'copy=20-30' })
  // Of 2,000 objects; when all are listed the total is known.
  const progress = /^(\[.*\] )?(copying )?(about )?\d+% · [\d,.]+k? (of [\d,.]+k? )?done/

  test.each(['KILL', 'HUP'] as const)(
    'leaves all that was written when SIG%s ends it, and the shell in a line of its own',
    async (signal) => {
      const server = await slow()
      const cwd = await workFolder()
      const terminal = await terminalFor(server, cwd)
      terminal.type(`${copying}\n`)
      await terminal.shows(progress)
      const { pid } = JSON.parse(await readFile(join(cwd, 'run/lock.1/holder.json'), 'utf8')) as { pid: number }
      process.kill(pid, `SIG${signal}`)
      await terminal.shows(signal === 'KILL' ? 'Killed' : /^ {2}next {6}s3move resume run$/)
      await until(async () => /^\$ ?$/.test((await terminal.lines()).at(-1) ?? ''))
      terminal.type('echo whole\n')
      await terminal.shows(/^whole$/)
      expect(terminal.lasting).toEqual([])
      const lines = await terminal.lines()
      expect(lines.slice(0, 2)).toEqual([`$ ${copying}`, 'copying s3://src/ to s3://dst/'])
      const echo = lines.indexOf('$ echo whole')
      expect(lines.slice(echo - 1, echo + 2)).toEqual([expect.stringMatching(/Killed|next/), '$ echo whole', 'whole'])
      const above = lines[echo - 2]
      expect(above).toMatch(signal === 'KILL' ? progress : /^ {2}time /)
    },
  )

  test('leaves what the shell writes while it is stopped with ^Z, and nothing of it is drawn while it is in the background', async () => {
    const server = await slow()
    const terminal = await terminalFor(server)
    terminal.type(`${copying}\n`)
    await terminal.shows(progress)
    terminal.type('\x1a')
    await terminal.shows(/^\[1\]\+ {2}Stopped/)
    terminal.type('bg\n')
    await terminal.shows(/^\[1\]\+ .* &$/)
    const before = server.stats().copies.dst?.unique ?? 0
    // More than a second's work: several times progress would have been drawn.
    await until(() => (server.stats().copies.dst?.unique ?? 0) > before + 200)
    terminal.type('echo undisturbed\n')
    await terminal.shows(/^undisturbed$/)
    terminal.type('fg\n')
    await until(async () => (await terminal.lines()).filter((line) => progress.test(line)).length === 2)
    const lines = await terminal.lines()
    const from = lines.findIndex((line) => line.startsWith('[1]+  Stopped'))
    expect(lines.slice(from - 2)).toEqual([
      expect.stringMatching(progress),
      '^Z',
      expect.stringMatching(/^\[1\]\+ {2}Stopped/),
      '$ bg',
      expect.stringMatching(/^\[1\]\+ .* &$/),
      '$ echo undisturbed',
      'undisturbed',
      '$ fg',
      copying,
      expect.stringMatching(progress),
    ])
    expect(terminal.lasting).toEqual([])
    terminal.type('\x03')
    await terminal.shows(/^ {2}next {6}s3move resume run$/)
    // Only then is the folder of the run left alone.
    await until(async () => /^\$ ?$/.test((await terminal.lines()).at(-1) ?? ''))
  })

  test('has with --progress full a table of the busiest prefixes, with what was throttled and failed there, and nothing of it afterwards', async () => {
    const server = await sandbox({
      buckets: ['src:dates:4k:denied=50', 'dst'],
      ...{ latency: 'copy=20-30', rate: 'write=100' },
    })
    const terminal = await terminalFor(server)
    const full = 'copy s3://src s3://dst --concurrency 32 --progress full --max-errors 9999'
    terminal.type(`${s3move} ${full} --checkpoint run\n`)
    await terminal.shows(/^ {2}busiest prefixes +rate {2}throttled {2}failed$/)
    await terminal.shows(/^ {2}logs\/20\d\d\/ +[\d.,]+k?\/s +[1-9]\d* +\d+$/)
    await terminal.shows(/^ {2}logs\/20\d\d\/ +[\d.,]+k?\/s +\d+ +[1-9]\d*$/)
    terminal.type('\x03')
    await terminal.shows(/^ {2}next {6}s3move resume run$/)
    await until(async () => /^\$ ?$/.test((await terminal.lines()).at(-1) ?? ''))
    expect(
      (await terminal.lines()).filter((line) => line.includes('busiest prefixes') || /^ {2}logs\//.test(line)),
    ).toEqual([])
    expect(terminal.lasting).toEqual([])
  })
})
