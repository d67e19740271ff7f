import type { Finding } from './finding.js'

/** Values that so much of all do not exceed: half, nine in ten, …. Absent where there are too few to tell. */
export interface Percentiles {
  readonly p50?: number
  readonly p90?: number
  readonly p99?: number
  readonly p999?: number
}

/** How long answers to one kind of request took, a few at a time. Times are in milliseconds. */
export interface MeasuredRequests {
  /** As S3 calls it. */
  readonly operation: string
  /** Of objects that have more than `from` bytes, and at most `upTo`, where the size matters; without `upTo` of those of any more. */
  readonly sizes?: { readonly from: number; readonly upTo?: number }
  /** How many answers the figures are of. */
  readonly samples: number
  /** Until the first byte of the content came; absent where there is none. */
  readonly firstByte?: Percentiles
  /** Until all of the answer was there. */
  readonly whole: Percentiles
  /** Bytes of content that was read, sent or copied, on average. */
  readonly bytes: number
  /** Bytes a second of one request, from its sending on: half of all were faster. Absent where the content is too short to tell. */
  readonly bytesPerSecond?: number
  /** The same from the first byte on. */
  readonly bytesPerSecondAfterFirst?: number
  /** Requests that failed, by code. */
  readonly failed: Readonly<Record<string, number>>
  /** Why there is nothing, or not all, for a person. */
  readonly problem?: string
}

/** How a store took so many requests at once. */
export interface SweepLevel {
  readonly concurrency: number
  /** Requests that were done as asked, a second. */
  readonly perSecond: number
  /** Requests that were sent, those that the store refused because there were too many, and those that failed otherwise. */
  readonly requests: number
  readonly refused: number
  readonly failed: number
  /** Milliseconds until the end of an answer that was no refusal. */
  readonly whole: Percentiles
  /** How much of its time the thread that sends was at work, from 0 to 1. */
  readonly busy: number
}

/** Ever more requests at once, each level twice the one before. */
export interface Sweep {
  readonly operation: string
  readonly levels: readonly SweepLevel[]
  /**
   * Why it went no further: the store refused, its rate or its answers told that more is no use, it failed, so many requests were not to be sent, or so
   * many at once.
   */
  readonly ended: 'refusals' | 'knee' | 'failures' | 'requests' | 'concurrency' | 'stopped'
  /** Requests a second that the store bears; absent where no limit was found. */
  readonly limit?: number
  /** That limit may be this machine's. */
  readonly ownLimit?: true
}

/** How connections to a store are set up. Times are in milliseconds. */
export interface MeasuredConnections {
  readonly origin: string
  /** Those that its name stands for. */
  readonly addresses: readonly string[]
  readonly samples: number
  readonly dns?: Percentiles
  readonly tcp?: Percentiles
  readonly tls?: Percentiles
  readonly protocol?: string
  readonly whole: Percentiles
  readonly failed: Readonly<Record<string, number>>
  readonly problem?: string
}

/** What settings of a copy follow from what was measured. What nothing follows for is absent. */
export interface PaceAdvice {
  readonly concurrency?: number
  readonly lanes?: number
  /** In bytes. */
  readonly partSize?: number
  /** Why each is what it is, and why others are absent: a sentence each. */
  readonly reasons: readonly string[]
}

/** What a probe wrote, and deleted again. */
export interface ProbedWrites {
  /** `s3://bucket/prefix`, below which it was. */
  readonly below: string
  readonly bytes: number
  /** What could not be deleted, and why. */
  readonly left?: { readonly objects: number; readonly uploads: number; readonly problem: string }
}

/** What was found out of the speed of a store. */
export interface Probed {
  /** ISO 8601. */
  readonly began: string
  readonly elapsedMs: number
  /** `s3://bucket/prefix`. */
  readonly source: string
  readonly host: string
  readonly region?: string
  readonly connections: MeasuredConnections
  readonly rows: readonly MeasuredRequests[]
  readonly sweeps: readonly Sweep[]
  /** What the store honours, and how the bucket is set; none where that was not asked. */
  readonly traits: readonly Finding[]
  readonly advice: PaceAdvice
  /** Requests that were sent, by operation, and bytes that were read. */
  readonly requests: Readonly<Record<string, number>>
  readonly bytesRead: number
  /** Absent where nothing was to be written. */
  readonly written?: ProbedWrites
  /** In US$; absent where no price is known. */
  readonly spentUsd?: number
  /** It was interrupted: told is a part. */
  readonly interrupted?: true
}
