import type { Place } from '../job/place.js'
import type { ObjectLocation } from './backend.js'
import { backendOf } from './backends.js'

/** Where the one object is that a place names by its whole key, or path. What cannot be told is a `UserError`. */
export function locateObject(place: Place): Promise<ObjectLocation> {
  return backendOf(place).locate(place)
}
