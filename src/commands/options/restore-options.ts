import type { Argv } from './argv.js'
import { UserError } from '../../errors.js'
import type { Restore } from '../../job/transfer.js'
import { printable } from '../../keys.js'
import { grouped, readText, textFlag, type Flags } from './flag-values.js'

const TIERS = ['standard', 'bulk', 'expedited'] as const

/** Flag of what becomes of archived objects. */
export function restoreFlags(argv: Argv): Argv {
  return grouped(argv, 'Archived objects:', {
    restore: {
      ...textFlag(
        'DAYS[:TIER]',
        `DAYS[:TIER]: have archived objects restored for so many days, to be copied by a later ‘resume --only-failed’ (${TIERS.join(', ')})`,
        'skip them',
      ),
      nargs: 1,
    },
  })
}

/** The restoring that was asked for, for a job. A mistake is a `UserError`. */
export function readRestore(flags: Flags): { readonly restore?: Restore } {
  const given = readText(flags, 'restore')
  if (given === undefined) return {}
  const [, days = '', named = 'standard'] = /^([0-9]{1,6})(?::(.+))?$/s.exec(given) ?? []
  const tier = TIERS.find((one) => one === named.toLowerCase())
  if (tier !== undefined && Number(days) >= 1) return { restore: { days: Number(days), tier } }
  throw new UserError(
    `--restore ${printable(given)} is not a number of days with, perhaps, a tier behind it`,
    `write it as 7 or 7:bulk; the tiers are ${TIERS.join(', ')}`,
  )
}
