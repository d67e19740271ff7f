import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { offer } from '../../../../src/commands/completion/offer.js'
import { COMMANDS } from '../../../support/all-commands.js'
import { workFolder } from '../../../support/cli-program.js'

afterEach(() => vi.unstubAllEnvs())

/** What is offered behind these words: the kind of paths, and the words. */
async function offered(words: readonly string[], cwd = '/nowhere'): Promise<[string, ...string[]]> {
  const [kind = '', ...lines] = (await offer(words, COMMANDS, cwd)).trimEnd().split('\n')
  return [kind, ...lines.map((line) => line.split('\t')[0] ?? '')]
}

describe('what completion offers', () => {
  test.each<[string[], string[]]>([
    [
      ['plan', 's'],
      ['words', 'sync', 'set-headers', 'set-tags', 'set-storage-class', 'set-encryption'],
    ],
    [
      ['plan', 'copy', '--sam'],
      ['words', '--sample'],
    ],
    [
      ['plan', 'copy', '--no-cl'],
      ['words', '--no-clobber'],
    ],
    [['cop'], ['words', 'copy']],
    [['--v'], ['words', '--version']],
    [['cp', ''], ['words']],
    [['copy', 's3'], ['words']],
    [
      ['copy', 's3://a', 's3://b', '--files-f'],
      ['words', '--files-from', '--files-format'],
    ],
    [['copy', '--dry-run', '--dry'], ['words']],
    [['copy', '-n', '--dry'], ['words']],
    [
      ['copy', '--exclude', 'x', '--excl'],
      ['words', '--exclude'],
    ],
    [['copy', '--sign'], ['words']],
    [
      ['ls', '--format', ''],
      ['words', 'text', 'json', 'csv', 'parquet'],
    ],
    [
      ['ls', '--format', '""'],
      ['words', 'text', 'json', 'csv', 'parquet'],
    ],
    [
      ['ls', '--format=j'],
      ['words', 'json'],
    ],
    [['ls', '--sorted='], ['words']],
    [['copy', '--concurrency', ''], ['words']],
    [['copy', '--region', ''], ['words']],
    [
      ['copy', '--storage-class', 'GL'],
      ['words', 'GLACIER_IR', 'GLACIER'],
    ],
    [
      ['copy', '--preserve', ''],
      ['words', 'acl', 'annotations', 'encryption', 'lock', 'redirect'],
    ],
    [
      ['set-headers', '--preserve', ''],
      ['words', 'acl'],
    ],
    [['copy', '--files-from', ''], ['files']],
    [['copy', '--checkpoint=x'], ['folders']],
    [['resume', ''], ['folders']],
    [['resume', 'a', ''], ['words']],
    [
      ['status', '--j'],
      ['words', '--json'],
    ],
    [
      ['completion', ''],
      ['words', 'bash', 'zsh', 'fish', 'powershell'],
    ],
    [
      ['help', 'conn'],
      ['words', 'connection'],
    ],
    [
      ['help', 'set'],
      ['words', 'set-encryption', 'set-headers', 'set-storage-class', 'set-tags'],
    ],
  ])('behind %j', async (words, wanted) => {
    expect(await offered(words)).toEqual(wanted)
  })

  test('profiles come from the files of AWS, but none that a shell would have to quote', async () => {
    const folder = await workFolder()
    await writeFile(
      join(folder, 'config'),
      '[profile work]\nregion = x\n[profile a b$(id)]\nregion = x\n[sso-session s]\nsso_region = x\n',
    )
    await writeFile(join(folder, 'credentials'), '[play]\naws_access_key_id = x\n')
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
    expect(await offered(['copy', '--profile', ''])).toEqual(['words', 'play', 'work'])
  })

  test('the runs of this folder come with its folders, and without these once one has been begun', async () => {
    const folder = await workFolder()
    await mkdir(join(folder, '.s3move/a-to-b-1'), { recursive: true })
    expect(await offered(['resume', ''], folder)).toEqual(['folders', '.s3move/a-to-b-1'])
    expect(await offered(['status', '.s3'], folder)).toEqual(['words', '.s3move/a-to-b-1'])
    expect(await offered(['status', '--merge', 'runs/1', '.s3'], folder)).toEqual(['words', '.s3move/a-to-b-1'])
    expect(await offered(['status', 'x'], folder)).toEqual(['folders'])
  })
})
