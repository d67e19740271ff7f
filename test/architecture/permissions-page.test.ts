import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { PERMISSIONS, usersOf, type PermittedCommand } from '../../src/job/permissions.js'

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/permissions.md', import.meta.url)), 'utf8')

interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
}

const list = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value)

/** What the policies below a heading of the page grant, as `ARN action`. */
function grantedBy(heading: string): string[] {
  const [, section = ''] = new RegExp(`^## ${heading}\\n(.*?)(?=^## |\\n*$(?![^]))`, 'ms').exec(PAGE) ?? []
  return [...section.matchAll(/^```json\n(.*?)^```$/gms)].flatMap(([, text = '']) => {
    const read = JSON.parse(text) as Statement | { readonly Statement: readonly Statement[] }
    const statements = 'Statement' in read ? read.Statement : [read]
    return statements.flatMap(({ Action, Resource }) =>
      list(Resource).flatMap((resource) => list(Action).map((action) => `${resource} ${action}`)),
    )
  })
}

function neededBy(command: PermittedCommand): string[] {
  return PERMISSIONS.filter((permission) => usersOf(permission).includes(command)).map(
    ({ side, on, action }) => `arn:aws:s3:::${side.toUpperCase()}${on === 'objects' ? '/*' : ''} ${action}`,
  )
}

/** Whose policy is needed as well, as the page says. */
const AS_FOR: Partial<Record<PermittedCommand, PermittedCommand>> = {
  ...{ sync: 'copy', move: 'copy', 'set-storage-class': 'set-headers' },
}

test.each([
  'copy',
  'sync',
  'move',
  'verify',
  'set-headers',
  'set-storage-class',
  'set-encryption',
  'set-tags',
  'delete',
] as const)('the policies of the page on permissions grant what %s is known to need, and no more', (command) => {
  const other = AS_FOR[command]
  const asForOther = other === undefined ? [] : grantedBy(other)
  expect([...asForOther, ...grantedBy(command)].sort()).toEqual(neededBy(command).sort())
})
