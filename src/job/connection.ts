import { checkCount, flag, positive, shape, text } from './schema.js'
import type { Side } from './place.js'

/** How one side is reached. */
export interface EndConnection {
  readonly endpointUrl?: string
  readonly region?: string
  readonly profile?: string
  readonly pathStyle?: boolean
  readonly noSignRequest?: boolean
  /** The account that the bucket must belong to. */
  readonly expectedOwner?: string
}

/** How the stores are reached. Kept in the checkpoint so that `resume` needs only the folder; it holds no secrets. */
export interface Connection extends EndConnection {
  /** Where one side is reached in another way. */
  readonly source?: EndConnection
  readonly destination?: EndConnection
  readonly requestPayer?: boolean
  /** Path of a file of PEM certificates to trust instead of the system's. */
  readonly caBundle?: string
  readonly noVerifySsl?: boolean
  /** How long a connection may take to be established, and how long a server may stay silent, in milliseconds. */
  readonly connectTimeout?: number
  readonly readTimeout?: number
  /** Bytes a second at which content must come, on average over `readTimeout`; 0 for as few as may be. */
  readonly minRate?: number
}

/** How one side is reached, all told. */
export function connectionOf({ source, destination, ...both }: Connection, side: Side): Connection {
  return { ...both, ...(side === 'source' ? source : destination) }
}

const END = {
  ...{ endpointUrl: text, region: text, profile: text, pathStyle: flag, noSignRequest: flag, expectedOwner: text },
}

export const connectionShape = shape<Connection>(
  {},
  {
    ...END,
    source: shape<EndConnection>({}, END),
    destination: shape<EndConnection>({}, END),
    requestPayer: flag,
    caBundle: text,
    noVerifySsl: flag,
    connectTimeout: positive,
    readTimeout: positive,
    minRate: checkCount,
  },
)
