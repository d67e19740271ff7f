import type { Finding } from '../job/finding.js'
import { PERMISSIONS, usersOf, type Permission, type PermittedCommand } from '../job/permissions.js'
import { exactUrl, placeUrl, type Place, type Side } from '../job/place.js'
import { printableName } from '../keys.js'
import { PLAIN, type Paint } from './paint.js'

/** What a check looked at. */
export interface Checked {
  readonly source: Place
  readonly destination: Place | undefined
  /** The command whose needs decide. */
  readonly command: PermittedCommand
  readonly findings: readonly Finding[]
}

/** A policy of IAM. */
interface Policy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly {
    readonly Effect: 'Allow'
    readonly Action: readonly string[]
    readonly Resource: string
  }[]
}

/** The actions that a check of `command` asks for; of all commands that the places can be for where none is named. */
export function actionsFor(
  { destination }: Pick<Checked, 'destination'>,
  command: PermittedCommand | undefined,
): readonly Permission[] {
  const between: readonly PermittedCommand[] = ['copy', 'sync', 'move']
  const commands = command !== undefined ? [command] : destination === undefined ? IN_PLACE : between
  return PERMISSIONS.filter(
    (permission) =>
      (permission.side === 'source' || destination !== undefined) &&
      usersOf(permission).some((user) => commands.includes(user)),
  )
}

const IN_PLACE: readonly PermittedCommand[] = [
  'ls',
  'copy',
  'set-headers',
  'set-tags',
  'set-storage-class',
  'set-encryption',
  'delete',
]

/** What keeps the command from doing all that it is for. */
export function lacking({ command, findings }: Pick<Checked, 'command' | 'findings'>): readonly Finding[] {
  return findings.filter(
    ({ about, state, what, permission }) =>
      state === 'no' && (about === 'reach' ? what !== 'clock' : (permission?.needs.includes(command) ?? false)),
  )
}

/** The least policy that grants what is missing; undefined where nothing is. */
function missingPolicy({ source, destination, findings }: Checked): Policy | undefined {
  const actions = new Map<string, string[]>()
  for (const { side, state, permission } of findings) {
    const place = side === 'destination' ? destination : source
    if (state !== 'no' || permission === undefined || place === undefined) continue
    const resource = resourceOf(place, permission.on)
    actions.set(resource, [...new Set([...(actions.get(resource) ?? []), permission.action])])
  }
  if (actions.size === 0) return undefined
  const statements = [...actions].map(([Resource, Action]) => ({ Effect: 'Allow', Action, Resource }) as const)
  return { Version: '2012-10-17', Statement: statements }
}

// What means something else in a policy is a variable there (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
function resourceOf({ bucket, prefix }: Place, on: Permission['on']): string {
  const isArn = bucket.startsWith('arn:')
  const arn = isArn ? bucket : `arn:aws:s3:::${bucket}`
  return on === 'bucket' ? arn : `${arn}${isArn ? '/object' : ''}/${prefix.replace(/[*?$]/g, '${$&}')}*`
}

/** The lines that tell a person. */
export function checkLines(checked: Checked, paint: Paint = PLAIN): string[] {
  const { source, destination, command, findings } = checked
  const width = Math.max(...findings.map(({ what }) => what.length))
  const of = (side: Side | undefined): string[] =>
    findings.filter((finding) => finding.side === side).flatMap((finding) => findingLines(finding, width, paint))
  const together = of(undefined)
  const lines = [
    `source ${placeUrl(source)}`,
    ...of('source'),
    ...(destination === undefined ? [] : [`destination ${placeUrl(destination)}`, ...of('destination')]),
    ...(together.length === 0 ? [] : ['both', ...together]),
  ]
  const policy = missingPolicy(checked)
  if (policy !== undefined) lines.push('a policy with what is missing:', JSON.stringify(policy, undefined, 2))
  return [...lines, verdictLine(command, checked, paint)]
}

// What a store cannot is no fault.
function toneOf({ about, state }: Finding): Parameters<Paint>[0] {
  if (state === 'ok') return 'good'
  return about === 'trait' ? 'dim' : state === 'no' ? 'bad' : 'warning'
}

/** A finding, with what it is of as wide as `width`. */
export function findingLines(finding: Finding, width: number, paint: Paint): string[] {
  const { state, what, told, hint, permission } = finding
  const users = permission === undefined ? '' : usersText(permission)
  const text = [told, state === 'ok' ? '' : users].filter((part) => part !== '').join('; ')
  const line =
    `  ${paint(toneOf(finding), state.padEnd(7))}  ${printableName(`${what.padEnd(width)}  ${text}`)}`.trimEnd()
  return hint === undefined ? [line] : [line, `  ${''.padEnd(7)}  ${''.padEnd(width)}  ${printableName(hint)}`]
}

function usersText({ purpose, needs, helps = [] }: Permission): string {
  const commands = [needs.join(', '), helps.length === 0 ? '' : `less of ${helps.join(', ')} without it`]
  return `${purpose} (${commands.filter((part) => part !== '').join('; ')})`
}

function verdictLine(command: PermittedCommand, checked: Checked, paint: Paint): string {
  const { findings } = checked
  const missing = lacking(checked)
  const open = findings.filter(({ state, permission }) => state === 'unknown' && permission?.needs.includes(command))
  const names = (found: readonly Finding[]): string => found.map(nameOf).join(', ')
  if (missing.length > 0) return paint('bad', `${command} lacks: ${printableName(names(missing))}`)
  const all = `${command} has all that it needs`
  return open.length === 0
    ? paint('good', all)
    : paint('warning', `${all}, as far as can be told without writing: ${printableName(names(open))} is not known`)
}

function nameOf({ what, side }: Finding): string {
  return side === undefined ? what : `${what} on the ${side}`
}

/** The same for programs, as one object. */
export function checkJson(checked: Checked): object {
  const { source, destination, command, findings } = checked
  const policy = missingPolicy(checked)
  return {
    command,
    exitCode: lacking(checked).length === 0 ? 0 : 2,
    holds: lacking(checked).length === 0,
    source: exactUrl(source),
    ...(destination === undefined ? {} : { destination: exactUrl(destination) }),
    findings: findings.map(({ permission, ...finding }) => ({
      ...finding,
      ...(permission === undefined
        ? {}
        : { on: permission.on, neededBy: permission.needs, helps: permission.helps ?? [] }),
    })),
    ...(policy === undefined ? {} : { policy }),
  }
}
