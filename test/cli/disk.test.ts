import { GetObjectCommand } from '@aws-sdk/client-s3'
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { compareKeys } from '../../src/keys.js'
import { oddLayout } from '../../src/sandbox/buckets/odd-keys.js'
import { parseCheckpoint, serializeCheckpoint } from '../../src/checkpoint/checkpoint.js'
import { contentOf, put, RICH, sandbox, traitsOf, type Server, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished, type StartOptions } from '../support/cli-program.js'

const MIB = 1024 ** 2

interface Setting {
  readonly server: TestSandbox
  readonly cwd: string
  readonly as: StartOptions
  /** The URL of a folder in `cwd`. */
  readonly folder: (name: string) => string
  readonly s3move: (...args: string[]) => Promise<Finished>
}

/** A server with the buckets `src` and `dst`, and a folder to work in. */
async function setting(latency?: string): Promise<Setting> {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'], ...(latency === undefined ? {} : { latency }) })
  const as = { cwd, env: { AWS_ENDPOINT_URL: server.url } }
  const s3move = (...args: string[]): Promise<Finished> => run(args, as)
  return { server, cwd, as, folder: (name) => `file://${join(cwd, name)}`, s3move }
}

const RARE = { ...RICH, StorageClass: 'STANDARD_IA' as const }

const HOSTILE = [
  ...[
    'new\nline',
    '../x',
    '..',
    '.',
    '/lead',
    '//',
    'a//b',
    'trail/',
    'a',
    'a/b',
    'a/b/c',
    'A',
    'Case',
    'case',
    'CASE',
  ],
  ...[
    '\u{1f600}',
    '\u{1f600}/\uffee',
    'e\u0301',
    'é',
    'back\\slash',
    '\u001b[31mred',
    'nul\0byte',
    '.s3move/format.json',
  ],
  ...['con', 'dot.', 'space ', '%2e%2e/x', 'n'.repeat(1024), 'é/'.repeat(341), '\n'.repeat(1024), '/'.repeat(1024)],
]
const SIZES = [0, 1, 1000, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20_000_000]

async function fill(server: Server): Promise<number> {
  const layout = oddLayout(100, 5, 1024)
  const keys = new Set([...HOSTILE, ...Array.from({ length: layout.count }, (_, index) => layout.keyAt(index))])
  let index = 0
  for (const key of keys) await put(server, 'src', key, { Body: `body of ${key}`, ...(index++ % 3 === 0 ? RARE : {}) })
  for (const size of SIZES) await put(server, 'src', `sizes/ä ${size}`, { Body: randomBytes(size), ...RARE })
  return keys.size + SIZES.length
}

async function digestOf({ s3 }: Server, Bucket: string, Key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  return createHash('sha256')
    .update(await Body!.transformToByteArray())
    .digest('hex')
}

/** Everything of `src` is in `dst`, byte for byte and header for header. */
async function expectEqual(server: Server): Promise<void> {
  const source = await contentOf(server, 'src')
  expect(await contentOf(server, 'dst')).toEqual(source)
  for (const key of source.keys()) {
    expect(await traitsOf(server, 'dst', key), key).toEqual(await traitsOf(server, 'src', key))
    expect(await digestOf(server, 'dst', key), key).toBe(await digestOf(server, 'src', key))
  }
}

const unfinished = (cwd: string): Promise<string[]> => readdir(join(cwd, 'backup/.s3move/tmp'))

describe('a bucket on the local disk', () => {
  test('comes back with every byte, header, metadatum and tag, whatever the key and the size', async () => {
    const { server, cwd, folder, s3move } = await setting()
    const count = await fill(server)
    const done = `${count} objects copied, none skipped, none failed`
    const down = await s3move('copy', 's3://src', folder('backup'))
    expect([down.code, down.stderr]).toEqual([0, expect.stringContaining(done)])
    expect(down.stderr).not.toContain('passes through this machine')
    expect(await unfinished(cwd)).toEqual([])
    const clone = await s3move('copy', folder('backup'), folder('clone'))
    expect([clone.code, clone.stderr]).toEqual([0, expect.stringContaining(done)])
    // A copy that lost the side files would lose the headers.
    await rm(join(cwd, 'backup'), { recursive: true })
    const up = await s3move('copy', folder('clone'), 's3://dst')
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining(done)])
    await expectEqual(server)
    for (const places of [
      ['s3://src', folder('clone')],
      [folder('clone'), 's3://dst'],
    ]) {
      const verified = await s3move('verify', '--deep', '--bytes', ...places)
      expect([verified.code, verified.stdout]).toEqual([0, ''])
    }
    expect(await readdir(cwd)).toEqual(expect.arrayContaining(['.s3move', 'clone']))
    expect((await readdir(cwd)).length).toBe(2)
  }, 120_000)

  test('can be rehearsed with synthetic objects of any size', async () => {
    const cwd = await workFolder()
    const folder = (name: string): string => `file://${join(cwd, name)}`
    const server = await sandbox({ buckets: ['src:odd:300', 'parts:seq:2:size=9000000', 'src-back', 'parts-back'] })
    const as = { cwd, env: { AWS_ENDPOINT_URL: server.url } }
    for (const bucket of ['src', 'parts']) {
      for (const [from, to] of [
        [`s3://${bucket}`, folder(bucket)],
        [folder(bucket), `s3://${bucket}-back`],
      ] as const) {
        const copied = await run(['copy', from, to], as)
        expect([copied.code, copied.stderr]).toEqual([0, expect.stringContaining('none failed')])
        const verified = await run(['verify', '--bytes', from, to], as)
        expect([verified.code, verified.stdout]).toEqual([0, ''])
      }
    }
  })

  test('loses nothing and leaves no unfinished file when both ways are killed with -9 again and again', async () => {
    const { server, cwd, as, folder } = await setting('get=10-30,put=10-30')
    for (let index = 0; index < 300; index++) {
      await put(server, 'src', `${index % 7}/${index}`, { Body: randomBytes(300 * (index % 50)), ...RARE })
    }
    await put(server, 'src', 'large', { Body: randomBytes(30 * MIB) })
    const gets = (): number => server.stats().byOperation.GetObject ?? 0
    const puts = (): number => server.stats().byOperation.PutObject ?? 0
    const killing = async (args: string[], done: () => number): Promise<void> => {
      const before = done()
      let argv = [...args, '--checkpoint', 'run', '--fresh', '--concurrency', '32']
      for (const least of [60, 150, 220]) {
        const running = start(argv, as)
        await until(() => done() - before >= least, running)
        running.kill('SIGKILL')
        await running.finished
        argv = ['resume', 'run']
      }
      const { code, stderr } = await run(argv, as)
      expect([code, stderr]).toEqual([0, expect.stringContaining('301 objects copied, none skipped, none failed')])
    }
    await killing(['copy', 's3://src', folder('backup')], gets)
    expect(await unfinished(cwd)).toEqual([])
    await killing(['copy', folder('backup'), 's3://dst'], puts)
    await expectEqual(server)
  }, 120_000)

  test('is synchronised both ways, copying and deleting what differs and nothing else', async () => {
    const { server, folder, s3move } = await setting()
    await fill(server)
    const first = await s3move('sync', 's3://src', folder('backup'))
    expect(first.code).toBe(0)
    await put(server, 'src', 'a', { Body: 'changed', ...RARE })
    await put(server, 'src', 'a/new', { Body: 'new' })
    const again = await s3move('sync', 's3://src', folder('backup'), '--fresh', '--delete', '--yes')
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('2 objects copied') as string])
    await put(server, 'dst', 'only/here', { Body: 'x' })
    await put(server, 'dst', 'a', { Body: 'older' })
    const up = await s3move('sync', folder('backup'), 's3://dst', '--delete', '--yes')
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining(' 1 deleted') as string])
    await expectEqual(server)
    await put(server, 'src', 'x', { Body: 'x' })
    expect((await s3move('sync', 's3://src', folder('backup'), '--fresh')).code).toBe(0)
    const down = await s3move('sync', 's3://dst', folder('backup'), '--delete', '--yes')
    expect([down.code, down.stderr]).toEqual([0, expect.stringContaining('0 objects copied, 1 deleted') as string])
    expect((await s3move('verify', 's3://dst', folder('backup'))).code).toBe(0)
  }, 120_000)

  test('is moved to and from, and nothing of it stays behind', async () => {
    const { server, cwd, folder, s3move } = await setting()
    const count = await fill(server)
    const before = await contentOf(server, 'src')
    const down = await s3move('move', '--yes', 's3://src', folder('backup'))
    expect([down.code, down.stderr]).toEqual([0, expect.stringContaining(`${count} objects moved`) as string])
    expect((await contentOf(server, 'src')).size).toBe(0)
    const up = await s3move('move', '--yes', folder('backup'), 's3://dst')
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining(`${count} objects moved`) as string])
    expect(await contentOf(server, 'dst')).toEqual(before)
    expect(await readdir(join(cwd, 'backup'))).toEqual(['.s3move'])
    expect(await readdir(join(cwd, 'backup/.s3move/attributes'))).toEqual([])
  }, 120_000)

  test('that was copied by a program that lost the times is taken for files without headers, with a warning', async () => {
    const { server, cwd, folder, s3move } = await setting()
    await put(server, 'src', 'x', { Body: 'body', ...RARE })
    await s3move('copy', 's3://src', folder('backup'))
    await cp(join(cwd, 'backup'), join(cwd, 'kept'), { recursive: true, preserveTimestamps: true })
    await utimes(join(cwd, 'backup/x'), 1e9, 1e9)
    const lost = await s3move('copy', folder('backup'), 's3://dst')
    expect(lost.stderr).toContain('warning: the headers and metadata that are kept for file://')
    const kept = await s3move('copy', folder('kept'), 's3://dst')
    expect(kept.stderr).not.toContain('warning')
    await expectEqual(server)
  })

  test('ls writes its keys in byte order, escaped, and du counts them', async () => {
    const { server, folder, s3move } = await setting()
    for (const key of HOSTILE) await put(server, 'src', key, { Body: 'four' })
    await s3move('copy', 's3://src', folder('backup'))
    const { code, stdout } = await s3move('ls', folder('backup'), '--sorted', '--format', 'json')
    const keys = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { key: string }).key)
    expect([code, keys]).toEqual([0, HOSTILE.toSorted(compareKeys)])
    const text = await s3move('ls', folder('backup'))
    expect(text.stdout).toContain('new\\nline')
    expect(text.stdout).not.toContain('\u001b')
    const bucket = await s3move('ls', 's3://src', '--sorted', '--format', 'csv')
    const columns = (out: string): string[] => out.split('\n').map((line) => line.replace(/,?[\dTZ:.-]+Z,?/, ''))
    const listed = await s3move('ls', folder('backup'), '--sorted', '--format', 'csv')
    expect(columns(listed.stdout).length).toBe(columns(bucket.stdout).length)
    expect((await s3move('du', folder('backup'))).stdout).toContain(
      `${HOSTILE.length} objects, ${4 * HOSTILE.length} B`,
    )
  })

  test('verify tells what differs, and --fix mends it in the folder', async () => {
    const { server, cwd, folder, s3move } = await setting()
    for (const key of ['same', 'changed', 'missing']) await put(server, 'src', key, { Body: key, ...RARE })
    await s3move('copy', 's3://src', folder('backup'))
    await writeFile(join(cwd, 'backup/changed'), 'CHANGED')
    await rm(join(cwd, 'backup/missing'))
    await writeFile(join(cwd, 'backup/extra'), 'x')
    const found = await s3move('verify', 's3://src', folder('backup'), '--bytes')
    const verdicts = found.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; verdict: string })
    expect([found.code, verdicts.map(({ key, verdict }) => `${key} ${verdict}`)]).toEqual([
      3,
      ['changed different', 'extra extra', 'missing missing'],
    ])
    expect((await s3move('verify', 's3://src', folder('backup'), '--bytes', '--fix')).code).toBe(3)
    await rm(join(cwd, 'backup/extra'))
    expect((await s3move('verify', 's3://src', folder('backup'), '--deep', '--bytes')).code).toBe(0)
  })

  test('--no-clobber replaces no file, and --dry-run makes none', async () => {
    const { server, cwd, folder, s3move } = await setting()
    for (const key of ['a', 'b']) await put(server, 'src', key, { Body: `new ${key}` })
    const dry = await s3move('copy', 's3://src', folder('backup'), '--dry-run')
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('would copy   2 objects') as string])
    expect(dry.stdout).toContain('2 GetObject')
    expect(dry.stdout).not.toContain('PutObject')
    expect(await readdir(cwd)).toEqual([])
    await s3move('copy', 's3://src', folder('backup'), '--exclude', '*', '--include', 'a')
    await put(server, 'src', 'a', { Body: 'newer' })
    const { code, stderr } = await s3move('copy', 's3://src', folder('backup'), '--no-clobber')
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 object copied, 1 skipped') as string])
    expect(await readFile(join(cwd, 'backup/a'), 'utf8')).toBe('new a')
    const up = await s3move('copy', folder('backup'), 's3://dst', '--dry-run')
    expect(up.stdout).toMatch(
      /requests {5}2 PutObject; to look at what was written, up to 2 HeadObject; as in this dry run, 1 to begin with \(/,
    )
  })
})

describe('a folder that somebody else made', () => {
  test('is copied to a bucket as it is; symbolic links are told of and not followed', async () => {
    const { server, cwd, folder, s3move } = await setting()
    await mkdir(join(cwd, 'site/img'), { recursive: true })
    await mkdir(join(cwd, 'outside'))
    await writeFile(join(cwd, 'outside/secret'), 'secret')
    await writeFile(join(cwd, 'site/index.html'), '<p>')
    await writeFile(join(cwd, 'site/img/100%25 #1.png'), 'png')
    await symlink(join(cwd, 'outside'), join(cwd, 'site/link'))
    await symlink(join(cwd, 'outside/secret'), join(cwd, 'site/img/file'))
    const { code, stderr } = await s3move('copy', folder('site'), 's3://dst/www/')
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects copied') as string])
    expect(
      stderr.match(/warning: skipped: .*site\/(?:link|img\/file) is a symbolic link, .*\(NotAKey\)\n/g),
    ).toHaveLength(2)
    expect(stderr).toContain('2 objects copied, 2 skipped, none failed')
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['www/img/100%25 #1.png', 'www/index.html'])
    expect(await traitsOf(server, 'dst', 'www/index.html')).toMatchObject({ ContentType: 'text/html' })
    expect(await readFile(join(cwd, 'site/index.html'), 'utf8')).toBe('<p>')
  })

  test('deletes nothing elsewhere for a link that is not followed', async () => {
    const { server, cwd, folder, s3move } = await setting()
    await mkdir(join(cwd, 'site'))
    await mkdir(join(cwd, 'outside'))
    for (const name of ['site/a', 'outside/b']) await writeFile(join(cwd, name), 'x')
    for (const key of ['a', 'link/b', 'extra']) await put(server, 'dst', key, { Body: 'x' })
    await symlink(join(cwd, 'outside'), join(cwd, 'site/link'))
    const kept = await s3move('sync', folder('site'), 's3://dst', '--delete', '--yes')
    expect([kept.code, kept.stderr]).toEqual([0, expect.stringContaining('2 only at the destination') as string])
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['a', 'extra', 'link/b'])
    // Not even when the link itself is left out, for it is what lies behind it.
    const left = await s3move('sync', folder('site'), 's3://dst', '--delete', '--yes', '--exclude', 'link')
    expect([left.code, [...(await contentOf(server, 'dst')).keys()]]).toEqual([0, ['a', 'link/b']])
    await rm(join(cwd, 'site/link'))
    const { code, stderr } = await s3move('sync', folder('site'), 's3://dst', '--delete', '--yes')
    expect([code, stderr]).toEqual([0, expect.stringContaining(' 1 deleted') as string])
  })

  describe.runIf(process.platform === 'linux')('with what can be no object in it', () => {
    /** Files, a FIFO and a socket in `logs`, names in Latin-1 in `old`, and nothing of the kind in `www`. */
    async function odd() {
      const world = await setting()
      const { cwd, server } = world
      const raw = (text: string): Buffer => Buffer.from(join(cwd, 'site', text), 'latin1')
      for (const name of ['logs', 'old', 'old/d\xe9j\xe0', 'www']) await mkdir(raw(name), { recursive: true })
      for (const name of ['top', 'logs/a', 'old/\xfcber.txt', 'old/plain', 'old/d\xe9j\xe0/vu', 'www/index'])
        await writeFile(raw(name), 'x')
      spawnSync('mkfifo', [join(cwd, 'site/logs/pipe')])
      const listener = createServer().listen(join(cwd, 'site/logs/sock'))
      onTestFinished(() => void listener.close())
      for (const key of ['gone', 'logs/gone', 'logs/sub/gone', 'old/gone', 'www/gone', 'new/gone'])
        await put(server, 'dst', key, { Body: 'y' })
      return world
    }
    const GOOD = ['logs/a', 'old/plain', 'top', 'www/index']

    test('each is told of once and skipped, and deletion stops below its folder alone', async () => {
      const { server, folder, s3move } = await odd()
      const asked = ['sync', folder('site'), 's3://dst', '--delete', '--yes']
      const dry = await s3move(...asked, '--dry-run')
      const { code, stderr } = await s3move(...asked)
      expect(code).toBe(0)
      expect([...(await contentOf(server, 'dst')).keys()]).toEqual(
        [...GOOD, 'logs/gone', 'logs/sub/gone', 'old/gone'].sort(),
      )
      expect(stderr).toContain('finished: 4 objects copied, 3 deleted, 7 skipped, none failed')
      expect(stderr).toContain('4 no objects, as they can be no keys (NotAKey), 3 only at the destination')
      for (const name of [
        'logs/pipe is neither',
        'logs/sock is neither',
        'old/\\xfcber.txt has a name',
        'old/d\\xe9j\\xe0 has a name',
      ]) {
        expect(stderr.split(`/site/${name}`)).toHaveLength(2)
      }
      expect(dry.stdout).toContain('would delete 3 objects')
      const same = await s3move('verify', folder('site'), 's3://dst')
      expect([same.code, same.stderr]).toEqual([
        3,
        expect.stringMatching(/extra +3 objects at the destination/) as string,
      ])
      expect(same.stderr.match(/warning: passed over/g)).toHaveLength(4)
    })

    test.each([
      [['logs/pipe', 'logs/sock', 'old/d*', 'old/*.txt']],
      [['logs/*', 'old/*']],
      [['*p*', '*[ck]', 'old/[!gp]*']],
    ])('what filters leave out is no part of the job: %j', async (patterns) => {
      const { server, folder, s3move } = await odd()
      const filters = patterns.flatMap((pattern) => ['--exclude', pattern])
      const { code, stderr } = await s3move('sync', folder('site'), 's3://dst', '--delete', '--yes', ...filters)
      expect([code, stderr]).toEqual([0, expect.not.stringMatching(/warning|NotAKey/) as string])
      const keys = [...(await contentOf(server, 'dst')).keys()]
      expect(keys).toContain('www/index')
      expect(keys).not.toContain('gone')
      expect(keys).not.toContain('new/gone')
      expect(keys.includes('logs/gone')).toBe(patterns.includes('logs/*'))
    })

    test('a move leaves them where they are', async () => {
      const { server, cwd, folder, s3move } = await odd()
      const { code, stderr } = await s3move('move', '--yes', folder('site'), 's3://dst/moved/')
      expect([code, stderr]).toEqual([0, expect.stringContaining('4 objects moved, 4 skipped, none failed') as string])
      expect([...(await contentOf(server, 'dst', 'moved/')).keys()]).toEqual(GOOD.map((key) => `moved/${key}`))
      expect(await readdir(join(cwd, 'site'))).toEqual(['logs', 'old'])
      expect((await readdir(join(cwd, 'site/logs'))).sort()).toEqual(['pipe', 'sock'])
      expect((await readdir(join(cwd, 'site/old'), 'buffer')).map((name) => name.toString('latin1')).sort()).toEqual([
        'd\xe9j\xe0',
        '\xfcber.txt',
      ])
    })
  })

  test('is not written to through a symbolic link either', async () => {
    const { server, cwd, folder, s3move } = await setting()
    await put(server, 'src', 'link/x', { Body: 'x' })
    await put(server, 'src', 'y', { Body: 'y' })
    await mkdir(join(cwd, 'outside'))
    await s3move('copy', 's3://src', folder('backup'), '--exclude', 'link/*')
    await symlink(join(cwd, 'outside'), join(cwd, 'backup/link'))
    const { code, stderr } = await s3move('copy', 's3://src', folder('backup'), '--fresh')
    expect([code, stderr]).toEqual([3, expect.stringContaining('NotAFile') as string])
    expect(await readdir(join(cwd, 'outside'))).toEqual([])
  })
})

describe('mistakes with folders are one line and a hint', () => {
  test.each([
    [['copy', 'file:///none/such', 's3://dst'], 'the folder /none/such does not exist'],
    [['ls', 'file:///none/such'], 'the folder /none/such does not exist'],
    [['copy', 'file://relative', 's3://dst'], 'names no folder by its whole path'],
    [['copy', 'file:///', 's3://dst'], 'names no folder by its whole path'],
    [['copy', '/tmp', 's3://dst'], 'is not an S3 URL'],
    [['delete', 'file:///tmp', '--yes'], 'is a folder, and this is for buckets alone'],
    [['set-headers', 'file:///tmp', '--cache-control', 'x'], 'is a folder, and this is for buckets alone'],
    [['copy', 's3://src/pre', 'file:///tmp/x'], 'write: s3move copy s3://src/pre/ file:///tmp/x'],
    [['copy', 'file:///tmp', 'file:///tmp/x'], 'one is the other, or lies in it'],
    [
      ['copy', 's3://src', 'file:///tmp/x', '--acl', 'private'],
      '--acl is for a bucket, and the destination is a folder',
    ],
    [['copy', 's3://src', 'file:///tmp/x', '--sse', 'AES256'], '--sse is for a bucket'],
    [['copy', 's3://src', 'file:///tmp/x', '--all-versions'], '--all-versions is for a bucket'],
    [['copy', 's3://src', 'file:///tmp/x', '--part-size', '1G'], '--part-size is for a bucket'],
    [['copy', 'file:///tmp', 's3://dst', '--restore', '1'], '--restore is for a bucket, and the source is a folder'],
    [['copy', 'file:///tmp', 's3://dst', '--source-region', 'x'], 'is for a bucket, and the source is a folder'],
  ])('%j', async (args, message) => {
    const { s3move } = await setting()
    expect(refusal(await s3move(...args))).toContain(message)
  })

  test('a destination that is not empty and not ours, or that lies in such a one', async () => {
    const { server, cwd, folder, s3move } = await setting()
    await put(server, 'src', 'photos/x', { Body: 'x' })
    await mkdir(join(cwd, 'other'))
    await writeFile(join(cwd, 'other/file'), 'x')
    expect(refusal(await s3move('copy', 's3://src', folder('other')))).toContain('neither empty nor written by s3move')
    await s3move('copy', 's3://src', folder('backup'))
    for (const args of [
      ['copy', 's3://src', folder('backup/photos/y')],
      ['copy', folder('backup/photos'), 's3://dst'],
    ]) {
      expect(refusal(await s3move(...args))).toMatch(/ lies in .*backup, which s3move wrote/)
    }
    await symlink(join(cwd, 'other'), join(cwd, 'alias'))
    expect(refusal(await s3move('copy', folder('other'), folder('alias/within')))).toContain('lies in')
    expect(await readdir(join(cwd, 'other'))).toEqual(['file'])
  })

  test('a run is not resumed into a folder that is not the one of before', async () => {
    const { server, cwd, as, folder, s3move } = await setting('get=20-40')
    for (let index = 0; index < 200; index++) await put(server, 'src', `${index}`, { Body: 'x' })
    const running = start(['copy', 's3://src', folder('backup'), '--concurrency', '2'], as)
    await until(() => (server.stats().byOperation.GetObject ?? 0) > 20, running)
    running.kill('SIGTERM')
    expect((await running.finished).code).not.toBe(0)
    await rename(join(cwd, 'backup'), join(cwd, 'elsewhere'))
    for (const make of [() => undefined, () => mkdir(join(cwd, 'backup'))]) {
      await make()
      expect(refusal(await s3move('resume'))).toContain('is gone or another one')
    }
    await rm(join(cwd, 'backup'), { recursive: true })
    await rename(join(cwd, 'elsewhere'), join(cwd, 'backup'))
    const { code, stderr } = await s3move('resume')
    expect([code, stderr]).toEqual([0, expect.stringContaining('200 objects copied') as string])
  })

  test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
    'one folder that two mounts show as two',
    async (context) => {
      const { server, cwd, folder, s3move } = await setting()
      for (const key of ['a', 'b/c']) await put(server, 'src', key, { Body: key })
      await s3move('copy', 's3://src', folder('backup'))
      for (const name of ['mount', 'site']) await mkdir(join(cwd, name))
      await writeFile(join(cwd, 'site/x'), 'x')
      const bind = (name: string): number | null =>
        spawnSync('mount', ['--bind', join(cwd, name), join(cwd, 'mount')]).status
      const unbind = (): number | null => spawnSync('umount', ['-l', join(cwd, 'mount')]).status
      if (bind('backup') !== 0) context.skip('this machine mounts nothing')
      onTestFinished(() => void unbind())
      const before = await readdir(join(cwd, 'backup'), { recursive: true })
      for (const [command, from, to] of [
        ...(['move', 'copy', 'sync', 'verify'] as const).map((name) => [name, 'backup', 'mount'] as const),
        ...[['move', 'mount', 'backup'] as const, ['move', 'mount', 'backup/b'] as const],
      ]) {
        expect(
          refusal(await s3move(command, ...(command === 'move' ? ['--yes'] : []), folder(from), folder(to))),
        ).toContain('one is the other, or lies in it')
      }
      expect(refusal(await s3move('move', '--yes', folder('mount/b'), folder('backup')))).toContain(
        'which s3move wrote',
      )
      expect(await readdir(join(cwd, 'backup'), { recursive: true })).toEqual(before)
      expect([unbind(), bind('site')]).toEqual([0, 0])
      for (const args of [['copy'], ['copy', '--dry-run']]) {
        expect(refusal(await s3move(...args, folder('site'), folder('mount/new')))).toContain('lies in it')
      }
      expect(await readdir(join(cwd, 'site'))).toEqual(['x'])
    },
  )

  test('a source that loses its disk stops the run, which goes on only with that disk', async () => {
    const { server, cwd, as, folder, s3move } = await setting('put=20-40')
    await mkdir(join(cwd, 'site'))
    for (let index = 0; index < 200; index++) await writeFile(join(cwd, 'site', `${index}`), 'x')
    for (const key of ['extra/1', 'extra/2']) await put(server, 'dst', key, { Body: 'x' })
    const puts = (): number => server.stats().byOperation.PutObject ?? 0
    const running = start(['sync', folder('site'), 's3://dst', '--delete', '--yes', '--concurrency', '2'], as)
    await until(() => puts() > 20, running)
    await rename(join(cwd, 'site'), join(cwd, 'away'))
    await mkdir(join(cwd, 'site'))
    const stopped = await running.finished
    expect([stopped.code, stopped.stderr]).toEqual([
      4,
      expect.stringContaining('another one is in its place') as string,
    ])
    const before = await contentOf(server, 'dst')
    for (const make of [() => undefined, () => rm(join(cwd, 'site'), { recursive: true })]) {
      await make()
      expect(refusal(await s3move('resume'))).toMatch(/the folder .*site, which this run reads, is gone or another one/)
    }
    expect(await contentOf(server, 'dst')).toEqual(before)
    expect(before.has('extra/1')).toBe(true)
    await rename(join(cwd, 'away'), join(cwd, 'site'))
    const { code, stderr } = await s3move('resume')
    expect([code, stderr]).toEqual([0, expect.stringContaining('200 objects copied, 2 deleted') as string])
  })

  test('a listing is not resumed in a folder that is another one either', async () => {
    const { cwd, folder, s3move } = await setting()
    await mkdir(join(cwd, 'site'))
    await writeFile(join(cwd, 'site/x'), 'x')
    expect((await s3move('ls', folder('site'), '--checkpoint', 'run')).code).toBe(0)
    const path = join(cwd, 'run/checkpoint.json')
    const saved = parseCheckpoint(await readFile(path, 'utf8'), path)
    await writeFile(path, serializeCheckpoint({ ...saved, state: 'unfinished', ranges: [{ after: 'x' }] }))
    await rename(join(cwd, 'site'), join(cwd, 'away'))
    await mkdir(join(cwd, 'site'))
    expect(refusal(await s3move('resume', 'run'))).toContain('is gone or another one')
  })

  test.runIf(process.getuid?.() === 0)('a folder that may not be read or written', async () => {
    const { server, cwd, folder, as } = await setting()
    await put(server, 'src', 'x', { Body: 'x' })
    await mkdir(join(cwd, 'closed'), { mode: 0o700 })
    await writeFile(join(cwd, 'closed/x'), 'x')
    await chmod(cwd, 0o755)
    await mkdir(join(cwd, 'runs'))
    await chmod(join(cwd, 'runs'), 0o777)
    const anybody = { ...as, cwd: '/', uid: 65_534 }
    for (const args of [
      ['copy', 's3://src', folder('closed/new')],
      ['ls', folder('closed')],
      ['copy', 's3://src', folder('new')],
      ['copy', 's3://src', folder('new'), '--dry-run'],
      ['copy', 's3://src', folder('closed'), '--dry-run'],
    ]) {
      expect(refusal(await run([...args, '--checkpoint', join(cwd, 'runs/x')], anybody))).toMatch(/permission denied/)
    }
  })
})
