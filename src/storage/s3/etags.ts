import { responseHeader, type HttpResponse } from './http.js'
import type { Fields } from './sign.js'

/** An ETag that is made of MD5s in capital hex digits, as Alibaba Cloud OSS writes them. */
const CAPITALS = /^[0-9A-F]{32}(?:-\d+)?$/
/** What shows how a store writes MD5s: one with a letter, in an answer with ETags. */
const SHOWN = /^"?([0-9A-Fa-f]{32})(?:-\d+)?"?$/
const IN_BODY = /<ETag>(?:&quot;|&#34;|")?([0-9A-Fa-f]{32})/

/** The same ETag as all other stores write it: MD5s of any case are equal. */
export function inLowerCase(etag: string): string {
  return CAPITALS.test(etag) ? etag.toLowerCase() : etag
}

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

  /** Fields of a request, their conditions as this store writes ETags. */
  ownFields(fields: Fields): Fields {
    if (this.capitals !== true) return fields
    return fields.map((field) => {
      const [name, value] = field
      return name.endsWith('if-match') ? [name, `"${this.own(value.slice(1, -1))}"`] : field
    })
  }
}
