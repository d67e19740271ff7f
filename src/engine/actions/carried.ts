import type { Change } from '../../rules/decide.js'
import type { HeaderFields, ObjectHead } from '../../storage/storage.js'
import { isSameClass } from './asked-attributes.js'

/** What S3 sets as one: of an object that gets another encryption, the key of before is none of it. */
const ENCRYPTION = 'x-amz-server-side-encryption'
const CLASS = 'x-amz-storage-class'
const STANDARD = 'STANDARD'

/** What an object has beside its headers, as fields of a request, where `wanted` takes the place of its storage class or encryption. */
export function carriedWith(carried: HeaderFields, wanted: HeaderFields = []): HeaderFields {
  const families = new Set(wanted.map(([name]) => familyOf(name)))
  return [
    ...carried.filter(([name]) => !families.has(familyOf(name))),
    // Which is what an object gets by itself: some stores know it by no name.
    ...wanted.filter(([name, value]) => name !== CLASS || value !== STANDARD),
  ]
}

/** In what an object is not as `wanted` beside its headers. */
export function changesBeside(
  { carried, storageClass }: Pick<ObjectHead, 'carried' | 'storageClass'>,
  wanted: HeaderFields = [],
): Change[] {
  const has = new Map([...carried, [CLASS, storageClass] as const])
  return wanted.flatMap(([name, to]) => {
    const from = has.get(name)
    const same = name === CLASS ? isSameClass(from ?? '', to) : from === to
    return same ? [] : [{ name, from, to }]
  })
}

function familyOf(name: string): string {
  return name.startsWith(ENCRYPTION) ? ENCRYPTION : name
}
