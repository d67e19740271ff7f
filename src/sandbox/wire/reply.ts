import type { ObjectBytes } from './content.js'
import { xmlDeclaration } from './xml.js'

/** An answer, before the headers that every answer has. */
export interface Reply {
  readonly status: number
  /** Names and values, alternating. */
  readonly headers: readonly string[]
  readonly body?: string | Uint8Array
  /** A body that is streamed instead. */
  readonly stream?: { readonly content: ObjectBytes; readonly start: number; readonly end: number }
  /** The Content-Length of an answer to HEAD, which has no body. */
  readonly length?: number
}

const xmlHeaders = ['Content-Type', 'application/xml']

/** A 200 with an XML document; `root` is the document without its declaration. */
export function xmlReply(root: string, headers: readonly string[] = xmlHeaders): Reply {
  return {
    status: 200,
    headers: headers === xmlHeaders ? headers : [...xmlHeaders, ...headers],
    body: xmlDeclaration + root,
  }
}

/** An answer without a body. */
export function emptyReply(status: number, headers: readonly string[] = []): Reply {
  return { status, headers }
}
