import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { FORMAT } from '../../src/checkpoint/checkpoint.js'
import { createFolder, saveCheckpoint } from '../../src/checkpoint/checkpoint-file.js'
import { openFailures } from '../../src/checkpoint/failure-ledger.js'
import { lockRun } from '../../src/checkpoint/lock.js'
import { compareKeys, printable } from '../../src/keys.js'
import { sandbox } from '../support/cli-buckets.js'
import { PROGRAM, run, start, until, workFolder, type Running } from '../support/cli-program.js'
import { accessibilityFindings, CHROMIUM, endBrowser, fits, opened } from '../support/browser.js'
import { pageOf, watching } from '../support/live-pages.js'

const PHONE = { width: 360, height: 740 }

/** Names that would be more than text where somebody forgets that they are none. */
const HOSTILE = [
  '<img src=x onerror=window.hacked=1>',
  '"><script>window.hacked=1</script>',
  "'-window.hacked=1-'",
  '</td></table><iframe src="https://evil.example/">',
  '&lt;script&gt;&#60;b&#62;',
  '${window.hacked=1}`{{window.hacked=1}}',
  '\u202egpj.exe\u2066',
  'line\nbreak\ttab',
  ' \u00a0 ',
  'ünï/\u{1f600}/日本',
  'javascript:window.hacked=1//',
  'long'.repeat(200),
]

/** A run at work, as a folder tells of it, in which everything that a store or a person named has one of these names. */
async function hostileRun(): Promise<{ cwd: string; name: string }> {
  const cwd = await workFolder()
  const name = '<i onclick=alert(1)>'
  const folder = join(cwd, '.s3move', name)
  await createFolder(folder)
  const lock = await lockRun(folder)
  onTestFinished(() => lock.release())
  const failures = await openFailures(folder, { bytes: 0, entries: 0 })
  for (const key of HOSTILE) {
    const told = { operation: key, code: key.slice(0, 60), message: key, attempts: 1, time: '2026-03-04T09:00:00.000Z' }
    await failures.append([{ key, ...told }])
  }
  const ledger = failures.position
  await failures.close()
  const keys = [...HOSTILE].sort(compareKeys)
  const activities = HOSTILE.map((prefix, at) => ({ prefix, perSecond: at, throttled: at, failed: at }))
  await saveCheckpoint(folder, {
    ...{
      format: FORMAT,
      program: HOSTILE[0]!,
      connection: {},
      pace: { concurrency: 8, lanes: 8 },
      state: 'unfinished',
    },
    job: {
      kind: 'copy',
      source: { bucket: 'src', prefix: HOSTILE[0]! },
      destination: { bucket: 'dst', prefix: HOSTILE[1]! },
    },
    ...{ startedAt: '2026-03-04T09:00:00.000Z', savedAt: '2026-03-04T09:01:00.000Z', activeMs: 60_000, sessions: 1 },
    ranges: keys.slice(1).map((until, index) => ({ after: keys[index]!, until })),
    listed: 100,
    totals: {
      copied: 0,
      bytes: 0,
      skipped: {},
      failed: Object.fromEntries(HOSTILE.map((key) => [key.slice(0, 60), 1])),
    },
    ledger,
    paused: HOSTILE[0]!,
    requests: { CopyObject: 1 },
    activity: {
      ...{ inFlight: 1, threads: 1, retried: 0, held: { lanes: 1, rate: 1, prefix: HOSTILE[0]! } },
      ...{ busiest: activities, slowest: activities },
    },
    history: [0, 1, 2].map((n) => ({ activeMs: n * 20_000, settled: n, bytes: n, throttled: 0 })),
  })
  return { cwd, name }
}

/** A copy that goes on for some seconds, in several ranges, throttled, and of which some objects fail. */
async function busy(
  objects: number,
  more: readonly string[] = [],
): Promise<{ cwd: string; running: Running; url: string }> {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: [`src:dates:${objects}:denied=200`, 'dst'], latency: 'copy=20-40,list=5-9' })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--concurrency', '32']
  const running = start([...args, '--checkpoint', '.s3move/run', '--listen', '0', ...more], { cwd })
  return { cwd, running, url: await pageOf(running) }
}

describe.skipIf(CHROMIUM === undefined)('in a browser (skipped without chromium)', () => {
  afterAll(endBrowser)

  test('a run is stopped by a button that asks whether it is meant', async () => {
    const { running, url } = await busy(20_000, ['--listen-control'])
    const { page, complaints } = await opened(url)
    await page.getByText('at work', { exact: true }).first().waitFor()
    expect(await accessibilityFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Stop the run' }).press('Enter')
    await page.getByRole('button', { name: /^Stop it\?/ }).press('Enter')
    await page.getByText('what is in flight ends, and then the run').waitFor()
    expect((await running.finished).code).toBe(130)
    expect(complaints).toEqual([])
  })

  test('the pace of a run is changed by fields, and what is being written there stays while numbers come in', async () => {
    const { running, url } = await busy(20_000, ['--listen-control'])
    const { page, complaints } = await opened(url)
    const field = page.getByRole('textbox', { name: 'Objects in flight' })
    await field.fill('7')
    await page.getByText(/^\d+ objects? of at most 32$/).waitFor()
    expect(await accessibilityFindings(page)).toEqual([])
    expect(await field.inputValue()).toBe('7')
    await page.getByRole('textbox', { name: 'Bytes a second' }).fill('fast')
    await field.press('Enter')
    await page.getByText('--bandwidth wants bytes a second').waitFor()
    await page.getByRole('textbox', { name: 'Bytes a second' }).fill('none')
    await page.getByRole('button', { name: 'Change the pace' }).click()
    await page.getByText(/^\d+ objects? of at most 7$/).waitFor()
    running.kill('SIGKILL')
    expect(complaints.filter((one) => !one.includes('400'))).toEqual([])
  })

  test('a run is watched to its end, without a reload, and nothing is asked of anybody else', async () => {
    const { running, url } = await busy(10_000)
    const { page, complaints } = await opened(url)
    await page.getByText('at work', { exact: true }).first().waitFor()
    await page.getByRole('status').filter({ hasText: 'This page follows the run.' }).waitFor()
    await page.getByRole('img', { name: /pieces of the key space in order: .*being done/ }).waitFor()
    await page.getByRole('table', { name: 'Busiest prefixes' }).waitFor()
    await page.evaluate('loaded = 1')
    expect((await running.finished).code).toBe(3)
    await page.getByText(/^finished/).waitFor()
    await page.getByRole('status').filter({ hasText: 'Nothing more comes: the server has ended.' }).waitFor()
    expect(await page.evaluate('loaded')).toBe(1)
    expect(await page.getByRole('cell', { name: 'AccessDenied', exact: true }).count()).toBe(1)
    expect(complaints).toEqual([])
  })

  test('keys are text, whatever is in them: as prefixes, in failures, in the map, as the name of the run', async () => {
    const { cwd, name } = await hostileRun()
    const { url } = await watching(['--all'], { cwd })
    const { page, complaints } = await opened(url, { viewport: PHONE })
    await page.getByRole('link', { name, exact: true }).click()
    await page.getByRole('status').filter({ hasText: 'This page follows the run.' }).waitFor()
    await page.getByRole('heading', { name: HOSTILE[0]! }).waitFor()
    const shown = await page.locator('main').innerText()
    const flat = (text: string): string => text.replace(/\s+/g, ' ').trim()
    for (const key of HOSTILE) expect(flat(shown)).toContain(flat(printable(key)))
    for (const caption of ['Busiest prefixes', 'Slowest prefixes at work'])
      expect(await page.getByRole('table', { name: caption }).getByRole('row').count()).toBe(HOSTILE.length + 1)
    expect(await page.evaluate('window.hacked')).toBeUndefined()
    expect(await page.locator('img, iframe, b, main script, [onerror], [onmouseover], [onclick]').count()).toBe(0)
    expect(await fits(page)).toBe(true)
    expect(await accessibilityFindings(page)).toEqual([])
    expect(complaints).toEqual([])
  })

  test.each(['light', 'dark'] as const)(
    'it can be used by everybody, %s, on a desk and on a phone',
    async (colorScheme) => {
      const { cwd, running, url } = await busy(100_000)
      const { page, complaints } = await opened(url, { colorScheme })
      await page.getByRole('table', { name: 'Busiest prefixes' }).waitFor()
      await page.getByRole('cell', { name: 'AccessDenied', exact: true }).waitFor()
      expect(await accessibilityFindings(page)).toEqual([])
      const back = await page.evaluate('getComputedStyle(document.body).backgroundColor')
      expect(back).toBe(colorScheme === 'dark' ? 'rgb(22, 22, 22)' : 'rgb(255, 255, 255)')
      await page.setViewportSize(PHONE)
      expect(await fits(page)).toBe(true)
      expect(await accessibilityFindings(page)).toEqual([])
      running.kill('SIGKILL')
      const { url: index } = await watching(['--all'], { cwd })
      const all = await opened(index, { colorScheme, viewport: PHONE })
      expect(await accessibilityFindings(all.page)).toEqual([])
      expect(await fits(all.page)).toBe(true)
      expect([...complaints, ...all.complaints]).toEqual([])
    },
  )

  test('the keyboard is enough: to a run and back, and what is told anew takes no focus away', async () => {
    const { cwd, running } = await busy(100_000)
    const { url } = await watching(['--all'], { cwd })
    const { page } = await opened(url)
    const focused = (): Promise<string> => page.evaluate('document.activeElement?.textContent')
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('run')
    const cells = page.getByRole('cell')
    const done = async (): Promise<string> => (await cells.allInnerTexts())[3] ?? ''
    const before = await done()
    await until(async () => (await done()) !== before, running)
    expect(await focused()).toBe('run')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Numbers' }).waitFor()
    await page.getByRole('link', { name: 'All runs' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 's3move runs' }).waitFor()
  })

  test('a page that was opened before its run had begun shows all of it, and its name', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '-q', '--endpoint-url', server.url, '--checkpoint', 'run']
    expect((await run(args, { cwd })).code).toBe(0)
    const child = spawn(process.execPath, [PROGRAM, 'watch', '-', '--listen', '0'], { cwd })
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin.write('{}\n')
    const [url] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    const { page, complaints } = await opened(url.trim())
    await page.getByRole('status').filter({ hasText: 'This page follows the run.' }).waitFor()
    expect(await page.locator('main').innerText()).toContain('The run has not begun yet.')
    child.stdin.write('"run"\n')
    await page.getByRole('heading', { name: 'copy s3://src/ to s3://dst/' }).waitFor()
    await page.getByRole('heading', { name: 'Numbers' }).waitFor()
    expect(await page.title()).toBe('copy s3://src/ to s3://dst/')
    child.stdin.end()
    await page.getByRole('status').filter({ hasText: 'Nothing more comes' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('a page that has lost its server says so, and follows again when that is back', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '-q', '--endpoint-url', server.url, '--checkpoint', '.s3move/run']
    expect((await run(args, { cwd })).code).toBe(0)
    const { url, watch } = await watching(['--all'], { cwd })
    const { page } = await opened(url)
    await page.getByRole('status').filter({ hasText: 'This page follows the run.' }).waitFor()
    watch.kill('SIGKILL')
    await page.getByRole('status').filter({ hasText: 'No connection' }).waitFor()
    start(['watch', '--all', '--listen', new URL(url).port], { cwd })
    await page.getByRole('status').filter({ hasText: 'This page follows the run.' }).waitFor()
  })
})
