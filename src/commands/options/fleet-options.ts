import { UserError } from '../../errors.js'
import type { Argv } from './argv.js'
import { booleanFlag, grouped, readFlag, readText, textFlag, type Flags } from './flag-values.js'

/** What is asked of other hosts. */
export interface FleetAsked {
  /** Of a Redis or Valkey, with user and password: never told, never kept. */
  readonly url: string
  /** By which a run is announced, or looked for. */
  readonly name: string | undefined
  /** A file of PEM certificates. */
  readonly ca: string | undefined
}

const HEADING = 'Other hosts (docs/fleet.md):'

/** Flags of a run that other hosts may help. */
export function fleetFlags(argv: Argv): Argv {
  return grouped(argv, HEADING, {
    fleet: textFlag(
      'URL',
      'let hosts help that run ‘s3move worker’; redis://HOST or rediss://HOST; env for S3MOVE_FLEET',
    ),
    'fleet-name': textFlag('NAME', 'name by which hosts know the run', 'that of the folder of the run'),
    ...CONNECTION,
  })
}

const CONNECTION = {
  'fleet-ca': textFlag('FILE', 'PEM certificates to trust for rediss://'),
  'fleet-insecure': booleanFlag('take a Redis of another machine that has no TLS, or no password'),
} as const

/** The same of a host. */
export function fleetConnectionFlags(argv: Argv): Argv {
  return grouped(argv, HEADING, CONNECTION)
}

/** The same of who asks what is done there. */
export function fleetStatusFlags(argv: Argv): Argv {
  return grouped(argv, HEADING, {
    fleet: textFlag('URL', 'the runs that are announced there; env for S3MOVE_FLEET'),
    'fleet-name': textFlag('NAME', 'only the run of this name'),
    ...CONNECTION,
  })
}

/** The Redis at which runs are asked about, by the folders that were named and the flags. */
export function readFleetStatus(dirs: readonly string[], flags: Flags): FleetAsked | undefined {
  const [url, ...others] = dirs.filter((dir) => FLEET_URL.test(dir))
  const asked = readFleet(url === undefined ? flags : { ...flags, fleet: url })
  if (asked === undefined) return undefined
  if (
    others.length > 0 ||
    dirs.length > (url === undefined ? 0 : 1) ||
    (url !== undefined && flags.fleet !== undefined)
  )
    throw new UserError('runs are asked about at one Redis, or in folders, and more was given', 'name one of them')
  const other = ['watch', 'merge', 'format', 'warning', 'critical'].find((name) => flags[name] !== undefined)
  if (other !== undefined)
    throw new UserError(
      `--${other} is of runs in folders, and not of those at a Redis`,
      `leave --${other} away; --json goes`,
    )
  return asked
}

/** Whether other hosts may help, by the flags of a run. */
export function readFleet(flags: Flags): FleetAsked | undefined {
  const given = readText(flags, 'fleet')
  const [more] = ['fleet-name', 'fleet-ca', 'fleet-insecure'].filter((name) => flags[name] !== undefined)
  if (given === undefined && more !== undefined)
    throw new UserError(`--${more} is about --fleet, which was not given`, 'add --fleet URL')
  return given === undefined ? undefined : readFleetAt(given, readText(flags, 'fleet-name'), flags)
}

/** What is at an address; `env` stands for that of the environment. */
export function readFleetAt(given: string, name: string | undefined, flags: Flags): FleetAsked {
  const { S3MOVE_FLEET: fromEnvironment = '' } = process.env
  const url = given === 'env' ? fromEnvironment : given
  if (url === '') throw new UserError('S3MOVE_FLEET is not set', 'set it to a URL such as rediss://:PASSWORD@HOST:6379')
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
    throw new UserError('--fleet takes redis://HOST:PORT or rediss://HOST:PORT, and was given something else', URL_HINT)
  }
  checkSecure(new URL(url), readFlag(flags, 'fleet-insecure') ?? false)
  if (name !== undefined && !/^[\w.-]{1,100}$/.test(name))
    throw new UserError('a name of a run has letters, digits, dots, - and _', 'give another name')
  return { url, name, ca: readText(flags, 'fleet-ca') }
}

const FLEET_URL = /^rediss?:\/\//

const URL_HINT = 'a password is best kept in S3MOVE_FLEET, with --fleet env'

// Whoever can write to it orders the hosts about.
function checkSecure({ protocol, hostname, password }: URL, insecure: boolean): void {
  const lacking = [protocol === 'redis:' ? 'TLS (rediss://)' : '', password === '' ? 'a password' : ''].filter(Boolean)
  if (insecure || lacking.length === 0 || LOOPBACK.test(hostname)) return
  throw new UserError(
    `that Redis is of another machine, and the connection lacks ${lacking.join(' and ')}: whoever can write to it orders hosts about`,
    'give it both, or add --fleet-insecure where the network itself is trusted',
  )
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/
