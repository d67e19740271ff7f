import { isCopy } from '../job/copy.js'
import type { Place } from '../job/place.js'
import { isSetTags, type SetTagsJob } from '../job/set-tags.js'
import type { BatchableJob } from './batchable.js'

/** A policy document of IAM. */
interface Policy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly object[]
}

/** What the role of a job must be allowed, and who must be able to have it. */
export function rolePolicy(
  job: BatchableJob,
  { role, manifests }: { readonly role: string; readonly manifests: Place },
): { readonly permissions: Policy; readonly trust: Policy } {
  const { source } = job
  if (isSetTags(job)) return policiesOf(role, manifests, [[tagActions(job), source]])
  const destination = isCopy(job) ? job.destination : source
  const canned = isCopy(job) ? job.attributes?.acl : job.acl
  const acl = canned === undefined || canned === 'reset' ? [] : ['s3:PutObjectAcl']
  return policiesOf(role, manifests, [
    [['s3:GetObject', 's3:GetObjectVersion', 's3:GetObjectTagging', 's3:GetObjectVersionTagging'], source],
    [['s3:PutObject', 's3:PutObjectTagging', ...acl], destination],
  ])
}

/** The same of a job that computes checksums of the objects below a place. */
export function checksumPolicy(
  place: Place,
  { role, manifests }: { readonly role: string; readonly manifests: Place },
): ReturnType<typeof rolePolicy> {
  return policiesOf(role, manifests, [[['s3:GetObject', 's3:GetObjectVersion'], place]])
}

function policiesOf(
  role: string,
  manifests: Place,
  objects: readonly (readonly [actions: readonly string[], place: Place])[],
): ReturnType<typeof rolePolicy> {
  const [, partition = 'aws'] = role.split(':')
  const arn = ({ bucket, prefix }: Place): string => `arn:${partition}:s3:::${bucket}/${prefix}*`
  const allow = (Action: readonly string[], place: Place): object => ({ Effect: 'Allow', Action, Resource: arn(place) })
  return {
    permissions: policyOf([
      ...objects.map(([actions, place]) => allow(actions, place)),
      allow(['s3:GetObject', 's3:GetObjectVersion', 's3:PutObject'], manifests),
    ]),
    trust: TRUST,
  }
}

function policyOf(Statement: readonly object[]): Policy {
  return { Version: '2012-10-17', Statement }
}

const TRUST = policyOf([
  { Effect: 'Allow', Principal: { Service: 'batchoperations.s3.amazonaws.com' }, Action: 'sts:AssumeRole' },
])

// Whether an object is to have none in the end only a look at it tells, unless all are replaced.
function tagActions({ set, replace }: SetTagsJob): readonly string[] {
  const puts = ['s3:PutObjectTagging', 's3:PutObjectVersionTagging']
  const deletes = ['s3:DeleteObjectTagging', 's3:DeleteObjectVersionTagging']
  return [...(replace === true && set.length === 0 ? [] : puts), ...(set.length > 0 ? [] : deletes)]
}
