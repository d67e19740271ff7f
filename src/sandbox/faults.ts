import { UserError } from '../errors.js'
import { fraction, hashText } from './wire/hash.js'
import { latencyClasses, operationNames, operations, type Operation } from './wire/operation-names.js'

const copying: readonly string[] = ['CopyObject', 'UploadPartCopy', 'CompleteMultipartUpload']

/** The faults, and the operations that each can hit (undefined: all). */
const faultKinds = {
  '301': undefined,
  '307': undefined,
  '500': undefined,
  '503': undefined,
  reset: undefined,
  'reset-after': undefined,
  truncate: undefined,
  hang: undefined,
  copy200err: copying,
  copy200empty: copying,
  space: copying,
  expired: undefined,
  region: undefined,
  disorder: ['ListObjectsV2'],
  denied: undefined,
} as const satisfies Readonly<Record<string, readonly string[] | undefined>>

export type FaultKind = keyof typeof faultKinds

const example = 'For example: 503=1%, reset=1/1000@CopyObject, copy200err=0.001'

export interface FaultRule {
  readonly kind: FaultKind
  /** The share of the requests that are hit, from 0 to 1. */
  readonly rate: number
  /** An operation or a latency class; undefined: all that the fault can hit. */
  readonly only: string | undefined
}

/** Reads `0.01`, `1%` or `1/100`; undefined when it is none of these or not from 0 to 1. */
function readRate(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(?:(%)|\/(\d+))?$/.exec(text)
  if (match === null) return undefined
  const rate = Number(match[1]) / (match[2] === undefined ? Number(match[3] ?? 1) : 100)
  return rate >= 0 && rate <= 1 ? rate : undefined
}

/** Reads `KIND=RATE[@Operation]`. Throws UserError. */
export function readFault(text: string): FaultRule {
  const match = /^([^=@]+)=([^@]*)(?:@(.+))?$/.exec(text)
  const kind = (Object.keys(faultKinds) as FaultKind[]).find((name) => name === match?.[1])
  if (match === null || kind === undefined) {
    throw new UserError(
      `Fault ${JSON.stringify(text)}: KIND=RATE[@Operation] expected.`,
      `Kinds are ${Object.keys(faultKinds).join(', ')}. ${example}`,
    )
  }
  const rate = readRate(match[2] ?? '')
  if (rate === undefined) {
    throw new UserError(
      `Fault ${JSON.stringify(text)}: the rate must lie between 0 and 1, got ${JSON.stringify(match[2])}.`,
      example,
    )
  }
  const only = match[3]
  if (only !== undefined && ![...operationNames, ...latencyClasses].some((name) => name === only)) {
    throw new UserError(
      `Fault ${JSON.stringify(text)}: there is no operation ${JSON.stringify(only)}.`,
      `Operations are ${[...latencyClasses, ...operationNames].join(', ')}.`,
    )
  }
  const hits: readonly string[] | undefined = faultKinds[kind]
  if (hits !== undefined && only !== undefined && !hits.some((name) => concerns(only, name as Operation))) {
    throw new UserError(`Fault ${JSON.stringify(text)}: ${kind} can hit ${hits.join(', ')} only.`, example)
  }
  return { kind, rate, only }
}

function concerns(only: string, operation: Operation): boolean {
  return only === operation || only === operations[operation]
}

/** Decides which requests are hit: the n-th that a rule concerns is or is not, by seed and n alone. */
export class Faults {
  private rules: { rule: FaultRule; salt: number; seen: number }[] = []

  constructor(
    rules: readonly FaultRule[],
    private readonly seed: number,
  ) {
    for (const rule of rules) this.set(rule)
  }

  /** Adds the rule in place of the one of that kind and operation; a rate of 0 takes it away. */
  set(rule: FaultRule): void {
    this.rules = this.rules.filter((old) => old.rule.kind !== rule.kind || old.rule.only !== rule.only)
    if (rule.rate > 0) this.rules.push({ rule, salt: hashText(`${rule.kind}@${rule.only ?? ''}`), seen: 0 })
  }

  /** The rules in force. */
  list(): FaultRule[] {
    return this.rules.map(({ rule }) => rule)
  }

  /** The fault that this request meets, if any; the first rule that hits it wins. */
  next(operation: Operation): FaultKind | undefined {
    let hit: FaultKind | undefined
    for (const state of this.rules) {
      const { kind, rate, only } = state.rule
      const hits: readonly string[] | undefined = faultKinds[kind]
      if (hits !== undefined && !hits.includes(operation)) continue
      if (only !== undefined && !concerns(only, operation)) continue
      if (fraction(this.seed, state.seen++, state.salt) < rate) hit ??= kind
    }
    return hit
  }
}
