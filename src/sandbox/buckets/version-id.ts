import { hex32, mix } from '../wire/hash.js'

let last = 0

/** A number for a new version: higher than all before. */
export function nextOrder(): number {
  return ++last
}

const tail = 12

/** The id of the version of that order: opaque as those of S3, 32 characters long. */
export function versionIdOf(order: number): string {
  const scrambled = `${hex32(mix(3, order, 97))}${hex32(mix(4, order, 97))}${hex32(mix(5, order, 97))}`
  return scrambled.slice(0, 32 - tail) + order.toString(36).padStart(tail, '0')
}

/** The order of the version with that id; undefined when it is no id that was ever given (`null` too). */
export function orderOf(versionId: string): number | undefined {
  const order = parseInt(versionId.slice(-tail), 36)
  return versionId.length === 32 && order <= last && versionIdOf(order) === versionId ? order : undefined
}
