import { describe, expect, test } from 'vitest'
import { Declarations } from '../../../../src/commands/options/argv.js'
import { connectionFlags, readConnection } from '../../../../src/commands/options/connection-options.js'
import { readFlag, readText, type Flags } from '../../../../src/commands/options/flag-values.js'
import { readTelling, tellingFlags } from '../../../../src/commands/options/output-options.js'
import { bandwidthFlag, DEFAULT_PACE, paceFlags, readPace } from '../../../../src/commands/options/pace-options.js'
import { readSandbox, sandboxFlags } from '../../../../src/commands/sandbox.js'
import { UserError } from '../../../../src/errors.js'
import { parsed } from '../../../support/parsed-flags.js'

/** The flags of a command line, parsed as the program does. */
function flags(...args: string[]): Flags {
  const declared = new Declarations()
  bandwidthFlag(tellingFlags(connectionFlags(paceFlags(declared))))
  return parsed(declared, args)
}

function sandbox(...args: string[]) {
  const declared = new Declarations()
  sandboxFlags(declared)
  return readSandbox(parsed(declared, args, '$0 [buckets..]'))
}

function refusal(act: () => unknown): UserError {
  try {
    act()
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    expect(error.message).not.toMatch(/[\p{Cc}\p{Zl}\p{Cf}]/u)
    return error
  }
  throw new Error('nothing was refused')
}

describe('readPace', () => {
  test('gives what the command line says, and the base where it is silent', () => {
    expect(readPace(flags(), DEFAULT_PACE)).toEqual(DEFAULT_PACE)
    expect(readPace(flags('--concurrency', '1', '--lanes=1000', '--max-errors', '0'), DEFAULT_PACE)).toEqual({
      ...{ concurrency: 1, lanes: 1000, maxErrors: 0 },
    })
    expect(readPace(flags('--lanes', '3'), { concurrency: 7, lanes: 8, maxErrors: 9 })).toEqual({
      ...{ concurrency: 7, lanes: 3, maxErrors: 9 },
    })
  })

  test.each([
    ['concurrency', '0'],
    ['concurrency', '-1'],
    ['concurrency', '1.5'],
    ['concurrency', '1e3'],
    ['concurrency', '0x10'],
    ['concurrency', '10001'],
    ['concurrency', 'many'],
    ['concurrency', ' 5'],
    ['concurrency', '\u001b[31m5'],
    ['concurrency', '٣'],
    ['lanes', '0'],
    ['lanes', '1001'],
    ['max-errors', '-1'],
    ['max-errors', '99999999999999999999'],
  ])('refuses --%s=%s, saying what was expected and what was given', (name, value) => {
    const error = refusal(() => readPace(flags(`--${name}=${value}`), DEFAULT_PACE))
    expect(error.message).toMatch(new RegExp(`^--${name} wants a whole number`))
    expect(error.message).toContain('was given')
  })

  test('refuses a flag given twice, and one without a value', () => {
    const twice = flags('--lanes', '1', '--lanes', '2')
    expect(refusal(() => readPace(twice, DEFAULT_PACE)).message).toBe('--lanes was given 2 times')
    expect(refusal(() => readPace({ lanes: '' }, DEFAULT_PACE)).message).toBe('--lanes needs a value')
  })
})

describe('readConnection', () => {
  test('holds nothing that was not asked for', () => {
    expect(readConnection(flags(), {})).toEqual({})
  })

  test('reads every flag', () => {
    const given = flags(
      ...['--endpoint-url', 'http://127.0.0.1:9000/base', '--region', 'eu-west-1', '--profile', 'p', '--path-style'],
      ...['--request-payer', '--no-sign-request', '--ca-bundle', 'ca.pem', '--no-verify-ssl'],
    )
    expect(readConnection(given, {})).toEqual({
      endpointUrl: 'http://127.0.0.1:9000/base',
      region: 'eu-west-1',
      profile: 'p',
      pathStyle: true,
      requestPayer: true,
      noSignRequest: true,
      caBundle: 'ca.pem',
      noVerifySsl: true,
    })
  })

  test('lets what is given win over what the checkpoint holds, switches that are turned off included', () => {
    const base = { endpointUrl: 'http://a', pathStyle: true, noVerifySsl: true, requestPayer: true }
    expect(readConnection(flags('--no-path-style', '--verify-ssl', '--endpoint-url=https://b'), base)).toEqual({
      ...{ endpointUrl: 'https://b', pathStyle: false, noVerifySsl: false, requestPayer: true },
    })
  })

  test.each([
    ['127.0.0.1:9000', /is not an http/],
    ['localhost', /is not an http/],
    ['ftp://host', /is not an http/],
    ['s3://bucket', /is not an http/],
    ['http://', /is not an http/],
    ['http://user:secret@host', /user name or password/],
    ['http://host/?a=b', /query or fragment/],
    ['http://host/#x', /query or fragment/],
  ])('refuses the endpoint %s with an example', (endpoint, message) => {
    const error = refusal(() => readConnection(flags('--endpoint-url', endpoint), {}))
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain('secret')
    expect(error.hint).toContain('--endpoint-url http://')
  })
})

describe('readTelling', () => {
  test('is silent about nothing and verbose about nothing unless asked', () => {
    const [quiet, verbose, progress] = [false, false, 'line']
    expect(readTelling(flags())).toEqual({ json: false, quiet, verbose, progress })
    expect(readTelling(flags('--json', '-v'))).toEqual({ json: true, quiet, verbose: true, progress })
    expect(readTelling(flags('-q'))).toEqual({ json: false, quiet: true, verbose, progress })
    expect(readTelling(flags('--progress', 'full'))).toEqual({ json: false, quiet, verbose, progress: 'full' })
  })

  test('refuses quiet together with more than usual', () => {
    expect(refusal(() => readTelling(flags('-q', '--progress', 'full'))).message).toContain('contradict')
    expect(refusal(() => readTelling(flags('-q', '-v'))).message).toContain('contradict')
  })
})

describe('readText and readFlag', () => {
  test('tell absent from given', () => {
    expect(readText({}, 'checkpoint')).toBeUndefined()
    expect(readText({ checkpoint: 'dir' }, 'checkpoint')).toBe('dir')
    expect(readFlag({}, 'fresh')).toBeUndefined()
    expect(readFlag({ fresh: false }, 'fresh')).toBe(false)
    expect(refusal(() => readFlag({ fresh: [true, true] }, 'fresh')).message).toBe('--fresh was given 2 times')
  })
})

describe('readSandbox', () => {
  test('starts with something to copy when it is not told what', () => {
    expect(sandbox()).toEqual({ buckets: ['src:seq:100k', 'dst'], faults: [] })
  })

  test('reads buckets, port, keys, shaping and faults', () => {
    const options = sandbox(
      ...['a', 'b:hex:10', '--port', '0', '--access-key', 'AK:SK', '--latency', 'copy=20', '--rate', 'write=10'],
      ...['--fault', '500=1%', '--fault', 'reset=1/1000', '--seed', '7'],
    )
    expect(options).toEqual({
      buckets: ['a', 'b:hex:10'],
      port: 0,
      accessKeyId: 'AK',
      secretAccessKey: 'SK',
      latency: 'copy=20',
      rate: 'write=10',
      faults: ['500=1%', 'reset=1/1000'],
      seed: 7,
    })
  })

  test.each(['AK', 'AK:SK:more'])('refuses the access key %s', (key) => {
    expect(refusal(() => sandbox('--access-key', key)).hint).toContain('AK:SK')
  })

  test.each(['65536', '-1', 'http'])('refuses the port %s', (port) => {
    expect(refusal(() => sandbox(`--port=${port}`)).message).toContain('a whole number from 0 to 65535')
  })
})
