import { isIP } from 'node:net'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string
  /** 0 for one that is free. */
  readonly port: number
}

/** The port where nobody names one. */
export const DEFAULT_PORT = 7380

/** The environment variable that holds the token, which is no flag: those of a process can be read by others on the machine. */
const TOKEN_VARIABLE = 'S3MOVE_LISTEN_TOKEN'

const SHORTEST_TOKEN = 16

/** `PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Throws a UserError for anything else. */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]+)\]:|([^:]+):)?(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain ?? '127.0.0.1'
  const port = Number(digits)
  const known = bracketed === undefined ? host === 'localhost' || isIP(host) === 4 : isIP(host) === 6
  if (digits === '' || port > 65_535 || !known) {
    throw new UserError(
      `--listen wants a port, or an address and a port, not ‘${printable(text)}’`,
      'such as 7380, 127.0.0.1:7380 or [::1]:7380; 0 takes a port that is free',
    )
  }
  return { host, port }
}

/** Whether nobody but this machine reaches it. */
export function isLoopback({ host }: ListenAddress): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** The token of the environment. Throws a UserError where others reach the address and there is none, or a short one. */
export function tokenFor(address: ListenAddress, environment: NodeJS.ProcessEnv): string | undefined {
  const token = environment[TOKEN_VARIABLE]
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UserError(`${TOKEN_VARIABLE} has characters that no header carries`, 'take letters and digits')
  }
  if (token !== undefined && token.length >= SHORTEST_TOKEN) return token
  if (token === undefined && isLoopback(address)) return undefined
  throw new UserError(
    token === undefined
      ? `others than this machine reach ${address.host}, so it needs a token`
      : `the token of ${TOKEN_VARIABLE} is shorter than ${SHORTEST_TOKEN} characters`,
    `set ${TOKEN_VARIABLE} to one, such as: export ${TOKEN_VARIABLE}=$(openssl rand -hex 16)`,
  )
}
