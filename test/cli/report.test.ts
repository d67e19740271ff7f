import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { put, sandbox } from '../support/cli-buckets.js'
import { front } from '../support/cli-front.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { faultOfLine } from '../support/json-schema.js'

const ODD = 'x/<img src=x onerror=alert(1)>|\u001b[31m`*\n&'

/** Refuses an object, with a message that is no text for a page. */
function refuse(response: ServerResponse): true {
  response.writeHead(400, { 'content-type': 'application/xml' })
  response.end('<Error><Code>InvalidTag</Code><Message>&lt;script&gt;alert(2)&lt;/script&gt;</Message></Error>')
  return true
}

/** A server and a folder in which a copy has ended of which some objects failed, one of them with an odd name. */
async function failedRun() {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['bad:seq:40:denied=4', 'dst'] })
  const at = ['--endpoint-url', server.url]
  const copy = ['copy', 's3://bad', 's3://dst/', ...at]
  expect((await run([...copy, '-q', '--checkpoint', '.s3move/bad'], { cwd })).code).toBe(3)
  return { cwd, server, at }
}

describe('s3move report', () => {
  test('tells all of a run as Markdown, unless another form is asked for', async () => {
    const { cwd } = await failedRun()
    const { code, stdout, stderr } = await run(['report'], { cwd })
    expect([code, stderr]).toEqual([0, ''])
    for (const line of [
      /^# Report: copy s3:\/\/bad\/ to s3:\/\/dst\/$/m,
      /^\*\*finished with failures\*\*/m,
      /^Next: <code>s3move resume .*--only-failed.*<\/code>$/m,
      /^\| copied \| 30 objects, /m,
      /^\| failed \| 10 objects \|$/m,
      /^\| AccessDenied \| 10 \| .+ \| .+ \| photos\/0+\d+\.jpg \|$/m,
      /^No comparison of both sides was found\. To run one: s3move verify, with --checkpoint DIR\.$/m,
      /^\| CopyObject \| \d+ \|$/m,
      /^\| program \| /m,
    ])
      expect(stdout.replaceAll(/&#(\d+);/g, (_, n) => String.fromCharCode(Number(n)))).toMatch(line)
  })

  test('is a record of JSON with what status tells, and more', async () => {
    const { cwd } = await failedRun()
    const { stdout } = await run(['report', '.s3move/bad', '--format', 'json'], { cwd })
    expect(faultOfLine(stdout.trimEnd())).toBeUndefined()
    const report = JSON.parse(stdout) as Record<string, unknown>
    expect(report).toMatchObject({
      type: 'report',
      state: 'finished',
      totals: { copied: 30, failed: { AccessDenied: 10 } },
      failureGroups: [{ code: 'AccessDenied', objects: 10, example: { operation: 'CopyObject' } }],
      proof: null,
    })
    const status = JSON.parse((await run(['status', '.s3move/bad', '--json'], { cwd })).stdout) as object
    expect(Object.keys(report)).toEqual(expect.arrayContaining(Object.keys(status)))
  })

  test('as a page needs nothing beside itself, and shows a name as text whatever is in it', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['odd', 'dst'] })
    await put(server, 'odd', ODD)
    const url = await front(server.url, {
      before: ({ method, url = '' }, response) => method === 'PUT' && url.startsWith('/dst/x') && refuse(response),
    })
    const copy = ['copy', 's3://odd', 's3://dst', '--endpoint-url', url, '-q', '--max-errors', '9', '--retry-for', '1s']
    expect((await run(copy, { cwd })).code).toBe(3)
    const { code, stdout } = await run(['report', '--to', 'report.html'], { cwd })
    expect([code, stdout]).toEqual([0, ''])
    const page = await readFile(join(cwd, 'report.html'), 'utf8')
    expect(page).toMatch(/^<!doctype html>/i)
    expect(page).toContain("default-src 'none'")
    expect(page).toContain('x/&#60;img src=x onerror=alert(1)&#62;|\\x1b[31m`*\\n&#38;: CopyObject &#60;script&#62;')
    expect(page).not.toMatch(/<script|<img|<link|src=["']|url\(/)
    expect(page).not.toContain('\u001b')
    expect(page.length).toBeLessThan(150_000)
  })

  test('tells the newest comparison of the same two sides, what it compared, and whether it was before the run', async () => {
    const { cwd, at } = await failedRun()
    const verify = ['verify', 's3://bad', 's3://dst/', ...at, '-q', '--checkpoint']
    expect((await run([...verify, '.s3move/v1'], { cwd })).code).toBe(3)
    expect((await run(['verify', 's3://dst/', 's3://bad', ...at, '-q', '--checkpoint', 'other'], { cwd })).code).toBe(3)
    const told = await run(['report', '.s3move/bad'], { cwd })
    expect(told.stdout).toMatch(/\(30 the same, 10 not; compared by size and ETag, ended [\d\-T&#;:.Z]+\)\.$/m)
    const { proof } = JSON.parse((await run(['report', '.s3move/bad', '--format', 'json'], { cwd })).stdout) as {
      readonly proof: object
    }
    expect(proof).toMatchObject({ verdicts: { same: 30, missing: 10, different: 0 } })
    expect((await run(['resume', '.s3move/bad', '--only-failed', '-q'], { cwd })).code).toBe(3)
    expect((await run(['report', '.s3move/bad'], { cwd })).stdout).toMatch(
      /It began before this run was saved last\.$/m,
    )
  })

  test('needs a run, and a form', async () => {
    const { cwd, at } = await failedRun()
    const told = async (args: readonly string[]): Promise<string> => refusal(await run(['report', ...args], { cwd }))
    expect(await told(['--to', 'report.pdf'])).toContain('--to names no form')
    expect(await told(['--to', 'none/report.md'])).toContain('does not exist')
    await run(['copy', 's3://bad', 's3://dst/b/', ...at, '-q', '--checkpoint', '.s3move/again'], { cwd })
    const several = await run(['report'], { cwd })
    expect([several.code, several.stderr]).toEqual([2, expect.stringMatching(/there are 2 runs here:\n/)])
    expect(refusal(await run(['report'], { cwd: await workFolder() }))).toContain('there is no run here')
    await writeFile(join(cwd, '.s3move/again/checkpoint.json'), '{')
    expect(await told(['.s3move/again'])).toContain('is cut short or damaged')
  })
})

describe('--report', () => {
  test('is written when a run ends, before --on-finish, also if objects failed', async () => {
    const { cwd, at } = await failedRun()
    const args = ['copy', 's3://bad', 's3://dst/c/', ...at, '-q', '--report', 'report.json']
    const { code } = await run([...args, '--on-finish', 'cp report.json seen.json'], { cwd })
    expect(code).toBe(3)
    const seen = await readFile(join(cwd, 'seen.json'), 'utf8')
    expect(faultOfLine(seen.trimEnd())).toBeUndefined()
    expect(JSON.parse(seen)).toMatchObject({ type: 'report', state: 'finished', totals: { copied: 30 } })
  })

  test('is of an interrupted run too, and of each session of its own', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3k', 'dst'], latency: 'copy=5-9' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--concurrency', '8', '-q']
    const running = start([...args, '--checkpoint', 'run', '--report', 'report.md'], { cwd })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 300, running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    expect(await readFile(join(cwd, 'report.md'), 'utf8')).toMatch(/^\*\*stopped\*\*/m)
    expect((await run(['resume', 'run', '-q', '--report', 'report.md'], { cwd })).code).toBe(0)
    expect(await readFile(join(cwd, 'report.md'), 'utf8')).toMatch(/^\*\*finished\*\*[^]*\| copied \| 3,000 objects/m)
  })

  test('that cannot be written at the end is warned of, and changes nothing of the end', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:600', 'dst'], latency: 'copy=5-9' })
    await mkdir(join(cwd, 'reports'))
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--concurrency', '8', '-q']
    const running = start([...args, '--report', 'reports/a.html', '--on-finish', 'cat > told'], { cwd })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 100, running)
    await rm(join(cwd, 'reports'), { recursive: true })
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^warning: --report: cannot write .* it does not exist, or was removed$/m),
    ])
    expect(JSON.parse(await readFile(join(cwd, 'told'), 'utf8'))).toMatchObject({ end: 'finished', exitCode: 0 })
  })

  test.each([
    ['no form', ['--report', 'report.pdf'], 'names no form that a report has'],
    ['no folder', ['--report', 'none/report.md'], 'does not exist'],
    ['a rehearsal', ['--report', 'report.md', '--dry-run'], '--dry-run makes none'],
  ])('is refused with %s, and nothing is done', async (_, more, told) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:5', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, ...more]
    expect(refusal(await run(args, { cwd }))).toContain(told)
    expect(server.stats().copies.dst?.total ?? 0).toBe(0)
  })

  test('of what keeps no run is refused, and one among the files of a side', async () => {
    const cwd = await workFolder()
    const { url } = await sandbox({ buckets: ['src:hex:5'] })
    const at = ['--endpoint-url', url]
    expect(refusal(await run(['ls', 's3://src', ...at, '--report', 'report.md'], { cwd }))).toContain(
      '--report tells what a checkpoint knows, and none was named',
    )
    const [folder, report] = [pathToFileURL(join(cwd, 'down')).href, join(cwd, 'down/report.md')]
    expect((await run(['copy', 's3://src', folder, ...at, '-q'], { cwd })).code).toBe(0)
    expect(refusal(await run(['sync', 's3://src', folder, ...at, '--report', report], { cwd }))).toContain(
      'would be taken for an object of it',
    )
  })
})
