import { BlockList, isIP } from 'node:net'
import { UserError } from '../errors.js'

/**
 * The proxy that the environment names for the server of `url`: `HTTPS_PROXY` or `HTTP_PROXY`, by the scheme of `url`, then `ALL_PROXY`, each also in
 * small letters, which come first. Without a scheme it is an http proxy. Undefined where there is none, or `NO_PROXY` exempts the server; a proxy that
 * is no http:// or https:// URL is a `UserError`, in which it is not shown, as it may hold a password.
 */
export function proxyFor(url: URL): URL | undefined {
  const text = variable(`${url.protocol.slice(0, -1)}_proxy`) || variable('all_proxy')
  if (text === '' || isExempt(url, variable('no_proxy'))) return undefined
  const whole = /^https?:|:\/\//i.test(text) ? text : `http://${text.replace(/^\/\//, '')}`
  const proxy = URL.canParse(whole) ? new URL(whole) : undefined
  // A password with a slash, a hash or a question mark ends the host too early: what is taken for the host would be a part of it.
  const isCut = proxy !== undefined && `${proxy.pathname}${proxy.search}${proxy.hash}`.includes('@')
  if (proxy === undefined || isCut || !/^https?:$/.test(proxy.protocol)) {
    throw new UserError(
      `the proxy that the environment names for ${url.host} is not an http:// or https:// URL`,
      'correct HTTPS_PROXY (or HTTP_PROXY, ALL_PROXY): http://HOST:PORT, with /, ? and # in a password percent-encoded; or exempt the host with NO_PROXY',
    )
  }
  return proxy
}

/** The value of `Proxy-Authorization` for the user name and password of a proxy's URL; undefined without. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  const credentials = `${percentDecoded(username)}:${percentDecoded(password)}`
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

function variable(name: string): string {
  return (process.env[name] || process.env[name.toUpperCase()] || '').trim()
}

// People write passwords with a bare percent sign, and URL leaves it as it is.
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * Whether a list in the form of `NO_PROXY` exempts the server of `url`. A name exempts itself and what is below it, as in Python's urllib, which the
 * AWS CLI asks; a dot before it changes nothing. Beyond that, as in curl and Go: address ranges (`10.0.0.0/8`), `*.name`, ports that the URL leaves away.
 */
function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return list
    .toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => entry !== '' && matches(entry, host, port))
}

function matches(entry: string, host: string, port: string): boolean {
  // An IPv6 address without brackets has colons of its own, and no port.
  const [, written = entry, ownPort = port] = /^(\[[^\]]*\](?:\/\d+)?|[^:]*)(?::0*(\d+))?$/.exec(entry) ?? []
  const name = written.replace(/[[\]]/g, '')
  if (ownPort !== port) return false
  if (name === '*') return true
  if (isIP(host) !== 0) return isWithin(name, host)
  if (name.startsWith('*')) return host.endsWith(name.slice(1))
  const domain = name.replace(/^\.+|\.$/g, '')
  return domain !== '' && (host === domain || host.endsWith(`.${domain}`))
}

// Whether an address is the one, or in the range, of an entry.
function isWithin(entry: string, address: string): boolean {
  const [network = '', bits, ...more] = entry.split('/')
  const family = isIP(network)
  const most = family === 6 ? 128 : 32
  if (family === 0 || more.length > 0 || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= most)))
    return false
  const range = new BlockList()
  range.addSubnet(network, Number(bits ?? most), family === 6 ? 'ipv6' : 'ipv4')
  return range.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
