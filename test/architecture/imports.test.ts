import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))

/** The rooms of the program, and for each the rooms to its right, which it may import from besides itself. A file in `src` itself is a room of its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  abort: [],
  'file-system': [],
  processes: ['file-system'],
  'libuv-wakeups': [],
  hashing: [],
  version: [],
  times: [],
  keys: [],
  'endpoint-url': ['keys', 'errors'],
  connections: ['errors'],
  rfc2047: [],
  job: ['keys', 'times'],
  checkpoint: ['job', 'keys', 'times', 'processes', 'file-system', 'errors'],
  rules: ['job', 'rfc2047', 'keys', 'times', 'errors'],
  storage: ['storage/disk', 'storage/s3', 'connections', 'job', 'keys', 'errors', 'abort'],
  'storage/s3': ['storage', 'connections', 'job', 'rfc2047', 'endpoint-url', 'keys', 'times', 'errors'],
  'storage/disk': ['storage', 'rules', 'job', 'keys', 'times', 'processes', 'file-system', 'hashing', 'errors'],
  sources: ['storage', 'checkpoint', 'job', 'keys', 'errors'],
  'sources/ranges': ['sources', 'keys'],
  'sources/estimate': ['keys'],
  'sources/files-from': ['sources', 'storage', 'checkpoint', 'job', 'keys', 'times', 'file-system', 'errors'],
  'engine/lanes': ['sources', 'storage', 'job', 'abort'],
  'engine/actions': [
    'engine/lanes',
    'sources',
    'storage',
    'rules',
    'checkpoint',
    'job',
    'rfc2047',
    'keys',
    'times',
    'hashing',
    'errors',
    'abort',
  ],
  'engine/output': ['storage', 'checkpoint', 'job', 'keys', 'times', 'errors'],
  'engine/workers': [
    'sources/files-from',
    'engine/output',
    'engine/actions',
    'engine/lanes',
    'sources/ranges',
    'sources',
    'storage',
    'job',
    'libuv-wakeups',
    'errors',
    'abort',
  ],
  'engine/session': [
    'engine/workers',
    'engine/output',
    'engine/actions',
    'engine/lanes',
    'sources/files-from',
    'sources/ranges',
    'sources/estimate',
    'sources',
    'storage',
    'checkpoint',
    'job',
    'keys',
    'times',
    'errors',
    'abort',
  ],
  fleet: ['engine/workers', 'sources/ranges', 'sources', 'storage', 'checkpoint', 'job', 'keys', 'errors', 'abort'],
  prices: ['job', 'keys', 'errors'],
  probe: ['storage', 'connections', 'job', 'keys', 'times', 'errors', 'abort'],
  report: ['checkpoint', 'job', 'rfc2047', 'keys', 'times', 'processes'],
  'report/pages': ['report', 'checkpoint', 'job', 'keys', 'times'],
  watch: ['report/pages', 'keys', 'errors'],
  'sandbox/wire': ['errors'],
  'sandbox/buckets': ['sandbox/wire', 'errors'],
  'sandbox/operations': ['sandbox/buckets', 'sandbox/wire', 'times'],
  sandbox: ['sandbox/operations', 'sandbox/buckets', 'sandbox/wire', 'errors'],
  batch: ['sources/files-from', 'job', 'keys', 'times', 'errors'],
  'commands/options': ['report', 'rules', 'job', 'endpoint-url', 'keys', 'times', 'errors'],
  'commands/run': [
    'commands/options',
    'batch',
    'watch',
    'report/pages',
    'report',
    'prices',
    'probe',
    'fleet',
    'engine/session',
    'engine/workers',
    'engine/output',
    'engine/actions',
    'sources/files-from',
    'sources/ranges',
    'storage',
    'rules',
    'checkpoint',
    'job',
    'keys',
    'times',
    'connections',
    'version',
    'file-system',
    'abort',
    'errors',
  ],
  'commands/help': ['commands/options', 'version'],
  'commands/jobs': ['commands/options', 'report', 'keys', 'errors'],
  'commands/completion': ['commands/help', 'commands/jobs', 'commands/options', 'storage', 'job'],
  commands: [
    'commands/completion',
    'commands/help',
    'commands/jobs',
    'commands/run',
    'commands/options',
    'sandbox',
    'sandbox/wire',
    'report',
    'job',
    'keys',
    'version',
    'errors',
  ],
  cli: [
    'commands',
    'commands/completion',
    'commands/help',
    'commands/jobs',
    'commands/options',
    'report',
    'checkpoint',
    'keys',
    'version',
    'libuv-wakeups',
    'processes',
    'errors',
  ],
}

/** What is loaded before it is known which command runs, whatever loads it: what flags mean, and no more. */
const LOADED_AT_EACH_START: readonly string[] = [
  'commands',
  'commands/options',
  'report',
  'rules',
  'sandbox/wire',
  'job',
  'endpoint-url',
  'keys',
  'times',
  'version',
  'errors',
]

/** What takes the place of a command, or puts one in its place: loaded when it is asked for. */
const IN_PLACE_OF_COMMANDS: readonly string[] = ['commands/completion', 'commands/help', 'commands/jobs']

/** Packages that are bundled with the program, so that whoever installs it needs none of them. */
const BUNDLED: readonly string[] = [
  '@aws-sdk/client-s3',
  '@aws-sdk/client-s3-control',
  '@aws-sdk/lib-storage',
  '@smithy/core',
  'cli-progress',
  'fastest-levenshtein',
  'hyparquet',
  'hyparquet-compressors',
  'hyparquet-writer',
  'ioredis',
  'p-queue',
  'prom-client',
  'string-width',
  'yaml',
  'yargs',
]

/** A file of one backend of storage. */
const BACKEND = /^storage\/[^/]+\//

/** The folder of a file; a file in `src` itself is by itself. */
function roomOf(file: string): string {
  const folder = dirname(file)
  return folder === '.' ? file.replace(/\.ts$/, '') : folder
}

/** The files of the engine that the rest of the program may import. */
const FACES_OF_ENGINE: readonly string[] = [
  'actions/annotations',
  'actions/context',
  'actions/copy-attributes',
  'actions/fidelity',
  'actions/look-at-headers',
  'actions/look-up-listed',
  'actions/name-locks',
  'output/compression',
  'output/level-lines',
  'output/ls-lines',
  'output/output-writer',
  'output/parquet-groups',
  'output/usage-counts',
  'output/verify-lines',
  'session/budget',
  'session/estimate-objects',
  'session/large-for-others',
  'session/level-session',
  'session/object-sampling',
  'session/parquet-sink',
  'session/plan-counts',
  'session/rehearsal-requests',
  'session/rehearsal',
  'session/scan-results',
  'session/scan-session',
  'session/stop-reason',
  'session/write-session',
  'workers/hand',
  'workers/large-hand',
  'workers/messages',
  'workers/readers',
  'workers/tasks',
  'workers/thread-pool',
  'workers/worker-pool',
]

interface SourceFile {
  readonly file: string
  readonly tree: ts.SourceFile
  /** Files of the program that it imports, statically, by re-export, or with `import()`. */
  readonly imports: readonly string[]
  /** Those of `imports` that are there when the program runs. */
  readonly loads: readonly string[]
  /** Those of `loads` that are there as soon as the file is. */
  readonly loadsAtOnce: readonly string[]
  readonly packages: readonly string[]
}

function read(file: string): SourceFile {
  const tree = ts.createSourceFile(file, readFileSync(join(SRC, file), 'utf8'), ts.ScriptTarget.ES2023, true)
  const names: string[] = []
  const later: string[] = []
  const types: string[] = []
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const name = (node.moduleSpecifier as ts.StringLiteral).text
      ;(ts.isImportDeclaration(node) && typesOnly(node) ? types : names).push(name)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [name] = node.arguments
      expect(name !== undefined && ts.isStringLiteral(name), `${file}: import() of a name that is not literal`).toBe(
        true,
      )
      later.push((name as ts.StringLiteral).text)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      types.push((node.argument.literal as ts.StringLiteral).text)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  const within = (name: string): boolean => name.startsWith('.')
  const isModule = (name: string): boolean => !name.endsWith('.json')
  const resolve = (name: string): string => posix.join(dirname(file), name).replace(/\.js$/, '.ts')
  const loadsAtOnce = names.filter(within).filter(isModule).map(resolve)
  const loads = [...loadsAtOnce, ...later.filter(within).map(resolve)]
  return {
    file,
    tree,
    loads,
    loadsAtOnce,
    imports: [...loads, ...types.filter(within).map(resolve)],
    packages: [...names, ...later, ...types].filter((name) => !within(name)),
  }
}

const sources = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => relative(SRC, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .sort()
  .map(read)

/** Every node in the program that `found` accepts, as file:line. */
function places(found: (node: ts.Node) => boolean): string[] {
  const hits: string[] = []
  for (const { file, tree } of sources) {
    const visit = (node: ts.Node): void => {
      if (found(node)) hits.push(`${file}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`)
      ts.forEachChild(node, visit)
    }
    visit(tree)
  }
  return hits
}

describe('the source files', () => {
  test('belong to rooms that the layout knows, and import files that exist', () => {
    expect(sources.length).toBeGreaterThan(50)
    const files = new Set(sources.map(({ file }) => file))
    for (const { file, imports } of sources) {
      expect(Object.keys(MAY_IMPORT), file).toContain(roomOf(file))
      for (const target of imports) expect(files, `${file} imports ${target}`).toContain(target)
    }
  })

  test('import only to the right: cli → commands → report, engine → sources → storage, checkpoint → job → keys, errors', () => {
    const wrong: string[] = []
    const needed = new Map(Object.keys(MAY_IMPORT).map((room) => [room, new Set<string>()]))
    for (const { file, imports } of sources) {
      const room = roomOf(file)
      for (const target of imports) {
        const to = roomOf(target)
        if (to === room) continue
        needed.get(room)?.add(to)
        if (MAY_IMPORT[room]?.includes(to) !== true) wrong.push(`${file} → ${target}`)
      }
    }
    expect(wrong).toEqual([])
    for (const [room, rooms] of Object.entries(MAY_IMPORT))
      expect(
        rooms.filter((to) => needed.get(room)?.has(to) !== true),
        `what ${room} is allowed and does not need`,
      ).toEqual([])
  })

  test('of commands load what declares them, and the rest only when they run', () => {
    const graph = new Map(sources.map((source) => [source.file, source]))
    const start = graph.get('cli.ts')?.loads.filter((file) => file.startsWith('commands/')) ?? []
    expect(sources.filter(({ file }) => roomOf(file) === 'commands' && !start.includes(file))).toEqual([])
    const found = new Set(start.filter((file) => !IN_PLACE_OF_COMMANDS.includes(roomOf(file))))
    for (const file of found) for (const target of graph.get(file)?.loadsAtOnce ?? []) found.add(target)
    expect([...new Set([...found].map(roomOf))].sort()).toEqual([...LOADED_AT_EACH_START].sort())
  })

  test('look into a backend of storage through storage/backends.ts alone', () => {
    const wrong = sources.flatMap(({ file, imports }) =>
      imports
        .filter((target) => BACKEND.test(target) && roomOf(target) !== roomOf(file) && file !== 'storage/backends.ts')
        .map((target) => `${file} → ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('reach the engine by its faces alone, and use each of these', () => {
    const within = (file: string): boolean => file.startsWith('engine/')
    const reached = sources.filter(({ file }) => !within(file)).flatMap(({ imports }) => imports.filter(within))
    expect([...new Set(reached)].sort()).toEqual(FACES_OF_ENGINE.map((face) => `engine/${face}.ts`))
  })

  test('form no circle when they are loaded, not even within a part (types alone may refer to each other)', () => {
    const graph = new Map(sources.map(({ file, loads }) => [file, loads]))
    const done = new Set<string>()
    const circles: string[] = []
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (path.includes(file) || done.has(file)) return
      for (const target of graph.get(file) ?? []) walk(target, [...path, file])
      done.add(file)
    }
    for (const file of graph.keys()) walk(file, [])
    expect(circles).toEqual([])
  })

  test('export names, never a default, and re-export nothing', () => {
    expect(places((node) => ts.isExportAssignment(node))).toEqual([])
    expect(places((node) => node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent))).toEqual([])
    expect(places((node) => ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)).toEqual([])
  })

  test('use neither `any` nor a non-null assertion', () => {
    expect(places((node) => node.kind === ts.SyntaxKind.AnyKeyword)).toEqual([])
    expect(places((node) => ts.isNonNullExpression(node))).toEqual([])
  })

  test('use the AWS SDK in storage alone', () => {
    const users = sources.filter(({ packages }) => packages.some((name) => /^@(?:aws-sdk|smithy)\//.test(name)))
    for (const { file } of users) expect(roomOf(file), file).toMatch(/^storage/)
    expect(users.length).toBeGreaterThan(0)
  })

  test('use the client of Redis in one file alone', () => {
    const users = sources.filter(({ packages }) => packages.includes('ioredis'))
    expect(users.map(({ file }) => file)).toEqual(['fleet/redis.ts'])
  })

  test('import only packages that the program depends on', () => {
    const manifest = JSON.parse(readFileSync(join(SRC, '../package.json'), 'utf8')) as Record<
      'dependencies' | 'devDependencies',
      object
    >
    expect(Object.keys(manifest.devDependencies)).toEqual(expect.arrayContaining([...BUNDLED]))
    const known = [...Object.keys(manifest.dependencies), ...BUNDLED]
    for (const { file, packages } of sources) {
      for (const name of packages) {
        const owner = name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/')
        expect(name.startsWith('node:') || known.includes(owner), `${file} imports ${name}`).toBe(true)
      }
    }
  })
})

/** Whether an import is gone when the program runs. */
function typesOnly(statement: ts.ImportDeclaration): boolean {
  const clause = statement.importClause
  if (clause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const bindings = clause?.namedBindings
  return (
    bindings !== undefined && ts.isNamedImports(bindings) && bindings.elements.every((element) => element.isTypeOnly)
  )
}
