import { createServer } from 'node:http'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, put, sandbox, type Server } from '../support/cli-buckets.js'
import { refusal, run, workFolder } from '../support/cli-program.js'

const ZONES = ['UTC', 'America/New_York', 'Asia/Tokyo']

/** What a dry run would copy with the clock of this machine in each of the zones. */
async function chosen(server: Pick<Server, 'url'>, cwd: string, ...args: string[]): Promise<string[][]> {
  const all = []
  for (const zone of ZONES) {
    const command = ['copy', 's3://src', 's3://dst', '--dry-run', '-v', '--endpoint-url', server.url, ...args]
    const { code, stdout } = await run(command, { cwd, env: { TZ: zone } })
    expect(code).toBe(0)
    all.push([...stdout.matchAll(/^copy s3:\/\/src\/(\S+)/gm)].map(([, key = '']) => key).sort())
  }
  return all
}

/** A store with the objects `a` and `b`, of whose dates `rewrite` makes what is told in headers and listings. */
async function dated(rewrite: (time: string) => string): Promise<Server> {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  const front = createServer((incoming, outgoing) => {
    const { method = 'GET', headers, url = '/' } = incoming
    const chunks: Buffer[] = []
    incoming
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        const body = method === 'GET' || method === 'HEAD' ? {} : { body: Buffer.concat(chunks) }
        void fetch(server.url + url, { method, headers: asSent(headers), ...body }).then(async (answer) => {
          const fields = Object.fromEntries(answer.headers)
          const modified = fields['last-modified']
          if (modified !== undefined) fields['last-modified'] = rewrite(modified)
          const text = (await answer.text()).replace(/(?<=<LastModified>)[^<]*/g, rewrite)
          if (method !== 'HEAD') delete fields['content-length']
          delete fields['transfer-encoding']
          outgoing.writeHead(answer.status, fields).end(text)
        })
      })
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    front.closeAllConnections()
    front.close()
  })
  for (const key of ['a', 'b']) await put(server, 'src', key, { Body: key })
  return { ...server, url: `http://127.0.0.1:${(front.address() as AddressInfo).port}` }
}

function asSent(headers: object): Record<string, string> {
  const kept = Object.entries(headers as Record<string, string>)
  return Object.fromEntries(kept.filter(([name]) => !['connection', 'transfer-encoding', 'expect'].includes(name)))
}

describe('which objects are chosen by their dates is the same in New York and Tokyo', () => {
  test('where a list of Athena or Trino names no zone', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const row = (key: string, time: string) => `${key},1,e,${time},STANDARD\n`
    const rows = [row('early', '2025-06-30 23:30:00.000'), row('late', '2025-07-01 00:30:00.000 UTC')]
    await writeFile(join(cwd, 'list.csv'), `key,size,etag,last_modified,storage_class\n${rows.join('')}`)
    const flags = ['--files-from', 'list.csv', '--newer-than']
    expect(await chosen(server, cwd, ...flags, '2025-07-01')).toEqual(ZONES.map(() => ['late']))
    // A moment on the command line is in UTC too.
    expect(await chosen(server, cwd, ...flags, '2025-06-30 23:00')).toEqual(ZONES.map(() => ['early', 'late']))
    expect(await chosen(server, cwd, ...flags, '2025-06-30T23:45:00')).toEqual(ZONES.map(() => ['late']))
  })

  test.each([
    ['lists without a zone', (time: string) => time.replace(/Z$/, '').replace(/GMT$/, '').trim()],
    [
      'lists in another zone',
      (time: string) => new Date(new Date(time).getTime()).toISOString().replace('Z', '+00:00'),
    ],
    ['answers with the dates of asctime', (time: string) => (time.endsWith('Z') ? time : asctime(new Date(time)))],
  ])('where a store %s', async (_, rewrite) => {
    const cwd = await workFolder()
    const server = await dated(rewrite)
    const found = await contentOf(server, 'src')
    expect([...found.keys()]).toEqual(['a', 'b'])
    const now = Date.now()
    const at = (hours: number) => new Date(now + hours * 3_600_000).toISOString()
    await writeFile(join(cwd, 'list'), 'a\nb\n')
    for (const more of [[], ['--files-from', 'list']]) {
      // The zones are 23 hours apart at most.
      const flags = ['--newer-than', at(-2), '--older-than', at(2), ...more]
      expect(await chosen(server, cwd, ...flags)).toEqual(ZONES.map(() => ['a', 'b']))
    }
  })

  test('where a store writes dates that may be read in two ways: nothing is chosen by a guess', async () => {
    const cwd = await workFolder()
    const server = await dated((time) => (time.endsWith('Z') ? '01/02/2026' : time))
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const { code, stderr } = await run(args, { cwd })
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining('01/02/2026')])
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual([])
  })

  test('and a date that is not understood is refused, in flags, in rules and in lists', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'a', { Body: 'a' })
    await writeFile(join(cwd, 'list.csv'), 'key,last_modified\na,01/02/2026\n')
    await writeFile(join(cwd, 'rules.yml'), 'rules:\n  - match: {modified: {since: 01/02/2026}}\n    remove: expires\n')
    for (const args of [
      ['copy', 's3://src', 's3://dst', '--newer-than', '01/02/2026'],
      ['copy', 's3://src', 's3://dst', '--files-from', 'list.csv'],
      ['delete', 's3://src', '--yes', '--files-from', 'list.csv'],
      ['set-headers', 's3://src', '--rules', 'rules.yml'],
    ]) {
      const finished = await run([...args, '--endpoint-url', server.url], { cwd })
      expect([finished.code, refusal(finished)]).toEqual([2, expect.stringContaining('01/02/2026')])
    }
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(['a'])
  })
})

function asctime(date: Date): string {
  const [weekday = '', day = '', month = '', year = '', clock = ''] = date.toUTCString().split(/,? /)
  return `${weekday} ${month} ${day.replace(/^0/, ' ')} ${clock} ${year}`
}
