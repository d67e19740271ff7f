import { CAPITALS } from '../etags.js'
import { responseHeader, type HttpResponse } from './http.js'
import type { Fields } from './sign.js'

/** What shows how a store writes MD5s: one with a letter, in an answer with ETags. */
const SHOWN = /^"?([0-9A-Fa-f]{32})(?:-\d+)?"?$/
const IN_BODY = /<ETag>(?:&quot;|&#34;|")?([0-9A-Fa-f]{32})/

const QUOTED = /^"(.*)"$/

/** How a store writes the ETags that are MD5s, which it wants to be told in the same way: a condition may be compared letter by letter. */
export class EtagCase {
  /** `capitals` is what another instance for the same store found out, if anything. */
  constructor(public capitals: boolean | undefined) {}

  /** Learns from an answer, as long as nothing is known. */
  learn(response: HttpResponse): void {
    const told = SHOWN.exec(responseHeader(response, 'etag') ?? '')?.[1] ?? IN_BODY.exec(response.body)?.[1]
    if (told === undefined || !/[a-f]/i.test(told)) return
    this.capitals = told === told.toUpperCase()
  }

  /** An ETag as this store writes it. */
  own(etag: string): string {
    return this.capitals === true && CAPITALS.test(etag.toUpperCase()) ? etag.toUpperCase() : etag
  }

  /** Fields of a request, their conditions as this store writes ETags; `isBare` without quotes. */
  ownFields(fields: Fields, isBare: boolean): Fields {
    if (this.capitals !== true && !isBare) return fields
    return fields.map((field) => {
      const [name, value] = field
      if (!name.endsWith('if-match')) return field
      const etag = QUOTED.exec(value)?.[1]
      if (etag === undefined) return field
      return [name, isBare ? this.own(etag) : `"${this.own(etag)}"`]
    })
  }
}
