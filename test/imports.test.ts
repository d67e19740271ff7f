import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** The parts of the program, and for each the parts to its right, which it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  'file-system': [],
  processes: ['file-system'],
  'thread-pool': [],
  version: [],
  times: [],
  keys: ['errors'],
  rfc2047: [],
  job: ['keys', 'errors'],
  checkpoint: ['job', 'keys', 'times', 'errors', 'processes', 'file-system'],
  rules: ['rfc2047', 'job', 'keys', 'times', 'errors'],
  storage: ['rfc2047', 'rules', 'job', 'keys', 'times', 'errors', 'processes', 'file-system'],
  work: ['storage', 'checkpoint', 'job', 'keys', 'times', 'errors', 'file-system'],
  engine: ['rfc2047', 'rules', 'work', 'storage', 'checkpoint', 'job', 'keys', 'times', 'errors'],
  progress: ['work', 'storage', 'checkpoint', 'job', 'keys', 'times', 'errors'],
  threads: ['engine', 'progress', 'work', 'storage', 'checkpoint', 'job', 'keys', 'errors'],
  // `s3move sandbox` starts the simulated server, which itself knows nothing of the program.
  sandbox: ['errors', 'times'],
  commands: [
    ...['threads', 'engine', 'progress', 'rules', 'work', 'storage', 'checkpoint', 'job', 'keys', 'errors', 'version'],
    ...['sandbox', 'file-system', 'times'],
  ],
  thread: [
    'thread-pool',
    'commands',
    'threads',
    'engine',
    'progress',
    'work',
    'storage',
    'checkpoint',
    'job',
    'keys',
    'errors',
  ],
  cli: [
    'commands',
    'threads',
    'engine',
    'progress',
    'work',
    'storage',
    'checkpoint',
    'job',
    'keys',
    'errors',
    'processes',
    'thread-pool',
    'version',
  ],
}

/** Files in `src` itself that belong to a part of another name. */
const PART_OF: Readonly<Record<string, string>> = {
  'format.ts': 'progress',
  'summary.ts': 'progress',
  'census-report.ts': 'progress',
  'scan-progress.ts': 'progress',
  'verify-summary.ts': 'progress',
  'progress-line.ts': 'progress',
  'text-surface.ts': 'progress',
}

function partOf(file: string): string {
  return PART_OF[file] ?? file.split('/')[0]!.replace(/\.ts$/, '')
}

interface SourceFile {
  readonly file: string
  readonly tree: ts.SourceFile
  /** Files of the program that it imports, statically, by re-export, or with `import()`. */
  readonly imports: readonly string[]
  /** Those of `imports` that are there when the program runs. */
  readonly loads: readonly string[]
  readonly packages: readonly string[]
}

function read(file: string): SourceFile {
  const tree = ts.createSourceFile(file, readFileSync(join(SRC, file), 'utf8'), ts.ScriptTarget.ES2023, true)
  const names: string[] = []
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
      names.push((name as ts.StringLiteral).text)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      types.push((node.argument.literal as ts.StringLiteral).text)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  const within = (name: string): boolean => name.startsWith('.')
  const resolve = (name: string): string => posix.join(dirname(file), name).replace(/\.js$/, '.ts')
  const loads = names.filter(within).map(resolve)
  return {
    file,
    tree,
    loads,
    imports: [...loads, ...types.filter(within).map(resolve)],
    packages: [...names, ...types].filter((name) => !within(name)),
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
  test('belong to parts that the layout knows, and import files that exist', () => {
    expect(sources.length).toBeGreaterThan(50)
    const files = new Set(sources.map(({ file }) => file))
    for (const { file, imports } of sources) {
      expect(Object.keys(MAY_IMPORT), file).toContain(partOf(file))
      for (const target of imports) expect(files, `${file} imports ${target}`).toContain(target)
    }
  })

  test('import only to the right: cli → commands → engine, progress → work → storage, checkpoint → job → keys, errors', () => {
    const wrong: string[] = []
    for (const { file, imports } of sources) {
      const part = partOf(file)
      for (const target of imports) {
        const to = partOf(target)
        if (to !== part && MAY_IMPORT[part]?.includes(to) !== true) wrong.push(`${file} → ${target}`)
      }
    }
    expect(wrong).toEqual([])
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
    for (const { file } of users) expect(partOf(file), file).toBe('storage')
    expect(users.length).toBeGreaterThan(0)
  })

  test('import only packages that the program depends on', () => {
    const manifest = JSON.parse(readFileSync(join(SRC, '../package.json'), 'utf8')) as { dependencies: object }
    const known = Object.keys(manifest.dependencies)
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
