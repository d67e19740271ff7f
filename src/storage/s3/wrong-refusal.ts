import type { Channel } from './request.js'
import { faultOf, type Asked } from './storage-errors.js'
import type { HttpResponse } from './http.js'
import type { Fields } from './sign.js'

const CONDITIONS: ReadonlySet<string> = new Set(['x-amz-copy-source-if-match', 'x-amz-copy-if-match'])

/** A copy that was refused, perhaps for a condition on its source that holds. */
interface RefusedCopy {
  readonly asked: Asked
  readonly fields: Fields
  /** What the source is to have. */
  readonly etag: string
  readonly response: HttpResponse
  /** The ETag that the source has now. */
  readonly look: () => Promise<string>
  readonly send: (fields: Fields) => Promise<HttpResponse>
  /** The source is not replaced by its own copy, and can be looked at afterwards as well. */
  readonly apart: boolean
}

/**
 * Swift compares the condition on the source of a copy with another ETag than the one it tells of an object of parts, and answers 412 to the right
 * one. When a look shows that the condition holds, the copy is sent without it, and the source is looked at again afterwards: when it was written to in
 * between, the refusal stands.
 */
export async function despiteWrongRefusal(
  { aws, unsupported }: Channel,
  { asked, fields, etag, response, look, send, apart }: RefusedCopy,
): Promise<HttpResponse> {
  if (aws || response.status !== 412 || !/-[0-9N]+$/.test(etag) || (await look()) !== etag) return response
  const copied = await send(fields.filter(([name]) => !CONDITIONS.has(name)))
  if (copied.status >= 300) return copied
  unsupported.add(
    'x-amz-copy-source-if-match with the ETag of an object of parts',
    faultOf(response, asked),
    'such objects are looked at before and after their copy instead',
  )
  return apart && (await look()) !== etag ? response : copied
}
