import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { contentOf, expectSame, look } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { version } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as { version: string }

describe('s3move --version', () => {
  test('it is the version of the package, whatever the environment', async () => {
    const cwd = await workFolder()
    const env = { AWS_PROFILE: 'nobody', HTTPS_PROXY: 'nonsense' }
    expect(await run(['--version'], { cwd, env })).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('s3move --help', () => {
  test.each([[['--help']], [['-h']]])('%j lists the commands', async (args) => {
    const cwd = await workFolder()
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([0, ''])
    for (const command of ['copy', 'set-headers', 'ls', 'du', 'verify', 'resume', 'status', 'sandbox', 'completion']) {
      expect(stdout).toMatch(new RegExp(`^ +s3move ${command}\\b`, 'm'))
    }
  })

  test('the documents and --help name the same flags', async () => {
    const cwd = await workFolder()
    const commands = [
      'copy',
      'sync',
      'move',
      'delete',
      'set-headers',
      'ls',
      'du',
      'verify',
      'resume',
      'status',
      'failures',
      'runs',
      'sandbox',
    ]
    const flagsIn = (text: string): string[] => text.match(/--[a-z][a-z0-9-]*[a-z0-9]/g) ?? []
    let helped = ''
    for (const command of commands) helped += (await run([command, '--help'], { cwd })).stdout
    // Of other programs' flags these two pages are full, and what is between the two comments was copied from --help.
    const pages = readdirSync(`${ROOT}/docs`).filter(
      (name) => name.endsWith('.md') && !/^(?:coming-from|rclone)/.test(name),
    )
    const told = ['README.md', ...pages.map((name) => `docs/${name}`)]
      .map((name) => readFileSync(`${ROOT}/${name}`, 'utf8').replace(/<!-- options of .*<!-- end of options -->/s, ''))
      .join('\n')
    // Flags of npm and mysql, a flag that is no flag, and rows that are for both sides.
    const others = ['--package', '--global', '--batch', '--dryrun', '--output-format', '--source', '--destination']
    const known = new Set([...flagsIn(helped), ...others])
    expect(flagsIn(told).filter((flag) => !known.has(flag))).toEqual([])
    const written = new Set(flagsIn(told))
    const ofOneSide =
      /^--(?:source|destination)-(?=endpoint-url|region|profile|path-style|no-sign-request|expected-bucket-owner)/
    expect(flagsIn(helped).filter((flag) => !written.has(flag.replace(ofOneSide, '--')))).toEqual([])
  })

  test.each(['copy', 'resume'])(
    '%s --help groups the options, and has examples and the exit codes',
    async (command) => {
      const cwd = await workFolder()
      const { code, stdout, stderr } = await run([command, '--help'], { cwd })
      expect([code, stderr]).toEqual([0, ''])
      for (const group of ['Speed and failures:', 'Connection', 'Output:', 'Run:', 'Examples:', 'Exit codes:']) {
        expect(stdout).toMatch(new RegExp(`^${group}`, 'm'))
      }
      for (const line of [
        '0    done',
        '1    unexpected',
        '2    usage',
        '3    finished, but',
        '4    stopped',
        '130  interrupted',
      ]) {
        expect(stdout).toContain(`\n  ${line}`)
      }
      const flags = [
        'concurrency',
        'lanes',
        'max-errors',
        'endpoint-url',
        'region',
        'profile',
        'path-style',
        'request-payer',
      ]
      const more = [
        'no-sign-request',
        'ca-bundle',
        'no-verify-ssl',
        'json',
        'quiet',
        'verbose',
        'checkpoint',
        'dry-run',
      ]
      for (const flag of [...flags, ...more, command === 'copy' ? 'fresh' : 'only-failed']) {
        expect(stdout).toMatch(new RegExp(`--${flag}\\b`))
      }
    },
  )

  test.each(['status', 'sandbox'])('%s --help describes its options', async (command) => {
    const cwd = await workFolder()
    const { code, stdout } = await run([command, '--help'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^s3move ${command} `))
    for (const flag of command === 'status' ? ['json'] : ['port', 'access-key', 'latency', 'rate', 'fault', 'seed']) {
      expect(stdout).toMatch(new RegExp(`--${flag}\\b`))
    }
  })

  test('completion prints a script for the shell', async () => {
    const cwd = await workFolder()
    const { code, stdout, stderr } = await run(['completion'], { cwd, env: { SHELL: '/bin/bash' } })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('complete -o')
    expect(stdout).toContain('s3move')
  })
})

describe('s3move sandbox', () => {
  test('the lines that it prints can be pasted: the copy works, and Ctrl-C ends it', async () => {
    const cwd = await workFolder()
    const buckets = ['src:odd:300', 'dst', '--access-key', 'AKIDLOCAL:the/secret']
    const server = start(['sandbox', ...buckets], { cwd })
    await until(() => server.stdout().split('\n').length > 3, server)
    const [listening = '', exported = '', command = ''] = server.stdout().split('\n')
    const url = /^sandbox listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(listening)?.[1] ?? ''
    expect(exported).toBe('export AWS_ACCESS_KEY_ID=AKIDLOCAL AWS_SECRET_ACCESS_KEY=the/secret AWS_REGION=us-east-1')
    expect(command).toBe(`s3move copy s3://src s3://dst --endpoint-url ${url}`)
    const env = Object.fromEntries(
      exported
        .split(' ')
        .slice(1)
        .map((pair) => pair.split('=') as [string, string]),
    )
    const { code, stderr } = await run(command.split(' ').slice(1), { cwd, env })
    expect([code, stderr]).toEqual([0, expect.stringContaining('300 objects copied') as string])
    const inside = look(url, 'us-east-1', { accessKeyId: 'AKIDLOCAL', secretAccessKey: 'the/secret' })
    expectSame(await contentOf(inside, 'dst'), await contentOf(inside, 'src'))
    const port = url.split(':').at(-1)!
    expect(refusal(await run(['sandbox', '--port', port], { cwd }))).toContain(`Port ${port} of 127.0.0.1 is in use`)
    server.kill('SIGINT')
    expect(await server.finished).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('npm pack', () => {
  test('the package holds what users need and nothing else', () => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
    const packed = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8', shell: process.platform === 'win32' })
    expect(packed.status).toBe(0)
    const [{ files }] = JSON.parse(packed.stdout) as [{ files: { path: string; mode: number }[] }]
    const paths = files.map(({ path }) => path)
    const others = paths.filter((path) => !/^(?:dist|docs)\//.test(path)).sort()
    expect(others).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    expect(
      paths.filter((path) => path.startsWith('docs/') && !/\.(?:md|svg)$|^docs\/schema\/[a-z]+\.json$/.test(path)),
    ).toEqual([])
    const licences = 'dist/THIRD-PARTY-LICENSES.txt'
    expect(paths.filter((path) => path.startsWith('dist/') && !path.endsWith('.js'))).toEqual([licences])
    expect(files.find(({ path }) => path === 'dist/cli.js')!.mode & 0o111).not.toBe(0)
  })
})
