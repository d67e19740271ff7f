import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { contentOf, sandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, run, start, until, workFolder } from '../support/cli-program.js'

/** Makes every clock of the program, in each of its threads, go wrong by as many milliseconds as the file says. */
const CLOCK = `
import { readFileSync } from 'node:fs'
const RealDate = Date
const wrong = () => Number(readFileSync(process.env.TEST_CLOCK, 'utf8'))
globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + wrong())
    else super(...given)
  }
  static now() {
    return RealDate.now() + wrong()
  }
}
`
const HOUR = 3_600_000

/** The environment of a program whose clock is set by writing to a file; and what sets it. */
async function settable(cwd: string): Promise<{ env: Record<string, string>; set: (by: number) => Promise<void> }> {
  const [preload, file] = [join(cwd, 'clock.mjs'), join(cwd, 'clock')]
  await writeFile(preload, CLOCK)
  const set = (by: number): Promise<void> => writeFile(file, String(by))
  await set(0)
  return { env: { NODE_OPTIONS: `--import=${pathToFileURL(preload).href}`, TEST_CLOCK: file }, set }
}

describe('a clock that is set while a run goes on', () => {
  test.each([
    ['back by an hour', [-HOUR]],
    ['forward by an hour', [HOUR]],
    ['forward by a day, then back by two', [24 * HOUR, -24 * HOUR]],
  ])(
    '%s: requests that hang are given up in time, every failure is told once and is in the ledger',
    async (_, steps) => {
      const cwd = await workFolder()
      // A server that checks signatures refuses those of another hour.
      const server = await sandbox({
        buckets: ['src:hex:4000:denied=50', 'dst'],
        latency: 'copy=4-12',
        faults: ['hang=1%@CopyObject'],
        ...CREDENTIALS,
      })
      const { env, set } = await settable(cwd)
      const args = [
        'copy',
        's3://src',
        's3://dst',
        '--endpoint-url',
        server.url,
        '--concurrency',
        '64',
        '--threads',
        '2',
      ]
      const running = start([...args, '--json', '--checkpoint', 'run'], { cwd, env })
      for (const [index, step] of steps.entries()) {
        await until(() => (server.stats().copies.dst?.unique ?? 0) > 800 * (index + 1), running)
        await set(step)
      }
      const { code, stdout } = await running.finished
      expect(code).toBe(3)
      const events = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; failure?: { key: string } })
      const told = events.filter(({ type }) => type === 'failed').map(({ failure }) => failure!.key)
      const ledger = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd().split('\n')
      expect(told.sort()).toEqual(ledger.map((line) => (JSON.parse(line) as { key: string }).key).sort())
      const there = await contentOf(server, 'dst')
      expect(told).toEqual([...(await contentOf(server, 'src')).keys()].filter((key) => !there.has(key)))
    },
  )

  test('between two tries at what failed, only what fails again is told', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:500:denied=10', 'dst'] })
    const { env, set } = await settable(cwd)
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    expect((await run(args, { cwd, env })).code).toBe(3)
    for (const step of [-HOUR, HOUR]) {
      await set(step)
      const told = async (code: string): Promise<number> => {
        const again = await run(['resume', 'run', '--only-failed', '--only-code', code, '--json'], { cwd, env })
        expect(again.code).toBe(3)
        return again.stdout.split('\n').filter((line) => line.includes('"type":"failed"')).length
      }
      const failed = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd().split('\n').length
      expect(await told('AccessDenied')).toBe(failed)
      expect(await told('SomethingElse')).toBe(0)
    }
  })
})
