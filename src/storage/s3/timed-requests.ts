import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { AnswerTime, TimedRequests } from '../timed-requests.js'
import { serverOf, timeConnection, type Trust } from '../../connections/connect.js'
import { encodeQuery } from './encode.js'
import { proxyFor } from '../../connections/proxy.js'
import type { HttpResponse } from './http.js'
import { askedOf, objectPath, sorted, type Channel, type StoreRequest } from './request.js'
import { connectionFault, faultOf, type Asked } from './storage-errors.js'

/** An answer, and how long it took. */
export interface TimedAnswer {
  /** With its body, where that was `kept`. */
  readonly response: HttpResponse
  readonly time: AnswerTime
}

/** Sends requests by `channel`, each once. An answer of status 300 or more is a `StorageError`. */
export function timedBy({
  request,
}: Pick<Channel, 'request'>): (
  asked: Asked,
  given: Omit<StoreRequest, 'sink'>,
  kept?: boolean,
) => Promise<TimedAnswer> {
  return async (asked, given, kept = true) => {
    const chunks: Buffer[] = []
    let first: number | undefined
    let bytes = 0
    const began = performance.now()
    // With a sink, so that no request is given up because others took less time.
    const sink = (taken: Uint8Array): void => {
      first ??= performance.now()
      bytes += taken.length
      if (kept) chunks.push(Buffer.from(taken))
    }
    const response = await request(asked, { ...given, sink })
    const ended = performance.now()
    const time = { firstByte: (first ?? ended) - began, whole: ended - began, bytes }
    if (response.status >= 300) throw faultOf(response, asked)
    return { response: kept ? { ...response, body: Buffer.concat(chunks).toString('latin1') } : response, time }
  }
}

/** Requests by `channel`, which is to judge none of them; connections to the server of `origin`. */
export function createTimedRequests(channel: Channel, origin: string, trust: Trust): TimedRequests {
  const { always, customerKey, bucketPath, place } = channel
  const url = new URL(origin)
  const bucket = { bucket: place.bucket }

  const send = timedBy(channel)
  const timed = async (asked: Asked, given: Omit<StoreRequest, 'sink'>): Promise<AnswerTime> =>
    (await send(asked, given, false)).time

  return {
    async server() {
      const { hostname } = serverOf(url)
      const isNamed = isIP(hostname) === 0 && proxyFor(url) === undefined
      try {
        const found = isNamed ? await lookup(hostname, { all: true }) : []
        return { origin: url.origin, addresses: found.map(({ address }) => address) }
      } catch (error) {
        throw connectionFault(error, { operation: 'DNS', ...bucket }, url.host)
      }
    },

    async connect() {
      try {
        return await timeConnection(url, trust)
      } catch (error) {
        throw connectionFault(error, { operation: 'connect', ...bucket }, url.host)
      }
    },

    list() {
      const query = `encoding-type=url&list-type=2&max-keys=1000&prefix=${encodeQuery(place.prefix)}`
      const asked = { operation: 'ListObjectsV2', ...bucket }
      return timed(asked, { method: 'GET', path: `${bucketPath}/`, query, fields: always })
    },

    head(key, fields = []) {
      const asked = askedOf(channel, 'HeadObject', key)
      const sent = sorted([...fields, ...always, ...customerKey])
      return timed(asked, { method: 'HEAD', path: objectPath(channel, key), fields: sent })
    },

    get(key, first, last, fields = []) {
      const asked = askedOf(channel, 'GetObject', key)
      const range = ['range', `bytes=${first}-${last}`] as const
      const sent = sorted([range, ...fields, ...always, ...customerKey])
      return timed(asked, { method: 'GET', path: objectPath(channel, key), fields: sent, most: last - first + 1 })
    },
  }
}
