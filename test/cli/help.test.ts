import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../support/all-commands.js'
import { contentOf, expectSame, look, sandbox } from '../support/cli-buckets.js'
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
    for (const command of ['copy', 'set-headers', 'ls', 'du', 'verify', 'resume', 'status', 'sandbox']) {
      expect(stdout).toMatch(new RegExp(args[0] === '-h' ? `\\b${command}\\b` : `^ +${command} `, 'm'))
    }
  })

  test('the documents and --help name the same flags', async () => {
    const cwd = await workFolder()
    const flagsIn = (text: string): string[] => text.match(/--[a-z][a-z0-9-]*[a-z0-9]/g) ?? []
    let helped = ''
    for (const command of COMMANDS.keys()) helped += (await run([command, '--help'], { cwd })).stdout
    // Of other programs' flags these two pages are full, and what is between the two comments was copied from --help.
    const pages = readdirSync(`${ROOT}/docs`).filter(
      (name) => name.endsWith('.md') && !/^(?:coming-from|rclone)/.test(name),
    )
    const told = ['README.md', ...pages.map((name) => `docs/${name}`)]
      .map((name) => readFileSync(`${ROOT}/${name}`, 'utf8').replace(/<!-- options of .*<!-- end of options -->/s, ''))
      .join('\n')
    // Flags of npm, Docker, Node and mysql, a flag that is no flag, and rows that are for both sides.
    const others = ['--package', '--global', '--batch', '--dryrun', '--output-format', '--source', '--destination']
    const ofPackaging = ['--build', '--silent', '--offline', '--install-links', '--rm']
    const ofAws = ['--bucket', '--prefix']
    // kubectl, AWS Batch and Slurm.
    const ofSchedulers = [
      '--from-file',
      '--from-literal',
      '--replicas',
      '--cli-input-json',
      '--job-name',
      '--job-queue',
      '--job-definition',
    ]
    const ofArrays = ['--array-properties', '--array', '--ntasks']
    const ofNode = ['--cpu-prof', '--heap-growing-percent']
    const known = new Set([
      ...flagsIn(helped),
      ...others,
      ...ofPackaging,
      ...ofAws,
      ...ofSchedulers,
      ...ofArrays,
      ...ofNode,
    ])
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
        '3    finished, but some objects failed',
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

  test('help, help COMMAND and help TOPIC show what --help and the topics have, and another is refused', async () => {
    const cwd = await workFolder()
    const said = async (...args: string[]): Promise<string> => (await run(args, { cwd })).stdout
    expect(await said('help')).toBe(await said('--help'))
    expect(await said('help', 'copy')).toBe(await said('copy', '--help'))
    expect(await said('copy', 's3://a', '--help')).toBe(await said('copy', '--help'))
    expect(await said('help', 'filters')).toContain('--older-than DATE')
    expect(await said('help', 'man')).toMatch(/^\.TH S3MOVE 1 /)
    const wrong = refusal(await run(['help', 'filter'], { cwd }))
    expect(wrong).toContain('there is no command or topic filter')
    expect(wrong).toContain('did you mean s3move help filters?')
  })

  test.each([[['--version']], [['-V']], [['version']], [['copy', '--version']]])(
    '%j tells the version',
    async (args) => {
      expect(await run(args, { cwd: await workFolder() })).toMatchObject({
        code: 0,
        stdout: `${version}\n`,
        stderr: '',
      })
    },
  )

  test('without anything to do it shows the commands, and ends as with a mistake', async () => {
    const cwd = await workFolder()
    const { code, stdout, stderr } = await run([], { cwd })
    expect([code, stdout, stderr]).toEqual([2, '', (await run(['-h'], { cwd })).stdout])
  })

  test('-n is --dry-run and -y is --yes where a command has these', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const reach = ['--endpoint-url', server.url]
    const rehearsed = await run(['copy', 's3://src', 's3://dst', '-n', ...reach], { cwd })
    expect([rehearsed.code, (await contentOf(server, 'dst')).size]).toEqual([0, 0])
    expect((await run(['delete', 's3://dst', '-y', ...reach], { cwd })).code).toBe(0)
    expect(refusal(await run(['ls', 's3://src', '-n', ...reach], { cwd }))).toContain('ls has no option -n')
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
    const others = paths
      .filter((path) => !/^(?:contrib|dist|docs|man|node_modules\/(?:mime-types|mime-db|re2js))\//.test(path))
      .sort()
    expect(others).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    expect(
      paths.filter(
        (path) =>
          path.startsWith('docs/') &&
          !/\.(?:md|svg)$|^docs\/images\/[a-z-]+\.png$|^docs\/schema\/[a-z]+\.json$/.test(path),
      ),
    ).toEqual([])
    expect(paths.filter((path) => path.startsWith('man/'))).toEqual(['man/s3move.1'])
    const licences = 'dist/THIRD-PARTY-LICENSES.txt'
    expect(paths.filter((path) => path.startsWith('dist/') && !/\.m?js$/.test(path))).toEqual([licences])
    expect(files.find(({ path }) => path === 'dist/cli.js')!.mode & 0o111).not.toBe(0)
  })
})
