import type { Software } from '../storage.js'
import { responseHeader, type HttpResponse } from './http.js'

// Both number requests as Swift does; Ceph names its zone behind that, and Swift tells the number in headers of its own as well.
const TRANSACTION = /^tx[0-9a-f]{21}-[0-9a-f]{10}/

/** Which of them has given an answer; undefined for any other store, or behind a proxy that does not pass it on. */
export function softwareOf(response: Pick<HttpResponse, 'head'>): Software | undefined {
  if (!TRANSACTION.test(responseHeader(response, 'x-amz-request-id') ?? '')) return undefined
  return responseHeader(response, 'x-openstack-request-id') === undefined ? 'Ceph' : 'Swift'
}
