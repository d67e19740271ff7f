import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DockerfileParser } from 'dockerfile-ast'
import { beforeAll, describe, expect, test } from 'vitest'
import { contentOf, expectCopiedOnce, expectSame, sandbox } from '../support/cli-buckets.js'
import { run, workFolder } from '../support/cli-program.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SINGLE = join(ROOT, 'dist/s3move.mjs')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string }

/** What a command says on its standard output. npm asks no registry, and keeps what it keeps in `home`. */
function said(home: string, cwd: string, command: string, ...args: readonly string[]): string {
  const env = {
    PATH: `${home}/prefix/bin:${process.env.PATH ?? ''}`,
    HOME: home,
    npm_config_cache: join(home, 'cache'),
  }
  return execFileSync(command, args, {
    cwd,
    env: { ...env, npm_config_offline: 'true' },
    encoding: 'utf8',
    stdio: 'pipe',
  })
}

let packed: string

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 's3move-pack-'))
  const name = said(folder, ROOT, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder).trim()
  packed = join(folder, name)
  return () => rmSync(folder, { recursive: true })
}, 60_000)

describe('dist/s3move.mjs, alone in a folder', () => {
  test('copies with threads, filters and renaming, and proves it', async () => {
    const cwd = await workFolder()
    const program = join(cwd, 'other.mjs')
    copyFileSync(SINGLE, program)
    const server = await sandbox({ buckets: ['src:hex:3000', 'dst', 'disk:hex:300:size=2000'] })
    const from = ['--endpoint-url', server.url]
    const all = ['--regex', '.', '--map', 's/^/x/', '--concurrency', '300', '--threads', '2']
    const copied = await run(['copy', 's3://src', 's3://dst', ...all, ...from], { cwd, program })
    expect([copied.code, copied.stderr]).toEqual([0, expect.stringContaining('3,000 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'), (key) => `x${key}`)
    expectCopiedOnce(server, 'dst', 3000)
    // Through this machine: hashed in threads, written to a folder, with types by name on the way back.
    const there = await run(['copy', 's3://disk', `file://${cwd}/disk`, '--threads', '2', ...from], { cwd, program })
    expect([there.code, there.stderr]).toEqual([0, expect.stringContaining('300 objects copied') as string])
    const same = await run(['verify', 's3://disk', `file://${cwd}/disk`, '--bytes', ...from], { cwd, program })
    expect([same.code, same.stderr]).toEqual([0, expect.stringContaining('no object differs') as string])
    expect(readdirSync(cwd).sort()).toEqual(['.s3move', 'disk', 'other.mjs'])
  })

  test('says what dist/cli.js says, and holds the licences of all that is in it', async () => {
    const cwd = await workFolder()
    const program = join(cwd, 's3move.mjs')
    copyFileSync(SINGLE, program)
    for (const args of [
      ['--version'],
      ['copy', '--help'],
      ['copy', 's3://a'],
      ['set-headers', 's3://a', '--regex', '('],
    ]) {
      const [single, whole] = [await run(args, { cwd, program }), await run(args, { cwd })]
      expect(single).toEqual(whole)
    }
    const text = readFileSync(program, 'utf8')
    const named = [
      ...readFileSync(join(ROOT, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8').matchAll(/^\S+ \d\S+ \([^)]+\)$/gm),
    ]
    expect(named.length).toBeGreaterThan(20)
    for (const [name] of named) expect(text).toContain(name)
    for (const name of ['mime-types', 're2js']) expect(text).toMatch(new RegExp(`^${name} \\d\\S+ \\(`, 'm'))
  })

  test('holds its scripts as texts of one byte a character, to be parsed when they are needed', () => {
    const text = readFileSync(SINGLE, 'utf8')
    // A byte for each character is read in half the time.
    expect(text.slice(0, text.indexOf('\n/*\n'))).toMatch(/^[\0-\x7e]*$/)
    expect(text.match(/^import /gm)!.length).toBeLessThan(6)
  })
})

describe('the package', () => {
  test('runs with npx, and asks no registry for anything', async () => {
    const cwd = await workFolder()
    expect(said(cwd, cwd, 'npx', '--yes', relative(cwd, packed), '--version')).toBe(`${version}\n`)
  })

  test('holds what is needed, and nothing else', async () => {
    const files = said(await workFolder(), ROOT, 'tar', '-tzf', packed)
      .trimEnd()
      .split('\n')
    for (const file of [
      'dist/cli.js',
      'dist/worker-thread.js',
      'dist/s3move.mjs',
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
    ])
      expect(files).toContain(`package/${file}`)
    expect(
      files.filter(
        (file) =>
          !/^package\/(?:contrib|dist|docs|man|node_modules\/(?:mime-db|mime-types|re2js))\/|^package\/[A-Z]+(?:\.md)?$|^package\/package.json$/.test(
            file,
          ),
      ),
    ).toEqual([])
  })

  test('brings no script that npm would warn of, and is built by npm ci and npm pack', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly scripts: object }
    expect(scripts).toMatchObject({ dependencies: 'npm run build', prepack: 'npm run build' })
    for (const warned of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'])
      expect(scripts).not.toHaveProperty(warned)
  })

  test('that npm has installed from its file survives the removal of what it was made from', async () => {
    const cwd = await workFolder()
    const checkout = join(cwd, 'checkout')
    mkdirSync(checkout)
    copyFileSync(packed, join(checkout, 's3move.tgz'))
    const prefix = join(cwd, 'prefix')
    said(cwd, checkout, 'npm', 'install', '--global', '--prefix', prefix, 's3move.tgz')
    rmSync(checkout, { recursive: true })
    expect(said(cwd, cwd, join(prefix, 'bin/s3move'), '--version')).toBe(`${version}\n`)
  })
})

const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')

describe('the Dockerfile', () => {
  const file = DockerfileParser.parse(DOCKERFILE)
  const steps = file
    .getInstructions()
    .map((step) => ({ keyword: step.getKeyword(), args: step.getRawArgumentsContent() ?? '' }))
  const last = steps.slice(steps.findLastIndex(({ keyword }) => keyword === 'FROM'))

  test('is small, runs as nobody of power, and starts s3move', () => {
    const froms = steps.filter(({ keyword }) => keyword === 'FROM').map(({ args }) => args)
    expect(froms).toEqual(['node:24-slim AS build', 'node:24-slim'])
    const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'USER', 'ENTRYPOINT']
    expect(steps.filter(({ keyword }) => !known.includes(keyword))).toEqual([])
    expect(last.map(({ keyword }) => keyword)).toEqual(['FROM', 'RUN', 'USER', 'WORKDIR', 'RUN', 'ENTRYPOINT'])
    expect(last.find(({ keyword }) => keyword === 'USER')!.args).toBe('node')
    expect(JSON.parse(last.at(-1)!.args)).toEqual(['s3move'])
  })

  test('copies what is there, and what .dockerignore lets pass', () => {
    const passed = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trimEnd().split('\n')
    expect(passed[0]).toBe('*')
    const names = passed.slice(1).map((line) => line.replace(/^!/, ''))
    for (const name of names) expect(readdirSync(ROOT)).toContain(name)
    const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly files: readonly string[]
    }
    for (const name of [
      ...files.filter((one) => one !== 'dist'),
      'src',
      'scripts',
      'LICENSE',
      'README.md',
      'package.json',
      'package-lock.json',
    ])
      expect(names).toContain(name)
    const copied = steps.filter(({ keyword }) => keyword === 'COPY').flatMap(({ args }) => args.split(' ').slice(0, -1))
    for (const name of copied.filter((one) => one !== '.')) expect(names).toContain(name)
  })

  test('has a last stage whose steps install the package without a network', async () => {
    const cwd = await workFolder()
    symlinkSync(packed, join(cwd, 's3move.tgz'))
    const run = last.find(({ keyword }) => keyword === 'RUN')!.args
    const [, target] = /--mount=type=bind,from=build,source=\/src\/s3move\.tgz,target=(\S+)/.exec(DOCKERFILE)!
    const command = run.replace(/^\\\n/, '').replaceAll(target!, join(cwd, 's3move.tgz'))
    expect(command).toContain(cwd)
    said(cwd, cwd, 'sh', '-ec', `export npm_config_prefix='${cwd}/prefix'\n${command}`)
    const entry = JSON.parse(last.at(-1)!.args) as string[]
    expect(said(cwd, cwd, entry[0]!, '--version')).toBe(`${version}\n`)
  })

  test('has a first stage whose last steps are scripts of the package', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly scripts: object }
    const runs = steps.slice(0, -last.length).filter(({ keyword }) => keyword === 'RUN')
    expect(runs.map(({ args }) => args)).toEqual([
      'npm ci --ignore-scripts',
      'npm run build',
      'npm pack --ignore-scripts && mv s3move-*.tgz s3move.tgz',
    ])
    expect(Object.keys(scripts)).toContain('build')
  })
})
