import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { Finding } from '../../../src/job/finding.js'
import { PERMISSIONS } from '../../../src/job/permissions.js'
import { checkJson, checkLines, lacking } from '../../../src/report/check-report.js'
import { COLOURED } from '../../../src/report/paint.js'

const refused = (action: string): Finding => {
  const permission = PERMISSIONS.find((one) => one.side === 'source' && one.action === action)!
  return { side: 'source', about: 'permission', what: action, state: 'no', told: 'it said 403', permission }
}

const checked = (bucket: string, prefix: string, ...actions: string[]) => ({
  source: { bucket, prefix },
  destination: undefined,
  command: 'copy' as const,
  findings: actions.map(refused),
})

describe('the policy with what is missing', () => {
  const resources = (bucket: string, prefix: string, ...actions: string[]) => {
    const { policy } = checkJson(checked(bucket, prefix, ...actions)) as {
      policy: { Statement: { Action: string[]; Resource: string }[] }
    }
    return policy.Statement.map(({ Action, Resource }) => [Resource, ...Action])
  }

  test('has one statement for the bucket and one for its objects below the prefix', () => {
    expect(resources('photos', '2019/', 's3:ListBucket', 's3:GetObject', 's3:GetObjectTagging')).toEqual([
      ['arn:aws:s3:::photos', 's3:ListBucket'],
      ['arn:aws:s3:::photos/2019/*', 's3:GetObject', 's3:GetObjectTagging'],
    ])
  })

  test('takes what means something else in a policy for what it is in a prefix', () => {
    expect(resources('b', 'a*b?$c/', 's3:GetObject')).toEqual([['arn:aws:s3:::b/a${*}b${?}${$}c/*', 's3:GetObject']])
  })

  test('names an access point and its objects', () => {
    const arn = 'arn:aws:s3:eu-west-1:111122223333:accesspoint/ann'
    expect(resources(arn, '', 's3:ListBucket', 's3:GetObject')).toEqual([
      [arn, 's3:ListBucket'],
      [`${arn}/object/*`, 's3:GetObject'],
    ])
  })
})

describe('what a command lacks', () => {
  test('is what it needs itself: not what another needs, nor a clock that is off, nor what is not known', () => {
    const clock: Finding = { side: 'source', about: 'reach', what: 'clock', state: 'no', told: '' }
    const trait: Finding = { side: 'source', about: 'trait', what: 'versioning', state: 'no', told: '' }
    const unknown: Finding = { ...refused('s3:GetObjectTagging'), state: 'unknown' }
    const findings = [refused('s3:GetObject'), refused('s3:PutObject'), unknown, clock, trait]
    expect(lacking({ command: 'copy', findings }).map(({ what }) => what)).toEqual(['s3:GetObject'])
    expect(lacking({ command: 'ls', findings })).toEqual([])
  })

  test('is told without a character that a terminal would obey', () => {
    const lines = checkLines({
      ...checked('b', 'x\u001b[2J/'),
      findings: [{ ...refused('s3:GetObject'), told: '\u001b[31m\n' }],
    })
    expect(lines.join('\n')).not.toMatch(/[^\n -\u{10ffff}]|\u001b/u)
    expect(lines.join('\n')).toContain('\\x1b[31m\\n')
    expect(checkJson(checked('b', 'x\u001b[2J/'))).toMatchObject({ source: 's3://b/x\u001b[2J/' })
  })

  test('stands in its column, in colour or not', () => {
    const trait: Finding = { side: 'source', about: 'trait', what: 'versioning', state: 'no', told: 'off' }
    const asked = { ...checked('b', 'x/'), findings: [refused('s3:GetObject'), trait] }
    const lines = checkLines(asked, COLOURED)
    expect(lines[1]).toMatch(/^ {2}\x1b\[31mno {5}\x1b\[39m {2}s3:GetObject/)
    expect(lines.find((line) => line.includes('versioning'))).toMatch(/^ {2}\x1b\[2mno {5}\x1b\[22m {2}versioning/)
    expect(lines.map(stripVTControlCharacters)).toEqual(checkLines(asked))
  })
})
