import { generateKeyPairSync, sign } from 'node:crypto'

/** A key and a certificate for it, as PEM. */
export interface Identity {
  readonly key: string
  readonly cert: string
}

/** A self-signed certificate for `localhost`, 127.0.0.1 and ::1, or for another name alone; valid now, for a day. */
export function selfSigned(name?: string): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
  const subject = sequence(
    element(0x31, sequence(oid('550403'), element(0x0c, Buffer.from(`s3move test of ${name ?? 'localhost'}`)))),
  )
  const day = 86_400_000
  const validity = sequence(utcTime(Date.now() - day), utcTime(Date.now() + day))
  const names =
    name === undefined
      ? [
          element(0x82, Buffer.from('localhost')),
          element(0x87, Buffer.from([127, 0, 0, 1])),
          element(0x87, Buffer.from([...new Array<number>(15).fill(0), 1])),
        ]
      : [element(0x82, Buffer.from(name))]
  const yes = element(0x01, Buffer.from([0xff]))
  const extensions = sequence(
    sequence(oid('551d13'), yes, octets(sequence(yes))),
    sequence(oid('551d11'), octets(sequence(...names))),
  )
  const body = sequence(
    element(0xa0, integer(2)),
    integer(Date.now()),
    ecdsaWithSha256,
    subject,
    validity,
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa3, extensions),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)])
  const der = sequence(body, ecdsaWithSha256, element(0x03, signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  }
}

// DER of X.690: tag, length, content.
function element(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts))
}

function oid(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, 'hex'))
}

function octets(content: Buffer): Buffer {
  return element(0x04, content)
}

function integer(value: number): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  // A first bit that is set would make it negative.
  return element(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]))
}

function utcTime(time: number): Buffer {
  const digits = new Date(time).toISOString().replaceAll(/[-:T]/g, '')
  return element(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}
