/** Where requests for one bucket go. Plain data, to be sent between threads. */
export interface Target {
  /** Scheme, host and port, as a URL. */
  readonly origin: string
  /** The encoded path of the bucket: `/bucket` in path style, '' when the host names it. */
  readonly path: string
  /** Region and service for the signature. */
  readonly region: string
  readonly service: string
}

/**
 * Where requests for a bucket go that is named in the path of a given endpoint. Undefined where that is not all there is to it (access points,
 * names of old, regions that stand for others): the rules for those are the SDK's.
 */
export function plainTarget(endpointUrl: string, bucket: string, region: string): Target | undefined {
  if (!PLAIN_BUCKET.test(bucket) || SPECIAL_BUCKET.test(bucket) || !PLAIN_REGION.test(region)) return undefined
  const { origin, pathname } = new URL(endpointUrl)
  if (!PLAIN_PATH.test(pathname)) return undefined
  return { origin, path: `${pathname.replace(/\/+$/, '')}/${bucket}`, region, service: 's3' }
}

/** The same for a directory bucket, for which AWS knows no paths: a simulated one does. */
export function plainZonalTarget(endpointUrl: string, bucket: string, region: string): Target | undefined {
  if (!PLAIN_BUCKET.test(bucket) || !PLAIN_REGION.test(region)) return undefined
  const { origin, pathname } = new URL(endpointUrl)
  if (!PLAIN_PATH.test(pathname)) return undefined
  return { origin, path: `${pathname.replace(/\/+$/, '')}/${bucket}`, region, service: 's3express' }
}

const PLAIN_BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
// `--x-s3` and its kin, and aliases of access points.
const SPECIAL_BUCKET = /--|-s3alias$/
// Not `aws-global`, nor the names with FIPS in them.
const PLAIN_REGION = /^(?!aws-|fips-)(?!.*-fips$)[a-z0-9]+(?:-[a-z0-9]+)*$/
const PLAIN_PATH = /^[\w/.-]*$/
