import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { FailureGroups, groupLines } from '../../../src/report/failure-groups.js'

const failure = (key: string, code: string) => {
  return { key, code, operation: 'CopyObject', message: 'no\u001b[2J', attempts: 1, time: '2026-01-01T00:00:00.000Z' }
}

test('failures are grouped so that each is counted once, by code and by folder', () => {
  const key = fc.constantFrom(
    'p/',
    'p/a',
    'p/a/b',
    'p/c/d/e',
    'other/x',
    'x',
    'p/d/',
    'p/e/1',
    'p/f/1',
    'p/g/1',
    'p/h/1',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.constantFrom('A', 'B', 'C'))), (all) => {
      const groups = new FailureGroups('p/')
      for (const [name, code] of all) groups.add(failure(name, code))
      expect(groups.total).toBe(all.length)
      const found = groups.byCode()
      expect(found.map(({ objects }) => objects)).toEqual(found.map(({ objects }) => objects).sort((a, b) => b - a))
      for (const { code, objects, folders, elsewhere } of found) {
        const of = all.filter(([, other]) => other === code)
        expect(objects).toBe(of.length)
        expect(folders.reduce((sum, [, n]) => sum + n, elsewhere)).toBe(objects)
        for (const [folder, n] of folders) {
          const inside = of.filter(([name]) => {
            const rest = name.startsWith('p/') ? name.slice(2) : name
            return folder === '' ? !rest.includes('/') : name.startsWith(folder) && rest.includes('/')
          })
          expect(n).toBe(inside.length)
        }
      }
    }),
  )
})

test('more folders than are told apart are counted as elsewhere, and memory is bounded', () => {
  const groups = new FailureGroups('')
  for (let n = 0; n < 30_000; n++) groups.add(failure(`${n}/x`, 'A'))
  const [group] = groups.byCode()
  expect(group).toMatchObject({ objects: 30_000, elsewhere: 29_995 })
  const lines = groupLines(group!, { meaning: undefined, todo: undefined })
  expect(lines.join('\n')).toContain('29,995 elsewhere')
  expect(lines.join('\n')).toContain('no\\x1b[2J (CopyObject)')
})
