import { ListJobsCommand, S3ControlClient } from '@aws-sdk/client-s3-control'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { TestSandbox } from './cli-buckets.js'

/** What a run of jobs is told beside its places; its folder is `run`. */
export const ASKED = [
  ...['--manifest', 's3://own/jobs', '--role-arn', 'arn:aws:iam::123456789012:role/batch'],
  ...['--checkpoint', 'run'],
]

/** The states of the jobs of a server. */
export async function jobsOf({ url }: TestSandbox): Promise<readonly (string | undefined)[]> {
  const endpoint = new URL(url)
  const control = new S3ControlClient({
    ...{ region: 'us-east-1', credentials: { accessKeyId: 'any', secretAccessKey: 'any' } },
    endpointProvider: () => ({ url: endpoint }),
  })
  onTestFinished(() => control.destroy())
  const { Jobs = [] } = await control.send(new ListJobsCommand({ AccountId: '123456789012' }))
  return Jobs.map(({ Status }) => Status)
}

/** The failure ledger of the run in `run`. */
export async function ledgerOf(cwd: string): Promise<{ key: string; code: string }[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { key: string; code: string })
}
