/** The algorithms of S3's additional checksums, as `x-amz-checksum-algorithm` has them (client-s3 3.1169: ChecksumAlgorithm). */
export const CHECKSUM_ALGORITHMS = [
  ...(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256', 'SHA512'] as const),
  ...(['MD5', 'XXHASH64', 'XXHASH3', 'XXHASH128'] as const),
] as const

/** The same in small letters, as names of headers have them. */
const IN_HEADERS: ReadonlySet<string> = new Set(CHECKSUM_ALGORITHMS.map((name) => name.toLowerCase()))

const CHECKSUM = 'x-amz-checksum-'

/** The algorithm, in small letters, of which a header (its name in small letters) tells the checksum; undefined of any other header. */
export function checksumAlgorithmOf(header: string): string | undefined {
  if (!header.startsWith(CHECKSUM)) return undefined
  const algorithm = header.slice(CHECKSUM.length)
  return IN_HEADERS.has(algorithm) ? algorithm : undefined
}
