import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UserError } from '../../../src/errors.js'
import { proxyAuthorization, proxyFor } from '../../../src/connections/proxy.js'

const NAMES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY']

beforeEach(() => {
  for (const name of NAMES) for (const one of [name, name.toLowerCase()]) vi.stubEnv(one, undefined)
})
afterEach(() => vi.unstubAllEnvs())

function proxied(url: string, environment: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  return proxyFor(new URL(url))?.href
}

describe('the proxy of the environment', () => {
  test.each<[string, string, Record<string, string>, string | undefined]>([
    ['is none where nothing names one', 'https://h/', {}, undefined],
    ['of https is HTTPS_PROXY', 'https://h/', { HTTPS_PROXY: 'http://p:1', HTTP_PROXY: 'http://q:2' }, 'http://p:1/'],
    ['of http is HTTP_PROXY', 'http://h/', { HTTPS_PROXY: 'http://p:1', HTTP_PROXY: 'http://q:2' }, 'http://q:2/'],
    ['of http is not HTTPS_PROXY', 'http://h/', { HTTPS_PROXY: 'http://p:1' }, undefined],
    ['is ALL_PROXY where there is no other', 'https://h/', { ALL_PROXY: 'p:1', HTTP_PROXY: 'q:2' }, 'http://p:1/'],
    ['is that of small letters', 'https://h/', { https_proxy: 'p:1', HTTPS_PROXY: 'q:2' }, 'http://p:1/'],
    ['is the other where one is empty', 'https://h/', { https_proxy: '', HTTPS_PROXY: 'q:2' }, 'http://q:2/'],
    ['needs no scheme', 'https://h/', { HTTPS_PROXY: '10.1.2.3:3128' }, 'http://10.1.2.3:3128/'],
    ['needs no scheme before a name', 'https://h/', { HTTPS_PROXY: 'localhost:3128' }, 'http://localhost:3128/'],
    ['needs no scheme before slashes', 'https://h/', { HTTPS_PROXY: '//p:3128' }, 'http://p:3128/'],
    ['needs no scheme before IPv6', 'https://h/', { HTTPS_PROXY: '[::1]:3128' }, 'http://[::1]:3128/'],
    ['needs no port', 'https://h/', { HTTPS_PROXY: 'proxy.corp' }, 'http://proxy.corp/'],
    ['may want TLS', 'https://h/', { HTTPS_PROXY: 'https://p:1' }, 'https://p:1/'],
    ['is read without the blanks around it', 'https://h/', { HTTPS_PROXY: ' http://p:1 ' }, 'http://p:1/'],
  ])('%s', (_what, url, environment, expected) => {
    expect(proxied(url, environment)).toBe(expected)
  })

  test.each([
    ['of another protocol', 'socks5://user:secret@p:1'],
    ['with a port that is none', 'http://user:secret@p:port'],
    ['whose password ends the host too early', 'http://user:1#secret@p:1'],
    ['whose password ends the host too early, without a scheme', 'user:1/secret@p:1'],
    ['with a question mark in the password', 'http://user:1?secret@p:1'],
  ])('%s is refused, and not shown', (_what, proxy) => {
    const error = ((): unknown => {
      try {
        return proxied('https://h:9000/', { HTTPS_PROXY: proxy })
      } catch (reason) {
        return reason
      }
    })()
    expect(error).toBeInstanceOf(UserError)
    const { message, hint } = error as UserError
    expect(message).toContain('h:9000')
    expect(`${message} ${hint}`).not.toMatch(/secret|user:/)
    expect(hint).toContain('NO_PROXY')
  })

  test.each([
    ['http://us%40er:p%3Aw%25@p', 'us@er:p:w%'],
    ['http://user:100%@p', 'user:100%'],
    ['http://user@p', 'user:'],
    ['http://user:p@ss@p', 'user:p@ss'],
  ])('%s sends %s', (url, sent) => {
    expect(proxyAuthorization(new URL(url))).toBe(`Basic ${Buffer.from(sent).toString('base64')}`)
  })

  test('without a user name sends no authorization', () => {
    expect(proxyAuthorization(new URL('http://p:1'))).toBeUndefined()
  })
})

describe('NO_PROXY', () => {
  test.each([
    ['corp.invalid', 'http://s3.corp.invalid:9000'],
    ['corp.invalid', 'https://corp.invalid'],
    ['.corp.invalid', 'https://bucket.s3.corp.invalid'],
    ['.corp.invalid', 'https://corp.invalid'],
    ['*.corp.invalid', 'https://s3.corp.invalid'],
    ['CORP.Invalid', 'https://S3.Corp.INVALID'],
    ['corp.invalid.', 'https://s3.corp.invalid'],
    ['corp.invalid', 'https://s3.corp.invalid.'],
    ['corp.invalid:9000', 'http://s3.corp.invalid:9000'],
    ['s3.corp.invalid:443', 'https://s3.corp.invalid'],
    ['.corp.invalid:80', 'http://s3.corp.invalid'],
    ['a.example, corp.invalid', 'http://s3.corp.invalid'],
    ['a.example corp.invalid', 'http://s3.corp.invalid'],
    [',, corp.invalid,', 'http://s3.corp.invalid'],
    ['*', 'https://anything.example'],
    ['a.example,*', 'https://10.0.0.1'],
    ['10.1.2.3', 'http://10.1.2.3:9000'],
    ['10.1.2.3:9000', 'http://10.1.2.3:9000'],
    ['10.0.0.0/8', 'http://10.1.2.3'],
    ['0.0.0.0/0', 'http://10.1.2.3'],
    ['::1', 'http://[::1]:9000'],
    ['[::1]', 'http://[::1]:9000'],
    ['[::1]:9000', 'http://[::1]:9000'],
    ['0:0:0:0:0:0:0:1', 'http://[::1]'],
    ['fd00::/8', 'http://[fd12:3456::1]'],
    ['[fd00::]/8', 'http://[fd12:3456::1]'],
  ])('%s exempts %s', (list, url) => {
    expect(proxied(url, { HTTP_PROXY: 'p:1', HTTPS_PROXY: 'p:1', NO_PROXY: list })).toBeUndefined()
  })

  test.each([
    ['corp.invalid', 'http://s3corp.invalid'],
    ['corp.invalid', 'http://corp.invalid.example'],
    ['s3.corp.invalid', 'http://corp.invalid'],
    ['*.corp.invalid', 'http://corp.invalid'],
    ['corp.invalid:9001', 'http://s3.corp.invalid:9000'],
    ['corp.invalid:443', 'http://s3.corp.invalid'],
    ['.', 'http://s3.corp.invalid'],
    ['0.0.3', 'http://10.0.0.3'],
    ['10.1.2.3:9001', 'http://10.1.2.3:9000'],
    ['10.0.0.0/8', 'http://11.1.2.3'],
    ['10.0.0.0/33', 'http://10.0.0.0'],
    ['10.0.0.0/8/8', 'http://10.0.0.0'],
    ['::2', 'http://[::1]'],
    ['[::1]:9001', 'http://[::1]:9000'],
    ['fd00::/8', 'http://10.1.2.3'],
    ['', 'http://s3.corp.invalid'],
  ])('“%s” does not exempt %s', (list, url) => {
    expect(proxied(url, { HTTP_PROXY: 'p:1', HTTPS_PROXY: 'p:1', NO_PROXY: list })).toBe('http://p:1/')
  })

  test('in small letters comes first', () => {
    expect(proxied('http://h', { HTTP_PROXY: 'p:1', no_proxy: 'other', NO_PROXY: 'h' })).toBe('http://p:1/')
  })
})
