/** What to do about a connection that could not be made or broke, by its error code. */
export function connectionHint(code: string): string {
  if (CERTIFICATE.test(code))
    return 'trust the server’s certificate with --ca-bundle FILE (or AWS_CA_BUNDLE, or ca_bundle of the profile), or, for a test, use --no-verify-ssl'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return 'check --endpoint-url and --region, and that this machine can look up names'
  if (WRONG_SCHEME.has(code)) return 'check whether the endpoint wants http:// or https://'
  return 'check --endpoint-url, the network, and HTTPS_PROXY, HTTP_PROXY and NO_PROXY'
}

/** Codes of certificates that are not trusted. */
export const CERTIFICATE = /CERT|^UNABLE_TO_|^HOSTNAME_MISMATCH|^ERR_TLS_CERT/
const WRONG_SCHEME = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'])
