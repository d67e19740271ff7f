import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Checkpoint } from '../../src/checkpoint/checkpoint.js'
import { readCheckpoint } from '../../src/checkpoint/checkpoint-file.js'
import { contentOf, expectCopiedOnce, expectSame, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { follow, pageOf, pageProcess, pageText, watching } from '../support/live-pages.js'

/** The most that a page may take. */
const MOST_BYTES = 150_000

const SLOW = { buckets: ['src:hex:4k', 'dst'], latency: 'copy=10-20' }

/** A copy that goes on for some seconds, with its page. */
async function copying(more: readonly string[] = [], options: Parameters<typeof sandbox>[0] = SLOW) {
  const cwd = await workFolder()
  const server = await sandbox(options)
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--concurrency', '16']
  const running = start([...args, '--checkpoint', '.s3move/run', '--listen', '0', ...more], { cwd })
  return { cwd, server, running, url: await pageOf(running) }
}

/** A run that has ended, in `.s3move/NAME`. */
async function finished(cwd: string, name: string): Promise<void> {
  const server = await sandbox({ buckets: ['src:seq:40:denied=4', 'dst'] })
  const at = ['--endpoint-url', server.url, '-q', '--checkpoint', `.s3move/${name}`]
  expect((await run(['copy', 's3://src', 's3://dst', ...at], { cwd })).code).toBe(3)
}

describe('the page of a run', () => {
  test('follows it to its end: what is done, rates, where it works, what failed and why, and that it is over', async () => {
    const { running, server, url } = await copying(['--threads', '2'], {
      ...{ buckets: ['src:hex:8k:denied=200', 'dst'], latency: 'copy=20-30' },
    })
    const follower = await follow(url)
    await until(() => follower.sections.get('state')?.includes('at work') === true, running)
    await until(() => (follower.sections.get('prefixes') ?? '').includes('Busiest prefixes'), running)
    const facts = follower.sections.get('facts') ?? ''
    expect(facts).toMatch(/<th scope="row">by<\/th><td>process \d+ on /)
    expect(facts).toMatch(/<th scope="row">in flight<\/th><td>\d+ objects? of at most 16</)
    expect(facts).toContain('<th scope="row">threads</th><td>2</td>')
    const { code } = await running.finished
    expect(code).toBe(3)
    expect(await follower.ended).toBe(true)
    const { sections } = follower
    expect(sections.get('state')).toContain('<strong class="bad">finished with failures</strong>')
    expect(sections.get('charts')).toContain('<figcaption>objects a second: ')
    expect(sections.get('charts')).toContain('<figcaption>in flight: ')
    expect(sections.get('failures')).toMatch(/<td>AccessDenied<\/td><td class="n">\d+<\/td><td>.+; next: .+<\/td>/)
    expect(sections.get('requests')).toContain('<th scope="row">CopyObject</th>')
    expect(
      (await contentOf(server, 'dst')).size +
        Number(/AccessDenied<\/td><td class="n">(\d+)/.exec(sections.get('failures') ?? '')?.[1]),
    ).toBe(8000)
  })

  test.each([
    ['sync', ['sync', 's3://src', 's3://dst']],
    ['move', ['move', 's3://src', 's3://dst', '--yes']],
    ['delete', ['delete', 's3://src', '--yes']],
    ['set-headers', ['set-headers', 's3://src', '--cache-control', 'max-age=60']],
    ['ls', ['ls', 's3://many', '--to', 'list', '--checkpoint', 'run', '--lanes', '2']],
    ['du', ['du', 's3://many', '--checkpoint', 'run', '--lanes', '2']],
    ['verify', ['verify', 's3://many', 's3://dst', '--checkpoint', 'run', '--lanes', '2']],
  ])('is there while %s goes on, and ends with it', async (_, command) => {
    const cwd = await workFolder()
    const latency = 'copy=100-200,list=200-400,delete=2000-3000'
    const server = await sandbox({ buckets: ['src:hex:1500', 'many:hex:20k', 'dst'], latency })
    const args = [...command, '--endpoint-url', server.url, '--listen', '0']
    const running = start(args, { cwd })
    const follower = await follow(await pageOf(running))
    await until(() => follower.sections.get('state')?.includes('at work') === true, running)
    expect([0, 3]).toContain((await running.finished).code)
    expect(await follower.ended).toBe(true)
    expect(follower.sections.get('state')).toContain('>finished<')
  })

  test('is there for a resume, which shows the whole run', async () => {
    const { cwd, running, server } = await copying()
    await until(() => (server.stats().copies.dst?.total ?? 0) > 500, running)
    running.kill('SIGKILL')
    await running.finished
    const resumed = start(['resume', '.s3move/run', '--listen', '0'], { cwd })
    const follower = await follow(await pageOf(resumed))
    expect((await resumed.finished).code).toBe(0)
    expect(await follower.ended).toBe(true)
    expect(follower.sections.get('facts')).toMatch(/<th scope="row">at work<\/th><td>[^<]* in 2 sessions</)
    expect(follower.sections.get('facts')).toContain('4,000 of 4,000 objects')
  })

  test('may be killed: that is told once, and the run goes on to its end', async () => {
    const { running, server, url } = await copying()
    const follower = await follow(url)
    process.kill(pageProcess(running), 'SIGKILL')
    expect(await follower.ended).toBe(false)
    const { code, stderr } = await running.finished
    expect(code).toBe(0)
    expect(stderr.match(/warning: the live page is gone \(SIGKILL\); the run goes on\n/g)).toHaveLength(1)
    expectCopiedOnce(server, 'dst', 4000)
  })

  test('may stand still: the run does not wait for it', async () => {
    const { running, server } = await copying()
    const page = pageProcess(running)
    process.kill(page, 'SIGSTOP')
    onTestFinished(() => void process.kill(page, 'SIGKILL'))
    expect((await running.finished).code).toBe(0)
    expectCopiedOnce(server, 'dst', 4000)
  })

  test('may be followed by 200: nothing is lost or done twice, and all see the end', async () => {
    const { running, server, url } = await copying()
    const followers = await Promise.all(Array.from({ length: 200 }, () => follow(url)))
    const { code, stderr } = await running.finished
    expect([code, stderr.includes('warning')]).toEqual([0, false])
    expectCopiedOnce(server, 'dst', 4000)
    expectSame(await contentOf(server, 'src'), await contentOf(server, 'dst'))
    expect((await Promise.all(followers.map(({ ended }) => ended))).every((ended) => ended)).toBe(true)
    for (const { sections } of followers) expect(sections.get('state')).toContain('>finished<')
  })

  test('ends when the run is killed, so that no process is left', async () => {
    const { running, url } = await copying()
    const page = pageProcess(running)
    const follower = await follow(url)
    await until(() => follower.sections.get('state')?.includes('at work') === true, running)
    running.kill('SIGKILL')
    await running.finished
    expect(await follower.ended).toBe(true)
    expect(follower.sections.get('state')).toContain('>killed<')
    await until(() => !existsSync(`/proc/${page}`))
  })

  test('is of a folder with any name', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:200', 'dst'], latency: 'copy=20-30' })
    const name = 'a"b\n<i>\\'
    const at = ['--endpoint-url', server.url, '--concurrency', '4', '--checkpoint', name, '--listen', '0']
    const running = start(['copy', 's3://src', 's3://dst', ...at], { cwd })
    const url = await pageOf(running)
    const follower = await follow(url)
    await until(() => follower.sections.get('state')?.includes('at work') === true, running)
    const metrics = await pageText(url, '/metrics')
    expect(metrics).toContain('s3move_run_state{run="a\\"b')
    for (const line of metrics.split('\n')) expect(line).toMatch(/^$|^# (?:HELP|TYPE) |^s3move_\w+\{run="a\\"b[^"]*"/)
    expect((await running.finished).code).toBe(0)
  })

  test('is small, and is sent with rules by which nothing else runs', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:60k:denied=50', 'dst'], latency: 'copy=10-20,list=20-40' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--threads', '2', '--lanes', '64']
    const running = start([...args, '--checkpoint', 'run', '--listen', '0'], { cwd })
    const url = await pageOf(running)
    const follower = await follow(url)
    await until(() => (follower.sections.get('failures') ?? '').includes('AccessDenied'), running)
    await until(() => (follower.sections.get('keys') ?? '').includes('<svg'), running)
    const response = await fetch(url)
    const page = await response.arrayBuffer()
    expect(page.byteLength).toBeGreaterThan(5_000)
    expect(page.byteLength).toBeLessThan(MOST_BYTES)
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/)
    running.kill('SIGKILL')
  })
})

describe('--listen', () => {
  test('on a port that is in use is refused before anything is done, and what hears of ends hears of it', async () => {
    const cwd = await workFolder()
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--listen', String(port)]
    const refused = await run([...args, '--log-file', 'log', '--on-finish', 'cat > told.json'], { cwd })
    expect(refusal(refused)).toBe(
      `s3move: port ${port} of 127.0.0.1 is in use\n        name another with --listen, or 0 for one that is free`,
    )
    expect((await contentOf(server, 'dst')).size).toBe(0)
    expect(existsSync(join(cwd, '.s3move'))).toBe(false)
    expect(await readFile(join(cwd, 'log'), 'utf8')).toContain(`port ${port} of 127.0.0.1 is in use`)
    expect(JSON.parse(await readFile(join(cwd, 'told.json'), 'utf8'))).toMatchObject({ type: 'error', exitCode: 2 })
    expect(refusal(await run(['watch', '--all', '--listen', String(port)], { cwd }))).toContain('is in use')
  })

  test('where others reach it wants a token, and lets in who has it', async () => {
    const cwd = await workFolder()
    await finished(cwd, 'one')
    const wanting = await run(['watch', '--all', '--listen', '0.0.0.0:0'], { cwd })
    expect(refusal(wanting)).toMatch(
      /others than this machine reach 0\.0\.0\.0, so it needs a token\n.*S3MOVE_LISTEN_TOKEN/,
    )
    const env = { S3MOVE_LISTEN_TOKEN: 'tooshort' }
    expect(refusal(await run(['watch', '--all', '--listen', '0.0.0.0:0'], { cwd, env }))).toContain('shorter than 16')
    const token = '0123456789abcdef'
    const watch = start(['watch', '--all', '--listen', '0.0.0.0:0'], { cwd, env: { S3MOVE_LISTEN_TOKEN: token } })
    await until(() => /^http:\S+\n/.test(watch.stdout()), watch)
    const url = watch.stdout().trim().replace('0.0.0.0', '127.0.0.1')
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(new URL('/metrics', url))).status).toBe(401)
    const bearer = { headers: { authorization: `Bearer ${token}` } }
    expect(await (await fetch(new URL('/metrics', url), bearer)).text()).toContain('s3move_run_state')
    expect(watch.stdout() + watch.stderr()).not.toContain(token)
    watch.kill('SIGINT')
    expect((await watch.finished).code).toBe(130)
  })

  test('is refused where it says no address, and where there is nothing to show', async () => {
    const cwd = await workFolder()
    const { url } = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--listen']
    expect(refusal(await run([...copy, 'somewhere'], { cwd }))).toContain('--listen wants a port')
    expect(refusal(await run([...copy, '0', '--dry-run'], { cwd }))).toContain('--dry-run makes none')
    const ls = ['ls', 's3://src', '--endpoint-url', url, '--listen', '0']
    expect(refusal(await run(ls, { cwd }))).toContain('add --checkpoint DIR')
  })
})

describe('--listen-control', () => {
  const secretIn = (page: string): string => /data-secret="([^"]+)"/.exec(page)?.[1] ?? ''
  const ask = async (url: string, headers: Record<string, string>, path = 'stop'): Promise<number> =>
    (await fetch(new URL(path, url), { method: 'POST', headers })).status
  const askFor = async (url: string, pace: Record<string, string>): Promise<readonly [number, string]> => {
    const headers = { 'x-s3move-control': secretIn(await pageText(url)) }
    const body = new URLSearchParams(pace)
    const answer = await fetch(new URL('pace', url), { method: 'POST', headers, body })
    return [answer.status, (await answer.text()).trim()]
  }
  const saved = async (cwd: string): Promise<Checkpoint> => (await readCheckpoint(join(cwd, '.s3move/run'))).checkpoint

  test('gives the page a button that stops the run, as a signal does', async () => {
    const { cwd, running, server, url } = await copying(['--listen-control'])
    await until(() => (server.stats().copies.dst?.total ?? 0) > 200, running)
    expect(await ask(url, { 'x-s3move-control': secretIn(await pageText(url)) })).toBe(202)
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([130, expect.stringContaining('s3move resume .s3move/run')])
    expect((await run(['resume', '.s3move/run', '-q'], { cwd })).code).toBe(0)
    expectCopiedOnce(server, 'dst', 4000)
  })

  test('changes how many objects are in flight, in all threads, down and up, and a resume keeps to it', async () => {
    const { cwd, running, url } = await copying(['--listen-control', '--threads', '2'], {
      ...{ buckets: ['src:hex:100k', 'dst'], latency: 'copy=20-30' },
    })
    await until(async () => (await pageText(url)).includes('at work'), running)
    const inFlight = async (): Promise<readonly [number, number]> => {
      const { pace, activity } = await saved(cwd)
      return [pace.concurrency, activity?.inFlight ?? 0]
    }
    await until(async () => (await inFlight())[1] > 8, running)
    expect(await askFor(url, { concurrency: '3' })).toEqual([202, 'the run was told; the numbers below follow'])
    await until(async () => (await inFlight()).every((number) => number === 3), running)
    expect((await askFor(url, { concurrency: ' 90 ', bandwidth: '' }))[0]).toBe(202)
    await until(async () => (await inFlight()).every((number) => number > 60), running)
    running.kill('SIGTERM')
    expect((await running.finished).code).toBe(130)
    expect(running.stderr()).toContain('the pace was changed on the page: at most 3 objects in flight\n')
    expect((await saved(cwd)).pace.concurrency).toBe(90)
  })

  test('limits the bandwidth of a run that had no limit, and takes it away again', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:2k:size=4K'] })
    const args = [
      'copy',
      's3://src',
      pathToFileURL(join(cwd, 'here')).href,
      '--endpoint-url',
      server.url,
      '--checkpoint',
      '.s3move/run',
    ]
    const running = start([...args, '--listen', '0', '--listen-control'], { cwd })
    const url = await pageOf(running)
    // Asked for before there is an object: it is kept until then.
    expect((await askFor(url, { bandwidth: '20K' }))[0]).toBe(202)
    await until(async () => (await pageText(url)).includes('at most 20.0 KiB/s each way'), running)
    expect((await askFor(url, { bandwidth: 'none' }))[0]).toBe(202)
    expect((await running.finished).code).toBe(0)
    expect((await saved(cwd)).pace.bandwidth).toBeUndefined()
  })

  test('refuses a pace that cannot be, and tells why', async () => {
    const { running, server, url } = await copying(['--listen-control'])
    expect(await askFor(url, { concurrency: '0' })).toEqual([400, expect.stringContaining('from 1 to 10000')])
    expect(await askFor(url, { bandwidth: 'fast' })).toEqual([400, expect.stringContaining('bytes a second')])
    expect(await askFor(url, {})).toEqual([400, 'nothing was asked for'])
    expect(await askFor(url, { concurrency: '1'.repeat(2000) })).toEqual([400, 'that is too long for a pace'])
    expect((await running.finished).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(4000)
  })

  test('has a button to stop a listing, which has no pace to change', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:20k'], latency: 'list=200-400' })
    const args = ['du', 's3://src', '--endpoint-url', server.url, '--lanes', '2', '--checkpoint', '.s3move/run']
    const running = start([...args, '--listen', '0', '--listen-control'], { cwd })
    const url = await pageOf(running)
    await until(async () => (await pageText(url)).includes('at work'), running)
    expect(await pageText(url)).not.toContain('<form')
    expect(await ask(url, { 'x-s3move-control': secretIn(await pageText(url)) })).toBe(202)
    expect((await running.finished).code).toBe(130)
  })

  test('is nothing that another page may press, nor anybody who has not got the page', async () => {
    const { running, server, url } = await copying(['--listen-control'])
    const secret = secretIn(await pageText(url))
    expect(await ask(url, {})).toBe(403)
    expect(await ask(url, { 'x-s3move-control': 'another' })).toBe(403)
    expect(await ask(url, { 'x-s3move-control': secret }, 'other')).toBe(404)
    expect(await ask(url, {}, 'pace')).toBe(403)
    const preflight = await fetch(new URL('stop', url), {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null])
    expect((await running.finished).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(4000)
  })

  test('is off unless it is asked for', async () => {
    const { running, url } = await copying()
    expect(await pageText(url)).not.toContain('<button')
    expect(await ask(url, { 'x-s3move-control': 'undefined' })).toBe(405)
    expect((await running.finished).code).toBe(0)
  })

  test('is refused without a page', async () => {
    const refused = await run(['copy', 's3://a', 's3://b', '--listen-control'], { cwd: await workFolder() })
    expect(refusal(refused)).toContain('--listen-control is of the page of --listen')
  })
})

describe('watch', () => {
  test('shows a run that somebody else has started, and goes on showing it when that is over', async () => {
    const cwd = await workFolder()
    const server = await sandbox(SLOW)
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--concurrency', '16']
    const running = start([...args, '--checkpoint', '.s3move/run'], { cwd })
    await until(() => existsSync(join(cwd, '.s3move/run/checkpoint.json')), running)
    const { url, watch } = await watching([], { cwd })
    expect(await pageText(url)).toContain('at work')
    expect((await running.finished).code).toBe(0)
    expect(await pageText(url)).toContain('>finished<')
    const follower = await follow(url)
    watch.kill('SIGTERM')
    expect([(await watch.finished).code, await follower.ended]).toEqual([130, true])
  })

  test('--all shows every run at a path of its own, those that cannot be read and those to come too', async () => {
    const cwd = await workFolder()
    const { url } = await watching(['--all'], { cwd })
    expect(await pageText(url)).toContain('There is none yet.')
    await finished(cwd, 'one')
    await finished(cwd, 'two & <three>')
    await mkdir(join(cwd, '.s3move/torn'))
    await writeFile(join(cwd, '.s3move/torn/checkpoint.json'), '{"format":2,')
    const index = await pageText(url)
    const paths = [...index.matchAll(/<a href="([^"]*)">/g)].map(([, path = '']) => path)
    expect(paths.sort()).toEqual(['/runs/one', '/runs/torn', '/runs/two%20%26%20%3Cthree%3E'])
    expect(await pageText(url, '/runs/one')).toContain('AccessDenied')
    expect(await pageText(url, paths[2])).toContain('>finished with failures<')
    expect(await pageText(url, '/runs/torn')).toContain('checkpoint')
    expect(index).toMatch(/>torn<\/a><\/td><td>unreadable<\/td>/)
    for (const path of ['/runs/none', '/runs/..%2f..', '/runs/', '/one'])
      expect((await fetch(new URL(path, url))).status, path).toBe(404)
    const follower = await follow(url)
    await finished(cwd, 'late')
    await until(() => (follower.sections.get('runs') ?? '').includes('>late<'))
  })

  test('names what it wants where it cannot tell which run is meant', async () => {
    const cwd = await workFolder()
    expect(refusal(await run(['watch'], { cwd }))).toMatch(/no unfinished run here\n.*s3move watch --all/)
    await finished(cwd, 'one')
    expect(refusal(await run(['watch'], { cwd }))).toContain('no unfinished run here')
    expect(refusal(await run(['watch', 'nowhere'], { cwd }))).toContain('nowhere')
    expect(refusal(await run(['watch', '.s3move/one', '--all'], { cwd }))).toContain('contradict each other')
  })
})
