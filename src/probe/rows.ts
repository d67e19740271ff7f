import type { StorageError } from '../errors.js'
import type { MeasuredRequests } from '../job/probed.js'
import { printableName } from '../keys.js'
import type { Measured } from './measure.js'
import { percentilesOf } from './percentiles.js'
import type { SizeClass } from './size-classes.js'

/** Content that is shorter comes, or goes, with its first byte. */
const TELLING_SIZE = 256 * 1024

/** What a row tells of the answers to requests. */
export function rowOf(operation: string, { times, failed, firstError }: Measured, sizes?: SizeClass): MeasuredRequests {
  const reads = READS.test(operation)
  const withContent = times.filter(({ bytes }) => reads && bytes > 0)
  const large = times.filter(({ bytes }) => bytes >= TELLING_SIZE)
  const half = (numbers: readonly number[]): number | undefined => percentilesOf(numbers).p50
  const felt = half(large.map(({ bytes, whole }) => (bytes * 1000) / whole))
  const later = large.filter(({ whole, firstByte }) => reads && whole > firstByte)
  const after = half(later.map(({ bytes, whole, firstByte }) => (bytes * 1000) / (whole - firstByte)))
  return {
    operation,
    ...(sizes === undefined ? {} : { sizes }),
    samples: times.length,
    ...(withContent.length === 0 ? {} : { firstByte: percentilesOf(withContent.map(({ firstByte }) => firstByte)) }),
    whole: percentilesOf(times.map(({ whole }) => whole)),
    bytes: times.length === 0 ? 0 : times.reduce((sum, { bytes }) => sum + bytes, 0) / times.length,
    ...(felt === undefined ? {} : { bytesPerSecond: felt }),
    ...(after === undefined ? {} : { bytesPerSecondAfterFirst: after }),
    failed,
    ...(firstError === undefined ? {} : { problem: answerProblem(firstError) }),
  }
}

const READS = /^(?:Get|Head|List)/

/** Why there is no answer, for a person. */
export function answerProblem({ code, status, message }: StorageError): string {
  return `${code}${status === undefined ? '' : ` (HTTP ${status})`}: ${printableName(message)}`
}
