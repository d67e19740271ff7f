import { UserError } from './errors.js'
import { printable } from './keys.js'

/** What to write, for the hint of a `checkEndpoint`. */
export function endpointHint(flag: string): string {
  return `write something like ${flag} http://127.0.0.1:9000`
}

/** Throws a UserError for an endpoint that is no plain http or https URL. What may be a user name, a password or a signature in it is not shown. */
export function checkEndpoint(text: string, hint: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isWeb = url !== undefined && /^https?:$/.test(url.protocol)
  if (isWeb ? url.username !== '' || url.password !== '' : text.includes('@')) {
    throw new UserError('the endpoint URL holds a user name or password, which S3 does not use', hint)
  }
  if (!isWeb) throw new UserError(`the endpoint ${printable(text)} is not an http:// or https:// URL`, hint)
  if (url.search !== '' || url.hash !== '') {
    // Of a URL that was signed it is a secret.
    throw new UserError(`the endpoint ${printable(url.origin)} has a query or fragment`, hint)
  }
}
