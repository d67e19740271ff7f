import { elementText } from './xml.js'

/**
 * What stores say beside `Message` of why a request was refused. A list of what is kept, not of what is left out: a refused signature is explained
 * by the request itself (`StringToSign`, `CanonicalRequest`, `SignatureProvided`, `AWSAccessKeyId`, `Token-0`), which nobody may find in a ledger.
 */
const EXPLAINING = [
  ...['Reason', 'Details', 'Condition', 'ArgumentName', 'ArgumentValue', 'Header', 'Method', 'ResourceType'],
  ...['ServerTime', 'RequestTime', 'MaxAllowedSkewMilliseconds', 'ExpectedDigest', 'CalculatedDigest'],
  ...['ClientComputedContentSHA256', 'S3ComputedContentSHA256', 'ActualObjectSize', 'RangeRequested'],
  ...['ProposedSize', 'MinSizeAllowed', 'MaxSizeAllowed', 'MaxMessageLengthBytes', 'Size', 'MaxSize', 'MaxSizeBytes'],
  ...['PartNumber', 'StorageClass', 'AccessTier', 'KMSKeyId', 'AdditionalMessage', 'EC', 'RecommendDoc'],
] as const

/** Most characters of an explanation that are kept. */
const MOST = 4_096
/** Of a body that is no answer of a store, so many tell whose it is. */
const MOST_FOREIGN = 512

/**
 * All that the body of an answer says of why: its `Message`, and what else explains it. '' when it says nothing. Secrets are left out, and what is
 * too long is cut, which is then said.
 */
export function explanationIn(body: string): string {
  const message = elementText(body, 'Message')?.trim() ?? ''
  const more = EXPLAINING.flatMap((name) => {
    const value = elementText(body, name)?.trim()
    if (value === undefined || value === '' || (value.length > 8 && message.includes(value))) return []
    // S3 names the header that it does not like, and then tells all of it.
    if (name === 'ArgumentValue' && SECRET_NAME.test(elementText(body, 'ArgumentName') ?? '')) return []
    return [`${name}: ${value}`]
  })
  const told = more.length === 0 ? message : `${message}${message === '' ? '' : ' '}(${more.join('; ')})`
  return cut(withoutSecrets(told === '' ? foreign(body) : told), MOST)
}

const SECRET_NAME = /authori[sz]ation|token|signature|credential|secret|-key$/i

// What a signed request holds, should a sentence quote it.
function withoutSecrets(text: string): string {
  return text
    .replace(/\b((?:X-Amz-)?(?:Signature|Credential|Security-Token))(=|:\s*)[^\s&,;<>"')]+/gi, '$1$2…')
    .replace(/\bAWS4-HMAC-SHA256\s+(?:Credential\b|\d{8}T)[^]*/i, 'AWS4-HMAC-SHA256 …')
}

// A page of a proxy, or JSON of another API: its words without the tags.
function foreign(body: string): string {
  if (/<(?:Error|Code)\b/.test(body)) return ''
  const words = Buffer.from(body.slice(0, 64 * MOST_FOREIGN), 'latin1')
    .toString('utf8')
    .replace(/<(style|script)\b[^]*?<\/\1>|<!--[^]*?-->|<[^>]*>?/gi, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return cut(words, MOST_FOREIGN)
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text
  // No half of a surrogate pair is left behind.
  const kept = text.slice(0, most).replace(/[\ud800-\udbff]$/, '')
  return `${kept}… (cut here, of ${text.length} characters)`
}
