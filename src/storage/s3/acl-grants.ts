import type { Acl, HeaderFields } from '../storage.js'
import { elementsOf, elementText } from './xml.js'

const GRANTS: Readonly<Record<string, string>> = {
  FULL_CONTROL: 'x-amz-grant-full-control',
  READ: 'x-amz-grant-read',
  READ_ACP: 'x-amz-grant-read-acp',
  WRITE_ACP: 'x-amz-grant-write-acp',
}
const EVERYBODY = 'http://acs.amazonaws.com/groups/global/AllUsers'

/**
 * The grants of an AccessControlPolicy as fields of a request, so that a copy has them from its first moment on: a list put
 * behind it would be lost with a process that dies in between. Undefined when there is no field for one of them.
 */
export function grantFields(policy: string): HeaderFields | undefined {
  const { owner, grants } = read(policy)
  const [only, ...others] = grants
  if (only === undefined) return undefined
  if (others.length === 0 && only.permission === 'FULL_CONTROL' && only.id === owner) return []
  const shape = grants.map(({ id, uri, permission }) => `${id === owner ? 'owner' : (uri ?? id ?? '')} ${permission}`)
  // WRITE has no field: an object has it from this canned list, and it means nothing there.
  const open = ['owner FULL_CONTROL', `${EVERYBODY} READ`, `${EVERYBODY} WRITE`]
  if (shape.sort().join() === open.sort().join()) return [['x-amz-acl', 'public-read-write']]
  const fields = new Map<string, string[]>()
  for (const { id, uri, permission } of grants) {
    const name = GRANTS[permission]
    const grantee = uri === undefined ? (id === undefined ? undefined : `id="${id}"`) : `uri="${uri}"`
    if (name === undefined || grantee === undefined || !PLAIN.test(grantee)) return undefined
    fields.set(name, [...(fields.get(name) ?? []), grantee])
  }
  return [...fields].map(([name, grantees]) => [name, grantees.join(', ')] as const)
}

/** The list in an AccessControlPolicy. */
export function aclIn(policy: string): Acl {
  const { owner = '', grants } = read(policy)
  return { owner, grants: grants.map(({ id, uri, email, permission }) => `${uri ?? id ?? email ?? ''} ${permission}`) }
}

function read(policy: string) {
  const grants = elementsOf(policy, 'Grant').map((grant) => ({
    id: elementText(grant, 'ID'),
    uri: elementText(grant, 'URI'),
    email: elementText(grant, 'EmailAddress'),
    permission: elementText(grant, 'Permission') ?? '',
  }))
  return { owner: elementText(elementsOf(policy, 'Owner')[0] ?? '', 'ID'), grants }
}

const PLAIN = /^[a-z]+="[ !#-~]*"$/
