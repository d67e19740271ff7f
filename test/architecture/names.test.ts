import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))

const KINDS: ReadonlySet<string> = new Set([
  'copy',
  'sync',
  'move',
  'delete',
  'set-headers',
  'set-tags',
  'set-storage-class',
  'set-encryption',
  'ls',
  'du',
  'verify',
])

/** Where a kind of job may be told by its name: its own modules, the list of all, what is done to objects, and what is read of them. */
const MAY_NAME_KINDS =
  /^(?:job|engine\/actions)\/|^commands\/(?:copy|sync|move|delete|set-headers|set-tags|set-storage-class|set-encryption|ls|du|verify)\.ts$|^commands\/run\/perform-scan\.ts$/

/** Whether a text stands where the kind of something is asked for, or given. */
function isOfKind(text: ts.StringLiteral): boolean {
  const { parent } = text
  const asksKind = (node: ts.Node): boolean => /(?:^|\.)kind$/.test(node.getText())
  if (ts.isBinaryExpression(parent)) return asksKind(parent.left) || asksKind(parent.right)
  if (ts.isCaseClause(parent)) return asksKind(parent.parent.parent.expression)
  if (ts.isLiteralTypeNode(parent)) return ts.isPropertySignature(parent.parent) && asksKind(parent.parent.name)
  return ts.isPropertyAssignment(parent) && asksKind(parent.name)
}

test('the kinds of jobs are told apart in their own modules, the list of all and the actions alone', () => {
  const hits: string[] = []
  let allowed = 0
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.startsWith('sandbox')) continue
    const tree = ts.createSourceFile(file, readFileSync(join(SRC, file), 'utf8'), ts.ScriptTarget.ES2023, true)
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteral(node) && KINDS.has(node.text) && isOfKind(node)) {
        if (MAY_NAME_KINDS.test(file)) allowed++
        else hits.push(`${file}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`)
      }
      ts.forEachChild(node, visit)
    }
    visit(tree)
  }
  expect(hits).toEqual([])
  expect(allowed).toBeGreaterThan(10)
})

/** Exported more than once: by the two backends, which are alike on purpose, and by the sandbox, which knows nothing of the program. */
const PARALLEL = ['Asked', 'command', 'createReading', 'createRemoving', 'createWriting', 'escapeXml']

test('an exported name means one thing in all of the program', () => {
  const seen = new Set<string>()
  const again = new Set<string>()
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    const names = readFileSync(join(SRC, file), 'utf8').matchAll(
      /^export (?:interface|type|class|const|(?:async )?function\*?) (\w+)/gm,
    )
    for (const [, name = ''] of names) (seen.has(name) ? again : seen).add(name)
  }
  expect(seen.size).toBeGreaterThan(500)
  expect([...again].sort()).toEqual(PARALLEL)
})
