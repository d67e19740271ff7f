import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, expectCopiedOnce, expectSame, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const NIGHTLY = `
defaults:
  concurrency: 8
jobs:
  nightly:
    command: copy
    source: s3://src
    destination: s3://dst
    exclude: ['*1.*', "it's"]
  list:
    command: ls
    source: s3://src
    json: true
`

async function given(jobs: string, options: Partial<Parameters<typeof sandbox>[0]> = {}) {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:30', 'dst'], ...options })
  await writeFile(join(cwd, 's3move.yaml'), jobs)
  const env = { AWS_ENDPOINT_URL_S3: server.url }
  return { cwd, server, at: { cwd, env } }
}

const copied = (server: TestSandbox): number => server.stats().copies.dst?.unique ?? 0

describe('s3move run JOB', () => {
  test('tells the command line, and does what that does, in the same folder', async () => {
    const { cwd, server, at } = await given(NIGHTLY)
    const { code, stderr } = await run(['run', 'nightly', '--log-file', 'run.log'], at)
    const line = "s3move copy s3://src s3://dst --concurrency=8 --exclude='*1.*' --exclude='it'\\''s'"
    expect(stderr.split('\n')[0]).toBe(`${line} --log-file run.log`)
    expect(await readFile(join(cwd, 'run.log'), 'utf8')).toContain(`Z ${line} --log-file run.log\n`)
    expect(code).toBe(0)
    const listed = await contentOf(server, 'src')
    expect((await contentOf(server, 'dst')).size).toBe([...listed.keys()].filter((key) => !key.includes('1.')).length)
    const again = await run(['copy', 's3://src', 's3://dst', '--exclude', '*1.*', '--exclude', "it's"], at)
    expect(refusal(again)).toContain('this job finished')
    expect(await readdir(join(cwd, '.s3move'))).toHaveLength(1)
  })

  test('takes options behind the name in place of those of the file, and with --quiet is silent', async () => {
    const { server, at } = await given(NIGHTLY)
    const dry = await run(['run', 'nightly', '--dry-run', '--exclude', '*'], at)
    expect([dry.code, dry.stdout]).toEqual([2, ''])
    expect(dry.stderr).toContain("s3move copy s3://src s3://dst --concurrency=8 --dry-run --exclude '*'\n")
    const quiet = await run(['run', 'nightly', '--include=*', '-q'], at)
    expect([quiet.code, quiet.stdout, quiet.stderr]).toEqual([0, '', ''])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('refuses what the file has wrong with line and column before anything is asked, in JSON too', async () => {
    const { cwd, server, at } = await given(
      NIGHTLY.replace('exclude', 'exlude').replace('s3://src\n    json', 'src\n    json'),
    )
    const before = server.stats().requests
    expect(refusal(await run(['run', 'nightly'], at))).toBe(
      's3move: s3move.yaml, line 9, column 5: copy has no option exlude\n        did you mean exclude? See s3move copy --help',
    )
    const list = await run(['run', 'list'], at)
    expect([list.code, list.stderr.split('\n').slice(0, 2)]).toEqual([
      2,
      ['s3move ls src --json', 's3move: s3move.yaml, line 12, column 5: the source src is not an S3 URL'],
    ])
    expect(JSON.parse(list.stdout)).toMatchObject({ type: 'error', exitCode: 2 })
    expect(refusal(await run(['run', 'nihgtly'], at))).toContain('did you mean s3move run nightly?')
    expect(refusal(await run(['run', '--config', 'no.yaml', 'nightly'], at))).toContain(
      'no.yaml: there is no such file',
    )
    await writeFile(join(cwd, 's3move.yml'), NIGHTLY)
    expect(refusal(await run(['run', 'nightly'], at))).toContain('both s3move.yaml and s3move.yml are in')
    expect(server.stats().requests).toBe(before)
  })
})

describe('s3move run', () => {
  test('lists the jobs with their command lines', async () => {
    const { at } = await given(NIGHTLY)
    expect(await run(['run'], at)).toMatchObject({
      code: 0,
      stdout:
        "nightly  s3move copy s3://src s3://dst --concurrency=8 --exclude='*1.*' --exclude='it'\\''s'\n" +
        'list     s3move ls s3://src --json\n',
      stderr: '',
    })
    expect(refusal(await run(['run'], { cwd: await workFolder() }))).toContain('there is no s3move.yaml in')
  })
})

describe('--or-resume', () => {
  const SLOW = { buckets: ['src:seq:1500', 'dst'], latency: 'copy=4-8' }
  const JOB = 'jobs: {nightly: {command: sync, source: "s3://src", destination: "s3://dst", concurrency: 8}}\n'

  test.each([[[]], [['--checkpoint', 'run']]])(
    'goes on with the unfinished run of the job, and begins where there is none (%j)',
    async (folder) => {
      const { server, at } = await given(JOB, SLOW)
      const line = ['run', 'nightly', ...folder]
      const running = start([...line, '--or-resume'], at)
      await until(() => copied(server) >= 150, running)
      running.kill('SIGINT')
      expect((await running.finished).code).toBe(130)

      expect(refusal(await withoutFirstLine(run(line, at)))).toContain('an unfinished run of this job is in')
      const dry = await run([...line, '--or-resume', '--dry-run'], at)
      expect(dry.stderr).toContain('going on with the unfinished run in')
      expect(dry.stdout).not.toContain('1,500')

      const { code, stderr } = await run([...line, '--or-resume'], at)
      expect([code, stderr]).toEqual([0, expect.stringContaining('going on with the unfinished run in')])
      expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
      expectCopiedOnce(server, 'dst', 1500)
    },
  )

  test('is for listings with a checkpoint too, and nothing that --fresh goes with', async () => {
    const { cwd, at } = await given(JOB, { buckets: ['src:seq:30k', 'dst'], latency: 'list=40-60' })
    const ls = ['ls', 's3://src', '--to', 'keys', '--lanes', '1']
    expect(refusal(await run([...ls, '--or-resume'], at))).toContain('--or-resume is about a checkpoint')
    const checkpointed = [...ls, '--checkpoint', 'run', '--or-resume']
    expect(refusal(await run([...checkpointed, '--fresh'], at))).toContain('contradict each other')
    const running = start(checkpointed, at)
    await until(() => existsSync(join(cwd, 'run/checkpoint.json')), running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    const { code, stderr } = await run(checkpointed, at)
    expect([code, stderr]).toEqual([0, expect.stringContaining('going on with the unfinished run in run')])
    expect((await readFile(join(cwd, 'keys'), 'utf8')).trimEnd().split('\n')).toHaveLength(30_000)
  })
})

// What is told before a refusal.
async function withoutFirstLine(finished: ReturnType<typeof run>): ReturnType<typeof run> {
  const { stderr, ...rest } = await finished
  return { ...rest, stderr: stderr.replace(/^.*\n/, '') }
}
