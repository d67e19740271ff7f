import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

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
