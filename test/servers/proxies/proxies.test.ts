import { GetObjectCommand } from '@aws-sdk/client-s3'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type Server } from '../../support/cli-buckets.js'
import { pair, url } from '../ceph/ceph-buckets.js'
import { run } from '../../support/cli-program.js'
import { oddLayout } from '../../../src/sandbox/buckets/odd-keys.js'
import { isInstalled, PROXIES, startProxy } from './servers.js'

const COUNT = 300
/** Names of metadata, by the key of the object that has it: what HTTP allows in a name, and proxies treat in their own ways. */
const NAMES: ReadonlyMap<string, string> = new Map(
  ['plain', 'with-dash', 'my_key', 'a_b_c', 'dot.ted', 'x!y', "t'ick", 'per%cent', 'n&me', 'tilde~', '1', '0x'].map(
    (name) => [`name ${name}`, name] as const,
  ),
)

interface Failed {
  readonly key: string
  readonly code: string
  readonly message: string
}

async function ledger(cwd: string): Promise<Failed[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Failed)
}

async function fill(server: Server, bucket: string, names: boolean): Promise<string[]> {
  const layout = oddLayout(COUNT, 5, 1024)
  const keys = Array.from({ length: layout.count }, (_, index) => layout.keyAt(index))
  if (names) keys.push(...NAMES.keys())
  const rest = keys.entries()
  const worker = async (): Promise<void> => {
    for (const [index, key] of rest) {
      const Body = key.endsWith('/') ? '' : `body of ${index}`
      const name = NAMES.get(key)
      const Metadata = name === undefined ? { owner: `team ${index}` } : { [name]: 'value' }
      await put(server, bucket, key, { Body, ContentType: 'x/y; a="b c"', CacheControl: 'max-age=5', Metadata })
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  return keys
}

/** Bytes, headers and metadata of each object. Ceph itself tells metadata with a dash for each underscore. */
async function wholeOf(server: Server, bucket: string): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>()
  const rest = [...(await contentOf(server, bucket)).keys()].values()
  const worker = async (): Promise<void> => {
    for (const Key of rest) {
      const answer = await server.s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
      const { ContentType, CacheControl, Metadata = {}, Body } = answer
      const names = Object.entries(Metadata).map(([name, value]) => [name.replaceAll('_', '-'), value])
      found.set(Key, { ContentType, CacheControl, Metadata: names, body: await Body!.transformToString() })
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return found
}

/** Asserts that each object is copied as it was, or is in the ledger with a reason, never both, and that no other came to be. Answers the keys that failed. */
async function expectEachDone(
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  cwd: string,
): Promise<Failed[]> {
  const failed = await ledger(cwd)
  const names = failed.map(({ key }) => key)
  expect(new Set(names).size).toBe(names.length)
  for (const { key, code, message } of failed)
    expect([key, code, message.length > 10]).toEqual([key, expect.stringMatching(/^\w+$/), true])
  const copied = new Map([...before].filter(([key]) => !names.includes(key)))
  expect([...after.keys()].sort()).toEqual([...copied.keys()].sort())
  for (const [key, whole] of copied) expect(after.get(key), key).toEqual(whole)
  return failed
}

// What each does not let through as it is, so that Ceph refuses the signature, or the proxy itself the request.
const ABOVE = /^(?:\.\.\/){2}/
const UNCLEAN = /^\/|\/\/|(?:^|\/)\.{1,2}(?:\/|$)/
const isUnknownToNginx = (key: string): boolean => /[^0-9A-Za-z-]/.test(NAMES.get(key) ?? '')
const refusedBy: Readonly<Record<keyof typeof PROXIES, (key: string) => boolean>> = {
  nginx: (key) => ABOVE.test(key) || isUnknownToNginx(key),
  'nginx with proxy_cache': (key) => ABOVE.test(key) || isUnknownToNginx(key),
  'Apache with nocanon': (key) => ABOVE.test(key),
  'Apache as it is without settings': (key) => UNCLEAN.test(key),
  HAProxy: () => false,
}
const PROXY_CHANGED = /a proxy on the way may have changed it/
const NAMES_OF_PROXIES = Object.keys(PROXIES) as (keyof typeof PROXIES)[]

describe.each(NAMES_OF_PROXIES)('behind %s, odd keys and names of metadata', (name) => {
  const proxy = PROXIES[name]
  const found = (failed: readonly Failed[]): string[] => failed.map(({ key }) => key).sort()
  const wanted = (before: ReadonlyMap<string, unknown>): string[] => [...before.keys()].filter(refusedBy[name]).sort()
  const expectReasons = (failed: readonly Failed[]): void => {
    for (const { key, code, message } of failed) {
      expect([key, code]).toEqual([
        key,
        expect.stringMatching(/^(?:SignatureDoesNotMatch|BadRequest|MethodNotAllowed)$/),
      ])
      if (code === 'SignatureDoesNotMatch') expect(message).toMatch(PROXY_CHANGED)
    }
  }

  test.skipIf(!isInstalled(proxy))(
    'are copied into Ceph, or in the ledger with what the proxy or Ceph said',
    async () => {
      const { ceph, to, as, cwd } = await pair()
      const source = await sandbox({ buckets: ['src'] })
      await fill(source, 'src', true)
      const before = await wholeOf(source, 'src')
      const at = ['--source-endpoint-url', source.url, '--destination-endpoint-url', await startProxy(proxy, url)]
      const args = ['copy', 's3://src', `s3://${to}`, ...at, '--checkpoint', 'run', '--retry-for', '3s']
      const { code } = await run(args, as)
      const failed = await expectEachDone(before, await wholeOf(ceph, to), cwd)
      expect(found(failed)).toEqual(wanted(before))
      expectReasons(failed)
      expect(code).toBe(failed.length === 0 ? 0 : 3)
    },
  )

  test.skipIf(!isInstalled(proxy))('are copied inside Ceph with a header of their own, or in the ledger', async () => {
    const { ceph, from, to, as, cwd } = await pair()
    await fill(ceph, from, false)
    const before = await wholeOf(ceph, from)
    const at = ['--endpoint-url', await startProxy(proxy, url), '--checkpoint', 'run', '--retry-for', '3s']
    const { code } = await run(['copy', `s3://${from}`, `s3://${to}`, '--content-language', 'de', ...at], as)
    const failed = await expectEachDone(before, await wholeOf(ceph, to), cwd)
    // A cache asks for an object with GET where HEAD was signed (proxy_cache_convert_head), so none can be looked at.
    expect(found(failed)).toEqual(name === 'nginx with proxy_cache' ? [...before.keys()].sort() : wanted(before))
    expectReasons(failed)
    expect(code).toBe(failed.length === 0 ? 0 : 3)
  })
})
