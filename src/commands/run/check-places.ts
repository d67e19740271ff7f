import { UserError } from '../../errors.js'
import type { PermittedCommand } from '../../job/permissions.js'
import type { Place } from '../../job/place.js'
import { printableName } from '../../keys.js'
import { actionsFor, checkJson, checkLines, lacking } from '../../report/check-report.js'
import { jsonRecord } from '../../report/json-records.js'
import { examine } from '../../storage/examination.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import type { Flags } from '../options/flag-values.js'
import { unless, type CommandIo } from '../options/io.js'
import { warnTo } from './attended.js'

/** What is to be checked. */
export interface CheckRequest {
  readonly source: Place
  readonly destination: Place | undefined
  /** The command that it is for; absent for whatever the places can be for, of which a copy decides. */
  readonly command: PermittedCommand | undefined
  readonly json: boolean
}

/** Finds out what keeps a job from its work, and says so. Resolves with the exit code. */
export async function checkPlaces(asked: CheckRequest, flags: Flags, io: CommandIo): Promise<number> {
  const { source, destination, json } = asked
  const connection = readConnection(flags, {})
  if (asked.command !== undefined && IN_ONE_PLACE.has(asked.command) && destination !== undefined)
    throw new UserError(`${asked.command} works in one place, and two were given`, 'leave the second away')
  const warn = (message: string): void => warnTo(io, printableName(message))
  const permissions = actionsFor({ destination }, asked.command)
  const findings = await unless(
    io.stop,
    examine(source, destination, { connection, permissions, giveUp: io.stop, warn }),
  )
  const checked = { source, destination, command: asked.command ?? 'copy', findings }
  io.stdout.write(
    json ? `${jsonRecord('check', checkJson(checked))}\n` : `${checkLines(checked, io.paint?.stdout).join('\n')}\n`,
  )
  return lacking(checked).length === 0 ? EXIT.done : EXIT.usage
}

const IN_ONE_PLACE: ReadonlySet<PermittedCommand> = new Set([
  'set-headers',
  'set-tags',
  'set-storage-class',
  'set-encryption',
  'delete',
  'ls',
  'du',
])
