import type { Connection } from '../job/connection.js'
import type { Finding } from '../job/finding.js'
import type { Permission } from '../job/permissions.js'
import type { Place } from '../job/place.js'
import { backendOf } from './backends.js'

/** What is to be found out, and how. */
export interface ExamineOptions {
  readonly connection: Connection
  /** The actions to ask for. */
  readonly permissions: readonly Permission[]
  /** Aborted when nothing is to be tried again. */
  readonly giveUp: AbortSignal
  /** Told of what a person should know of the configuration. */
  readonly warn: (message: string) => void
}

/**
 * Finds out whether places can be reached, what may be done there, and what they are like: by a bounded number of requests, none of which can change
 * anything. What is wrong is a finding and no error. What cannot be known without writing is `unknown`.
 */
export async function examine(
  source: Place,
  destination: Place | undefined,
  options: ExamineOptions,
): Promise<readonly Finding[]> {
  const [one, other] = [backendOf(source), destination === undefined ? undefined : backendOf(destination)]
  if (one === other) return await one.examine({ source, destination }, options)
  const found = await Promise.all([one.examine({ source }, options), other?.examine({ destination }, options) ?? []])
  return found.flat()
}
