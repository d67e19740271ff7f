import { dialerFor } from '../../connections/connect.js'
import { createHttpPool } from './http.js'
import type { Account } from './account.js'
import { createSigner, EMPTY_HASH } from './sign.js'
import { elementText } from './xml.js'

/** How long the identity is waited for, in milliseconds. */
const PATIENCE = 5_000
const MOST = 16 * 1024

/**
 * Who the credentials of an account are, as an ARN: GetCallerIdentity of AWS's Security Token Service, which nobody needs a permission for. Undefined
 * where nobody knows: at stores other than AWS, which have no such service unless `AWS_ENDPOINT_URL_STS` names one, and when it does not answer.
 */
export async function callerIdentity(account: Account, region: string): Promise<string | undefined> {
  const named = process.env.AWS_ENDPOINT_URL_STS || undefined
  const credentials = account.credentials.current
  if (credentials === undefined || (account.endpointUrl !== undefined && named === undefined)) return undefined
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  try {
    const dialer = dialerFor(new URL(named ?? `https://sts.${region}.${domain}`), account.trust)
    const pool = createHttpPool(dialer)
    try {
      const query = 'Action=GetCallerIdentity&Version=2011-06-15'
      const request = { method: 'GET', host: dialer.host, path: '/', query, headers: [], bodyHash: EMPTY_HASH }
      const head = createSigner(region, 'sts').head(request, 0, credentials, Date.now())
      const answer = await pool.send({ head, silence: { ms: PATIENCE, whole: PATIENCE }, most: MOST })
      return answer.status === 200 ? elementText(answer.body, 'Arn') : undefined
    } finally {
      pool.close()
    }
  } catch {
    // That it cannot be asked says nothing of the store.
    return undefined
  }
}
