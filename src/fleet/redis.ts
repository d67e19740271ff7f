import type { Redis } from 'ioredis'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import type { Broker, StreamEntry } from './broker.js'

/** Where a Redis or Valkey is. */
export interface RedisAddress {
  /** `redis://` or `rediss://`, with user and password. Never told to anybody. */
  readonly url: string
  /** PEM certificates to trust in place of the system's. */
  readonly ca?: string | undefined
}

/** How long it may take to be connected to, in milliseconds: a person waits for it. */
const CONNECT = 10_000
/** How long a read waits for entries. */
const BLOCK = 2_000
/** A connection on which nothing has come for so long is dead. */
const DEAD = 10_000
/** Nothing is kept longer than this, whoever forgets it, in milliseconds. */
const KEPT = 3_600_000
/** An announcement that is not renewed ends after so long. */
const ANNOUNCED = 10_000
/** How a run is doing is told anew before that, or not known. */
const PUBLISHED = 5_000
/** The most entries that are kept of a stream that nobody reads. */
const MOST_ENTRIES = 20_000
/** The most entries that are taken at once. */
const AT_ONCE = 500

const RUNS = 's3move:runs'
const runKey = (name: string): string => `s3move:{${name}}:run`

const statusKey = (name: string): string => `s3move:{${name}}:status`

const ANNOUNCE = `local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`
const WITHDRAW = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1`

/** Connects to a Redis. What is wrong is a `UserError` that names neither user nor password. */
export async function openRedis({ url, ca }: RedisAddress): Promise<Broker> {
  const { Redis: Client } = await import('ioredis')
  const options = {
    lazyConnect: true,
    // What was asked while it was away is asked again; numbers tell what was done twice.
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    connectTimeout: CONNECT,
    socketTimeout: DEAD,
    retryStrategy: (times: number) => Math.min(100 * times, 1_000),
    ...(ca === undefined ? {} : { tls: { ca } }),
  }
  const asking = new Client(url, options)
  const reading = new Client(url, options)
  const clients = [asking, reading]
  // What ends a connection is told to those who wait for an answer.
  for (const client of clients) client.on('error', () => undefined)
  try {
    await Promise.all(clients.map((client) => connected(client)))
    // Older ones do not know MINID.
    await asking.xtrim('s3move:none', 'MINID', '0')
  } catch (error) {
    for (const client of clients) client.disconnect()
    const { message } = error as Error
    const told = /syntax error/i.test(message) ? 'it is older than Redis 6.2' : printable(message)
    const isUntrusted = url.startsWith('rediss:') && /certificate|altnames/i.test(message)
    throw new UserError(
      `cannot use the Redis at ${hostOf(url)}: ${told}`,
      isUntrusted
        ? 'trust its certificate, or that of who signed it, by --fleet-ca FILE'
        : 'see docs/fleet.md for what it must allow',
    )
  }
  return new RedisBroker(asking, reading)
}

async function connected(client: Redis): Promise<void> {
  let told: Error | undefined
  const listen = (error: Error): void => void (told = error)
  client.on('error', listen)
  try {
    // The first attempt counts: a person waits for it.
    await client.connect()
    await client.ping()
  } catch (error) {
    throw told ?? error
  } finally {
    client.off('error', listen)
  }
}

/** A Redis, as it may be told of. */
function hostOf(url: string): string {
  if (!URL.canParse(url)) return 'a URL that is none'
  const { hostname, port } = new URL(url)
  return printable(port === '' ? hostname : `${hostname}:${port}`)
}

class RedisBroker implements Broker {
  constructor(
    private readonly asking: Redis,
    private readonly reading: Redis,
  ) {}

  async append(stream: string, text: string): Promise<void> {
    const [added] = await Promise.all([
      this.asking.xadd(stream, 'MAXLEN', '~', MOST_ENTRIES, '*', 'e', text),
      this.keep(stream),
    ])
    if (added === null) throw new Error('nothing was appended')
  }

  async read(stream: string, after: string): Promise<readonly StreamEntry[]> {
    const from = after === '' ? '0' : after
    const found = await this.reading.xread('COUNT', AT_ONCE, 'BLOCK', BLOCK, 'STREAMS', stream, from)
    if (found !== null) return entriesOf(found[0]?.[1] ?? [])
    // A Redis that began anew, by a clock that is behind, numbers below what was read.
    const [last] = entriesOf(await this.reading.xrevrange(stream, '+', '-', 'COUNT', 1))
    if (last === undefined || !isBefore(last.id, from)) return []
    return entriesOf(await this.reading.xrange(stream, '-', '+', 'COUNT', AT_ONCE))
  }

  async forget(stream: string, id: string): Promise<void> {
    await this.asking.xtrim(stream, 'MINID', id)
  }

  async announce(name: string, text: string): Promise<string> {
    const found = await this.asking.eval(ANNOUNCE, 1, runKey(name), text, ANNOUNCED)
    if (found === text) await this.asking.zadd(RUNS, 0, name)
    return String(found)
  }

  async announced(): Promise<ReadonlyMap<string, string>> {
    const names = await this.asking.zrange(RUNS, '0', '999')
    const found = new Map<string, string>()
    for (const name of names) {
      const text = await this.asking.get(runKey(name))
      if (text !== null) found.set(name, text)
      else await this.asking.zrem(RUNS, name)
    }
    return found
  }

  async withdraw(name: string, text: string): Promise<void> {
    await this.asking.eval(WITHDRAW, 1, runKey(name), text)
  }

  async publish(name: string, text: string): Promise<void> {
    await this.asking.set(statusKey(name), text, 'PX', PUBLISHED)
  }

  async published(name: string): Promise<string | undefined> {
    return (await this.asking.get(statusKey(name))) ?? undefined
  }

  close(): void {
    for (const client of [this.asking, this.reading]) client.disconnect()
  }

  /** Streams end by themselves where nobody ends them. */
  private readonly kept = new Map<string, number>()

  private async keep(stream: string): Promise<void> {
    const now = performance.now()
    if (now - (this.kept.get(stream) ?? -Infinity) < KEPT / 4) return
    this.kept.set(stream, now)
    await this.asking.pexpire(stream, KEPT)
  }
}

function entriesOf(found: readonly (readonly [id: string, fields: readonly string[]])[]): StreamEntry[] {
  return found.map(([id, fields]) => ({ id, text: fields[1] ?? '' }))
}

function isBefore(one: string, other: string): boolean {
  const [time = 0, number = 0] = one.split('-').map(Number)
  const [otherTime = 0, otherNumber = 0] = other.split('-').map(Number)
  return time < otherTime || (time === otherTime && number < otherNumber)
}
