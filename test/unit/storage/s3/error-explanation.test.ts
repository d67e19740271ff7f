import { describe, expect, test } from 'vitest'
import { explanationIn } from '../../../../src/storage/s3/error-explanation.js'

describe('what is kept of a refusal', () => {
  test.each<[string, string, string]>([
    [
      'of Swift its reason',
      '<Error><Code>InternalError</Code><Message>Oh</Message><Reason>Metadata value longer than 256</Reason></Error>',
      'Oh (Reason: Metadata value longer than 256)',
    ],
    [
      'of GCS its details',
      "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access denied.</Message><Details>a@b lacks storage.objects.get</Details></Error>",
      'Access denied. (Details: a@b lacks storage.objects.get)',
    ],
    [
      'of OSS its own code and where that is explained',
      '<Error><Code>X</Code><Message>m</Message><EC>0016-1</EC><RecommendDoc>https://api/q=0016-1</RecommendDoc></Error>',
      'm (EC: 0016-1; RecommendDoc: https://api/q=0016-1)',
    ],
    [
      'of AWS the condition',
      '<Error><Message>m</Message><Condition>If-Match</Condition></Error>',
      'm (Condition: If-Match)',
    ],
    ['what explains it without a message', '<Error><Code>X</Code><Reason>r</Reason></Error>', '(Reason: r)'],
    [
      'of a proxy its words',
      '<html><head><style>p{}</style></head><h1>413 Too\nLarge</h1><hr>nginx</html>',
      '413 Too Large nginx',
    ],
    ['what is not UTF-8 as far as it goes', '<Error><Message>caf\xe9</Message></Error>', 'caf\ufffd'],
    ['nothing where there is nothing', '', ''],
    ['nothing of an error without words', '<Error><Code>X</Code><HostId>h</HostId></Error>', ''],
  ])('%s', (_, body, text) => {
    expect(explanationIn(body)).toBe(text)
  })

  test('holds no part of a signature, and no value of a header that is secret', () => {
    const body =
      '<Error><Code>SignatureDoesNotMatch</Code><Message>no match: Signature=deadbeef01, Credential=AKIDX/20260101</Message>' +
      '<AWSAccessKeyId>AKIDX</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 20260101T00 s3cr3t</StringToSign>' +
      '<SignatureProvided>deadbeef01</SignatureProvided><CanonicalRequest>GET s3cr3t</CanonicalRequest><Token-0>s3cr3t</Token-0></Error>'
    expect(explanationIn(body)).toBe('no match: Signature=…, Credential=…')
    const argument = (name: string) =>
      explanationIn(
        `<Error><Message>m</Message><ArgumentName>${name}</ArgumentName><ArgumentValue>v4lue</ArgumentValue></Error>`,
      )
    for (const name of ['Authorization', 'x-amz-security-token', 'x-amz-server-side-encryption-customer-key'])
      expect(argument(name)).toBe(`m (ArgumentName: ${name})`)
    expect(argument('partNumber')).toBe('m (ArgumentName: partNumber; ArgumentValue: v4lue)')
  })

  test('is cut when it is too long, which is said, and never within a character', () => {
    const long = explanationIn(`<Error><Message>${'a'.repeat(4095)}&#x1F600;${'b'.repeat(9000)}</Message></Error>`)
    expect(long).toBe(`${'a'.repeat(4095)}… (cut here, of 13097 characters)`)
    const page = explanationIn(`<html>${'word '.repeat(1000)}</html>`)
    expect(page.length).toBeLessThan(600)
    expect(page).toContain('cut here')
  })
})
