import { spawn, spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sandbox } from '../support/cli-buckets.js'
import { run, start, until, workFolder } from '../support/cli-program.js'
import { pageText, valueOf, watching } from '../support/live-pages.js'
import { freePort } from '../support/free-port.js'
import { installed } from '../support/installed.js'

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0'

/** A folder with a run that has ended and one that was killed, and what serves their metrics. */
async function served() {
  const cwd = await workFolder()
  const server = await sandbox({
    buckets: ['src:hex:300', 'bad:seq:40:denied=4', 'slow:hex:6k', 'dst'],
    latency: 'copy=5-9',
  })
  const at = ['--endpoint-url', server.url, '-q', '--checkpoint']
  expect((await run(['copy', 's3://bad', 's3://dst/b/', ...at, '.s3move/ended'], { cwd })).code).toBe(3)
  const slow = start(['copy', 's3://slow', 's3://dst/c/', ...at, '.s3move/killed', '--concurrency', '8'], { cwd })
  await until(() => (server.stats().copies.dst?.total ?? 0) > 700, slow)
  slow.kill('SIGKILL')
  await slow.finished
  return { cwd, ...(await watching(['--all'], { cwd })) }
}

/** Prometheus, which scrapes a target; answers what it says to a query. */
async function prometheus(target: string, cwd: string) {
  const port = await freePort()
  const config = [
    ...['global:', '  scrape_interval: 200ms', '  scrape_timeout: 200ms', 'scrape_configs:', '  - job_name: s3move'],
    ...['    static_configs:', `      - targets: ['${new URL(target).host}']`, ''],
  ]
  await writeFile(join(cwd, 'prometheus.yml'), config.join('\n'))
  const child = spawn(
    'prometheus',
    [
      ...['--config.file', join(cwd, 'prometheus.yml'), '--storage.tsdb.path', join(cwd, 'tsdb')],
      ...['--web.listen-address', `127.0.0.1:${port}`, '--log.level', 'warn'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const said: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text))
  const closed = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  const query = async (text: string): Promise<{ metric: Record<string, string>; value: number }[]> => {
    if (child.exitCode !== null) throw new Error(`prometheus ended: ${said.join('')}`)
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`).catch(
      () => undefined,
    )
    if (answer?.ok !== true) return []
    const { data } = (await answer.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] }
    }
    return data.result.map(({ metric, value: [, number] }) => ({ metric, value: Number(number) }))
  }
  const valueOfQuery = async (text: string): Promise<number | undefined> => (await query(text))[0]?.value
  return { query, value: valueOfQuery, said: () => said.join('') }
}

describe('/metrics', () => {
  test('is OpenMetrics for who asks for that, else the text format, with the same numbers', async () => {
    const { url } = await served()
    const scraped = async (accept?: string) => {
      const answer = await fetch(new URL('/metrics', url), accept === undefined ? {} : { headers: { accept } })
      return { type: answer.headers.get('content-type'), text: await answer.text() }
    }
    const [plain, open] = [await scraped(), await scraped(`${OPEN_METRICS},text/plain;q=0.5`)]
    expect(plain.type).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(open.type).toMatch(/^application\/openmetrics-text; version=1\.0\.0/)
    expect(open.text).toMatch(/\n# EOF\n$/)
    const series = 's3move_objects_total{run="ended",outcome="written"}'
    for (const { text } of [plain, open]) expect(valueOf(text, series)).toBe(30)
    const names = (text: string) => text.split('\n').flatMap((line) => /^\w+\{[^}]*\}/.exec(line)?.[0] ?? [])
    expect(names(open.text)).toEqual(names(plain.text))
    expect(await (await fetch(new URL('/metrics', url))).text()).not.toMatch(/src|dst|key/)
  })

  test('counts on over a resume', async () => {
    const { cwd, url } = await served()
    const counters = async (): Promise<Map<string, number>> => {
      const text = await pageText(url, '/metrics')
      const lines = text.split('\n').filter((line) => /^s3move_\w+_total\{run="killed"/.test(line))
      return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(/ (\S+)$/.exec(line)?.[1])]))
    }
    const before = await counters()
    const written = 's3move_objects_total{run="killed",outcome="written"}'
    expect(before.get(written)).toBeGreaterThan(0)
    const resumed = await run(['resume', '.s3move/killed', '-q', '--concurrency', '256'], { cwd })
    expect(resumed.code).toBe(0)
    const after = await counters()
    expect(after.get(written)).toBe(6000)
    for (const [series, value] of before) expect(after.get(series), series).toBeGreaterThanOrEqual(value)
    expect(after.get('s3move_sessions_total{run="killed"}')).toBe(2)
  })

  test.skipIf(!installed('promtool'))(
    'is what Prometheus has nothing to say against (skipped without promtool)',
    async () => {
      const { url } = await served()
      const input = await pageText(url, '/metrics')
      const checked = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
      expect([checked.status, checked.stdout, checked.stderr]).toEqual([0, '', ''])
    },
  )

  test.skipIf(!installed('prometheus'))(
    'is scraped by Prometheus: runs that have ended too, and a run that goes on grows there (skipped without prometheus)',
    async () => {
      const { cwd, url } = await served()
      const { query, value, said } = await prometheus(url, cwd)
      await until(async () => (await value('up{job="s3move"}')) === 1)
      const ended = 's3move_objects_total{run="ended",outcome="written"}'
      await until(async () => (await value(ended)) === 30)
      expect(await value('s3move_failed_objects{run="ended",code="AccessDenied"}')).toBe(10)
      expect(await value('s3move_run_state{run="ended",state="finished"}')).toBe(1)
      expect(await value('s3move_run_state{run="killed",state="killed"}')).toBe(1)
      const written = 's3move_objects_total{run="killed",outcome="written"}'
      const before = (await value(written)) ?? NaN
      expect(before).toBeGreaterThan(0)
      expect((await run(['resume', '.s3move/killed', '-q', '--concurrency', '64'], { cwd })).code).toBe(0)
      await until(async () => (await value(written)) === 6000)
      // No reset was seen, so the counter grew by what the resume did.
      expect(await value(`resets(${written}[5m])`)).toBe(0)
      await until(async () => (await value('s3move_run_state{run="killed",state="finished"}')) === 1)
      const labels = new Set((await query('{__name__=~"s3move_.+"}')).flatMap(({ metric }) => Object.keys(metric)))
      expect([...labels].sort()).toEqual(
        ['__name__', 'code', 'instance', 'job', 'kind', 'operation', 'outcome', 'reason', 'run', 'state'].filter(
          (label) => labels.has(label),
        ),
      )
      expect(said()).toBe('')
    },
  )

  test('has every metric of which docs/monitoring.md tells, and no other', async () => {
    const { url } = await served()
    const text = await pageText(url, '/metrics')
    const page = await readFile(new URL('../../docs/monitoring.md', import.meta.url), 'utf8')
    const told = [...page.matchAll(/^\| `(s3move_\w+)/gm)].map(([, name = '']) => name)
    const there = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name)
    expect(there.sort()).toEqual(told.sort())
  })
})
