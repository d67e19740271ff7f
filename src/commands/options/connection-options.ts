import type { Argv } from './argv.js'
import { checkEndpoint, endpointHint } from '../../endpoint-url.js'
import type { Connection, EndConnection } from '../../job/connection.js'
import type { Side } from '../../job/place.js'
import {
  booleanFlag,
  defined,
  grouped,
  readDuration,
  readFlag,
  readNegated,
  readRate,
  readText,
  textFlag,
  type Flags,
} from './flag-values.js'

/** Flags of how the store is reached. */
export function connectionFlags(argv: Argv): Argv {
  return grouped(argv, 'Connection (AWS’s environment and config files count too):', {
    'endpoint-url': textFlag('URL', 'URL of the S3 endpoint, for stores other than AWS'),
    region: textFlag('REGION', 'region of the buckets; S3 is asked when it is another'),
    profile: PROFILE,
    'path-style': booleanFlag(
      'name the bucket in the path; the default for endpoints other than AWS (--no-path-style: in the host)',
    ),
    'request-payer': booleanFlag('pay for the requests on requester-pays buckets'),
    'sign-request': { ...booleanFlag('--no-sign-request: do not sign, for public buckets'), hidden: true },
    'no-sign-request': booleanFlag('do not sign requests, for public buckets'),
    'ca-bundle': CA_BUNDLE,
    'verify-ssl': VERIFY_SSL,
    'no-verify-ssl': NO_VERIFY_SSL,
    'expected-bucket-owner': textFlag('ACCOUNT', 'account that the buckets must belong to'),
    'connect-timeout': textFlag('TIME', 'how long a connection may take to be established', '10s'),
    'read-timeout': textFlag(
      'TIME',
      'how long a server may stay silent, at most: it is less where answers usually come soon',
      '60s',
    ),
    'min-rate': textFlag(
      'SIZE',
      'least bytes a second at which content must come, on average over --read-timeout; 0 for none',
      '1K',
    ),
  })
}

/** Of these, the ones that belong to a machine, whatever it is to do. */
export function connectionOfHost(argv: Argv): Argv {
  return grouped(argv, 'Connection (AWS’s environment and config files count too):', {
    profile: PROFILE,
    'ca-bundle': CA_BUNDLE,
    'verify-ssl': VERIFY_SSL,
    'no-verify-ssl': NO_VERIFY_SSL,
  })
}

const PROFILE = textFlag('PROFILE', 'profile of the AWS config files')
const CA_BUNDLE = textFlag('FILE', 'file of PEM certificates to trust')
const VERIFY_SSL = { ...booleanFlag('--no-verify-ssl: accept any certificate'), hidden: true } as const
const NO_VERIFY_SSL = booleanFlag('accept any TLS certificate; for tests only')

/** Flags of how a run is reached that is kept in a bucket. */
export function bucketRunFlags(argv: Argv): Argv {
  return grouped(argv, 'A run in a bucket (AWS’s environment counts too):', {
    'endpoint-url': textFlag('URL', 'URL of its S3 endpoint, for stores other than AWS'),
    region: textFlag('REGION', 'region of the bucket; S3 is asked when it is another'),
    profile: PROFILE,
    'ca-bundle': CA_BUNDLE,
  })
}

/** Flags of how the two sides are reached, where they are not reached alike. */
export function sideFlags(argv: Argv): Argv {
  return grouped(argv, 'Connection of one side, where it differs:', { ...flagsOf('source'), ...flagsOf('destination') })
}

function flagsOf(side: Side) {
  return {
    [`${side}-endpoint-url`]: textFlag('URL', `endpoint of the ${side} alone`),
    [`${side}-region`]: textFlag('REGION', `region of the ${side} alone`),
    [`${side}-profile`]: textFlag('PROFILE', `profile for the ${side} alone`),
    [`${side}-path-style`]: booleanFlag(`--path-style for the ${side} alone`),
    [`${side}-no-sign-request`]: booleanFlag(`do not sign requests to the ${side}`),
    [`${side}-expected-bucket-owner`]: textFlag('ACCOUNT', `account that the bucket of the ${side} must belong to`),
  }
}

/** The connection that the flags ask for, `base` where they are silent. */
export function readConnection(flags: Flags, base: Connection): Connection {
  const given = defined<Connection>({
    endpointUrl: readEndpoint(flags, 'endpoint-url'),
    region: readText(flags, 'region'),
    profile: readText(flags, 'profile'),
    pathStyle: readFlag(flags, 'path-style'),
    noSignRequest: readNegated(flags, 'sign-request'),
    expectedOwner: readText(flags, 'expected-bucket-owner'),
    source: readSide(flags, 'source', base.source),
    destination: readSide(flags, 'destination', base.destination),
    requestPayer: readFlag(flags, 'request-payer'),
    caBundle: readText(flags, 'ca-bundle'),
    noVerifySsl: readNegated(flags, 'verify-ssl'),
    connectTimeout: readDuration(flags, 'connect-timeout', 1),
    readTimeout: readDuration(flags, 'read-timeout', 1),
    minRate: readRate(flags, 'min-rate', 0),
  })
  return { ...base, ...given }
}

function readSide(flags: Flags, side: Side, base: EndConnection | undefined): EndConnection | undefined {
  const given = defined<EndConnection>({
    endpointUrl: readEndpoint(flags, `${side}-endpoint-url`),
    region: readText(flags, `${side}-region`),
    profile: readText(flags, `${side}-profile`),
    pathStyle: readFlag(flags, `${side}-path-style`),
    noSignRequest: readFlag(flags, `${side}-no-sign-request`),
    expectedOwner: readText(flags, `${side}-expected-bucket-owner`),
  })
  return Object.keys(given).length === 0 ? base : { ...base, ...given }
}

function readEndpoint(flags: Flags, name: string): string | undefined {
  const text = readText(flags, name)
  if (text !== undefined) checkEndpoint(text, endpointHint(`--${name}`))
  return text
}
