/**
 * The content coding of an object, from a Content-Encoding as a store tells it; undefined when there is none. `aws-chunked` says how a body was sent (Signature Version 4 in
 * chunks); S3 takes it off, and other stores keep it.
 */
export function contentEncoding(value: string): string | undefined {
  if (!AWS_CHUNKED.test(value)) return value
  const others = value
    .split(',')
    .filter((coding) => coding.trim() !== '' && coding.trim().toLowerCase() !== 'aws-chunked')
  return others.length === 0 ? undefined : others.join(',').trim()
}

const AWS_CHUNKED = /aws-chunked/i
