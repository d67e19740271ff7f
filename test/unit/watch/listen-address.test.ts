import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UserError } from '../../../src/errors.js'
import { isLoopback, parseListenAddress, tokenFor } from '../../../src/watch/listen-address.js'

const port = fc.integer({ min: 0, max: 65_535 })

describe('the address of --listen', () => {
  test('is a port of this machine, or an address and a port', () => {
    fc.assert(
      fc.property(port, fc.ipV4(), fc.ipV6(), (number, four, six) => {
        expect(parseListenAddress(String(number))).toEqual({ host: '127.0.0.1', port: number })
        expect(parseListenAddress(`${four}:${number}`)).toEqual({ host: four, port: number })
        expect(parseListenAddress(`[${six}]:${number}`)).toEqual({ host: six, port: number })
      }),
    )
    expect(parseListenAddress('localhost:80')).toEqual({ host: 'localhost', port: 80 })
  })

  test.each([
    ...['', 'here', '65536', '-1', '80 ', '1.2.3:80', 'example.com:80', '::1:80', '[127.0.0.1]:80', '[::1]', ':80'],
    ...['http://127.0.0.1:80', '0x50', '127.0.0.1:'],
  ])('is not ‘%s’, which is told in one line', (text) => {
    expect(() => parseListenAddress(text)).toThrow(UserError)
    expect(() => parseListenAddress(text)).toThrow(/^--listen wants a port, or an address and a port, not ‘[^\n]*’$/)
  })

  test('of which the machine alone is reached is known', () => {
    const local = ['127.0.0.1', '127.9.9.9', '::1', 'localhost']
    const others = ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'fe80::1']
    expect([...local, ...others].filter((host) => isLoopback({ host, port: 1 }))).toEqual(local)
  })
})

describe('the token', () => {
  const given = (host: string, S3MOVE_LISTEN_TOKEN?: string): string | undefined =>
    tokenFor({ host, port: 1 }, { S3MOVE_LISTEN_TOKEN })

  test('is that of the environment, and nobody needs one for this machine alone', () => {
    expect(given('127.0.0.1')).toBeUndefined()
    expect(given('127.0.0.1', 'a'.repeat(16))).toBe('a'.repeat(16))
    expect(given('0.0.0.0', 'a'.repeat(16))).toBe('a'.repeat(16))
  })

  test('must be there where others reach the address, long enough, and fit for a header; it is never told', () => {
    expect(() => given('0.0.0.0')).toThrow('others than this machine reach 0.0.0.0, so it needs a token')
    for (const token of ['', 'tiny1', 'a b'.repeat(9), 'é'.repeat(20)]) {
      expect(() => given('127.0.0.1', token), token).toThrow(UserError)
      if (token !== '') expect(() => given('127.0.0.1', token)).not.toThrow(token)
    }
  })
})
