import { createHmac } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { receiver, type Posted } from '../support/webhook.js'

async function given(objects = 3) {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (let n = 0; n < objects; n++) await put(server, 'src', `a${n}`, { Body: 'hello' })
  const copy = (...more: string[]) => ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, ...more]
  const read = (name: string): Promise<string> => readFile(join(cwd, name), 'utf8')
  return { cwd, server, copy, read }
}

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /

describe('--log-file', () => {
  test('gets each line that a person sees, with the time, behind those of before', async () => {
    const { cwd, copy, read } = await given()
    const first = await run(copy('--log-file', 'run.log', '-v', '--checkpoint', 'one'), { cwd })
    const second = await run(copy('--log-file', 'run.log', '--json', '--checkpoint', 'two'), { cwd })
    expect([first.code, second.code, second.stderr]).toEqual([0, 0, ''])
    const lines = (await read('run.log')).trimEnd().split('\n')
    expect(lines.filter((line) => !STAMP.test(line))).toEqual([])
    const bare = lines.map((line) => line.replace(STAMP, ''))
    const seen = first.stderr.trimEnd().split('\n')
    expect(seen).toContain('copied a1 (5 B)')
    expect(bare.slice(0, seen.length)).toEqual(seen)
    expect(bare.slice(seen.length)).toContain('finished: 3 objects copied, none skipped, none failed')
    expect(bare.slice(seen.length)).not.toContain('copied a1 (5 B)')
  })

  test('has no colours where standard error has some, nor has JSON; and a pipe has none by itself', async () => {
    const { cwd, server, copy, read } = await given()
    const plain = await run(copy('--checkpoint', 'one'), { cwd })
    expect(plain.stderr).not.toContain('\x1b')
    const coloured = await run(copy('--checkpoint', 'two', '--log-file', 'run.log', '--color', 'always'), { cwd })
    expect(coloured.stderr).toContain('\x1b[32mfinished: 3 objects copied, none skipped, none failed\x1b[39m\n')
    expect(await read('run.log')).toContain('Z finished: 3 objects copied, none skipped, none failed\n')
    const json = await run(copy('--checkpoint', 'three', '--json', '--color', 'always'), { cwd })
    expect([json.code, json.stderr]).toEqual([0, ''])
    const ls = ['ls', 's3://src', '--endpoint-url', server.url, '--color', 'always']
    for (const { stdout } of [json, await run(ls, { cwd })]) expect(stdout).not.toContain('\x1b')
    const wrong = await run(copy('--color', 'sometimes'), { cwd })
    expect(refusal(wrong)).toContain('--color cannot be sometimes')
    expect(await read('run.log')).not.toContain('\x1b')
  })

  test('that cannot be written any more is told once, and the run goes on to its end', async () => {
    const { cwd, server, copy } = await given()
    const { code, stderr } = await run(copy('--log-file', '/dev/full', '-v'), { cwd })
    expect(code).toBe(0)
    expect(stderr.match(/warning: the log file \/dev\/full is no longer written: ENOSPC/g)).toHaveLength(1)
    expect((await contentOf(server, 'dst')).size).toBe(3)
  })

  test('that cannot be opened, or would be an object of a side, is refused before anything is done', async () => {
    const { cwd, server, copy } = await given()
    expect(refusal(await run(copy('--log-file', 'none/run.log'), { cwd }))).toContain('none/run.log')
    await mkdir(join(cwd, 'in'))
    const within = ['copy', `file://${cwd}/in`, 's3://dst', '--endpoint-url', server.url, '--log-file', 'in/run.log']
    expect(refusal(await run(within, { cwd }))).toContain('would be taken for an object')
    expect((await contentOf(server, 'dst')).size).toBe(0)
  })

  test('has why a run did not begin, and what a listing told', async () => {
    const { cwd, server, read } = await given()
    const args = ['--endpoint-url', server.url, '--log-file', 'run.log']
    refusal(await run(['ls', 's3://nowhere', ...args], { cwd }))
    expect((await run(['ls', 's3://src', '--to', 'list', ...args], { cwd })).code).toBe(0)
    const log = await read('run.log')
    expect(log).toMatch(/Z s3:\/\/nowhere: ListObjectsV2 failed: .*NoSuchBucket/)
    expect(log).toMatch(/Z wrote 3 objects in /)
  })
})

describe('--on-finish', () => {
  test('has the summary on its standard input, and leaves the exit code as it is when it fails', async () => {
    const { cwd, copy, read } = await given()
    const { code, stderr } = await run(copy('--on-finish', 'cat > told.json; echo said; exit 7'), { cwd })
    expect(code).toBe(0)
    expect(stderr).toMatch(/said\nwarning: --on-finish cat > told\.json; echo said; exit 7: it ended with 7\n$/)
    const told = JSON.parse(await read('told.json')) as Record<string, unknown>
    expect(told).toMatchObject({ type: 'summary', end: 'finished', exitCode: 0, totals: { copied: 3 } })
  })

  test('is run though objects failed, the run did not begin, or it was interrupted', async () => {
    const { cwd, server, copy, read } = await given(40)
    const tell = async (name: string) => JSON.parse(await read(name)) as Record<string, unknown>
    await server.fault('denied', '100%', 'CopyObject')
    const refused = await run(copy('--on-finish', 'cat > refused.json'), { cwd })
    expect([refused.code, await tell('refused.json')]).toEqual([
      2,
      expect.objectContaining({
        type: 'error',
        exitCode: 2,
        message: expect.stringContaining('AccessDenied') as string,
      }),
    ])
    await server.fault('denied', '0', 'CopyObject')
    await server.fault('hang', '30%', 'CopyObject')
    const running = start(copy('--on-finish', 'cat > interrupted.json', '--concurrency', '4'), { cwd })
    await until(async () => (await contentOf(server, 'dst')).size > 0, running)
    running.kill('SIGINT')
    running.kill('SIGTERM')
    const { code } = await running.finished
    expect([code, (await tell('interrupted.json')).end]).toEqual([130, 'interrupted'])
  })

  test('is of one start: a rehearsal does not run it, a resume that does not name it neither', async () => {
    const { cwd, copy } = await given()
    const hook = ['--on-finish', 'touch ran', '--checkpoint', 'run']
    expect((await run(copy(...hook, '--dry-run'), { cwd })).code).toBe(0)
    expect(existsSync(join(cwd, 'ran'))).toBe(false)
    expect((await run(copy(...hook), { cwd })).code).toBe(0)
    expect(existsSync(join(cwd, 'ran'))).toBe(true)
    expect((await run(['resume', 'run', '--on-finish', 'touch again'], { cwd })).code).toBe(0)
    expect(existsSync(join(cwd, 'again'))).toBe(true)
  })

  test('is told of the end of what only reads, and need not read that', async () => {
    const { cwd, server, read } = await given()
    const args = ['--endpoint-url', server.url]
    const ended = await run(['du', 's3://src', ...args, '--on-finish', 'cat > told.json'], { cwd })
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    expect(JSON.parse(await read('told.json'))).toMatchObject({ type: 'summary', end: 'finished', exitCode: 0 })
    const deaf = await run(['ls', 's3://src', ...args, '-q', '--on-finish', 'true'], { cwd })
    expect([deaf.code, deaf.stderr]).toEqual([0, ''])
  })
})

describe('--notify', () => {
  const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

  // As a receiver of Standard Webhooks checks it.
  const isSigned = ({ headers, body }: Posted): boolean => {
    const [id, time] = [headers['webhook-id'], headers['webhook-timestamp']]
    const mac = createHmac('sha256', Buffer.from(SECRET.slice('whsec_'.length), 'base64'))
    return headers['webhook-signature'] === `v1,${mac.update(`${String(id)}.${String(time)}.${body}`).digest('base64')}`
  }

  test('POSTs the summary, signed with the secret of the environment', async () => {
    const { cwd, copy, read } = await given()
    const { url, posted } = await receiver(204)
    const args = copy('--notify', `${url}/path?job=nightly`, '--on-finish', 'cat > told.json')
    const { code, stderr } = await run(args, { cwd, env: { S3MOVE_NOTIFY_SECRET: SECRET } })
    expect([code, stderr.includes('--notify')]).toEqual([0, false])
    expect(posted.map(({ method, path }) => [method, path])).toEqual([['POST', '/path?job=nightly']])
    const [{ headers, body } = posted[0]!] = posted
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': expect.stringMatching(/^msg_[0-9a-f-]{36}$/) as string,
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/) as string,
    })
    expect(`${body}\n`).toBe(await read('told.json'))
    expect(JSON.parse(body)).toMatchObject({ type: 'summary', end: 'finished', exitCode: 0, totals: { copied: 3 } })
    expect(posted.map(isSigned)).toEqual([true])
    expect(isSigned({ ...posted[0]!, body: body.replace('"copied":3', '"copied":4') })).toBe(false)
  })

  test('signs nothing without a secret, and has the user name of the URL sent', async () => {
    const { cwd, server } = await given()
    const { url, posted } = await receiver(200)
    const hook = url.replace('//', '//me:pass%20word@')
    const ended = await run(['du', 's3://src', '--endpoint-url', server.url, '--notify', hook], { cwd })
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    expect(posted.map(({ headers }) => [headers.authorization, headers['webhook-signature']])).toEqual([
      [`Basic ${Buffer.from('me:pass word').toString('base64')}`, undefined],
    ])
    expect(JSON.parse(posted[0]!.body)).toMatchObject({ type: 'summary', end: 'finished', exitCode: 0 })
  })

  test('tells of a run that did not begin; tries again; what fails is a warning that shows no path', async () => {
    const { cwd, server, copy } = await given()
    const { url, posted } = await receiver(503, 204)
    const again = await run(['ls', 's3://nowhere', '--endpoint-url', server.url, '--notify', `${url}/secret`], { cwd })
    expect(again.code).toBe(2)
    expect(again.stderr).toContain(`--notify ${url}: it answered 503; it is tried again for a minute at most\n`)
    expect(posted.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      { type: 'error', exitCode: 2 },
      { type: 'error', exitCode: 2 },
    ])
    const gone = await receiver(410)
    const failed = await run(copy('--notify', `${gone.url.replace('//', '//me:pass@')}/secret`), { cwd })
    expect(failed.code).toBe(0)
    expect(failed.stderr).toMatch(new RegExp(`\nwarning: --notify ${gone.url}: it answered 410\n$`))
    expect(again.stderr + failed.stderr).not.toMatch(/secret|me:|pass/)
  })

  test('is of a run: a rehearsal sends nothing, and a job of a file shows where, and not the path', async () => {
    const { cwd, server, copy } = await given()
    const { url, posted } = await receiver(204)
    expect((await run(copy('--notify', url, '--dry-run'), { cwd })).code).toBe(0)
    expect(posted).toEqual([])
    const job = `{command: ls, source: "s3://src", endpoint-url: "${server.url}", notify: "${url}/secret"}`
    await writeFile(join(cwd, 's3move.yaml'), `jobs: {names: ${job}}`)
    const ran = await run(['run', 'names', '--log-file', 'run.log'], { cwd })
    expect([ran.code, posted.length]).toEqual([0, 1])
    expect(ran.stderr).toContain(`--notify='${url}/…'`)
    expect(ran.stderr).not.toContain('secret')
  })

  test('that nobody answers is ended by a second signal, and the exit code is that of the run', async () => {
    const { cwd, copy } = await given()
    const { url, posted } = await receiver(0)
    const running = start(copy('--notify', url), { cwd })
    await until(() => posted.length > 0, running)
    running.kill('SIGINT')
    running.kill('SIGTERM')
    const { code, stderr } = await running.finished
    expect(code).toBe(0)
    expect(stderr).toContain(`warning: --notify ${url}: it was ended before it was taken\n`)
  })

  test.each([
    ['ftp://me:secret@host/secret', undefined, '--notify is not an http:// or https:// URL'],
    ['hooks.example.com/secret', undefined, '--notify is not an http:// or https:// URL'],
    ['http://me%zz:secret@host', undefined, '--notify is not an http:// or https:// URL'],
    ['http://127.0.0.1:1', 'too short a secret', 'S3MOVE_NOTIFY_SECRET is not whsec_ and 24 to 64 bytes'],
    ['http://127.0.0.1:1', 'whsec_c2VjcmV0', 'S3MOVE_NOTIFY_SECRET is not whsec_ and 24 to 64 bytes'],
    ['http://127.0.0.1:1', '', 'S3MOVE_NOTIFY_SECRET is not whsec_ and 24 to 64 bytes'],
  ])('is refused before anything is done, and not shown: %s, with the secret %j', async (hook, secret, why) => {
    const { cwd, server, copy } = await given()
    const told = refusal(await run(copy('--notify', hook), { cwd, env: { S3MOVE_NOTIFY_SECRET: secret } }))
    expect(told).toContain(why)
    expect(told).not.toMatch(/secret@|\/secret|too short a|c2Vj/)
    expect((await contentOf(server, 'dst')).size).toBe(0)
  })
})

describe('--log-format', () => {
  test('journald has the priority of syslog before each line, and no colours', async () => {
    const { cwd, copy } = await given(4)
    const args = copy(
      '--log-format',
      'journald',
      '--color',
      'always',
      '--storage-class',
      'STANDARD_AI',
      '--log-file',
      '/dev/full',
    )
    const ran = await run(args, { cwd })
    const refused = await run(copy('--log-format', 'journald', '--concurrency', 'x'), { cwd })
    expect([ran.code, refused.code]).toEqual([3, 2])
    const lines = `${ran.stderr}${refused.stderr}`.trimEnd().split('\n')
    expect(lines.filter((line) => !/^<[346]>[^\x01\x02\x1b]/.test(line))).toEqual([])
    const of = (priority: number): string[] => lines.filter((line) => line.startsWith(`<${priority}>`))
    expect(of(3).join('\n')).toMatch(
      /^<3>failed a\d: .*\n<3>finished with failures: .*(\n<3> .*)+\n<3>s3move: --concurrency.*\n<3> {8}/,
    )
    expect(of(4).join()).toMatch(/^<4>warning: the log file/)
    expect(of(6)[0]).toBe('<6>copying s3://src/ to s3://dst/')
    expect(refusal(await run(copy('--log-format', 'syslog'), { cwd }))).toContain('--log-format cannot be syslog')
  })
})

describe('as a service of systemd', () => {
  // What a program of this name is told, a line each, stands in `told`.
  async function withSystemd(script: string) {
    const all = await given()
    const bin = join(all.cwd, 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'systemd-notify'), `#!/bin/sh\n${script}\n`)
    await chmod(join(bin, 'systemd-notify'), 0o755)
    const env = { PATH: `${bin}:${process.env.PATH ?? ''}`, NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '300000' }
    return { ...all, env, told: () => all.read('told').catch(() => '') }
  }

  test('a run tells when it is up, how it goes, that it lives, that it stops, and how it ended, before it ends', async () => {
    const { cwd, server, copy, env, told } = await withSystemd('echo "$*" >> told')
    for (let n = 0; n < 40; n++) await put(server, 'src', `b${n}`, { Body: 'hello' })
    await server.fault('hang', '30%', 'CopyObject')
    const running = start(copy('--concurrency', '4'), { cwd, env })
    await until(async () => (await contentOf(server, 'dst')).size > 0, running)
    await until(async () => (await told()).split('WATCHDOG=1\n').length > 4, running)
    running.kill('SIGTERM')
    await until(async () => (await told()).includes('STOPPING=1'), running)
    running.kill('SIGTERM')
    expect((await running.finished).code).toBe(130)
    const lines = (await told()).trimEnd().split('\n')
    expect(lines[0]).toBe('READY=1')
    expect(lines).toContain('STOPPING=1')
    expect(lines.findLast((line) => line.startsWith('STATUS='))).toMatch(/^STATUS=interrupted before it finished/)
  })

  test('a run without a socket to tell it starts nothing', async () => {
    const { cwd, copy, env, told } = await withSystemd('echo "$*" >> told')
    expect((await run(copy(), { cwd, env: { ...env, NOTIFY_SOCKET: undefined } })).code).toBe(0)
    expect(await told()).toBe('')
  })

  test.each([
    ['exit 1', 'systemd-notify ended with 1'],
    ['exec /nowhere/at-all', 'systemd-notify is not there'],
  ])('a run that is not heard says so once, and goes on: %s', async (script, reason) => {
    const { cwd, server, copy, env } = await withSystemd(script)
    const { code, stderr } = await run(copy(), { cwd, env })
    expect(code).toBe(0)
    expect(stderr.match(/warning: systemd does not hear.*/g)).toEqual([
      `warning: systemd does not hear how the run goes: ${reason}; the run goes on`,
    ])
    expect((await contentOf(server, 'dst')).size).toBe(3)
  })
})
