/** What CopyObject and CompleteMultipartUpload did to one destination bucket. */
export interface CopyCounts {
  /** All copies carried out, whether their answer arrived or not. */
  total: number
  /** Onto a key that was not there. */
  unique: number
  /** Onto a key that was there already. */
  duplicates: number
}

export interface SandboxStats {
  readonly requests: number
  readonly byOperation: Readonly<Record<string, number>>
  /** By HTTP status; answers that were never sent stand under `none`. */
  readonly byStatus: Readonly<Record<string, number>>
  /** Faults injected, by kind. */
  readonly faults: Readonly<Record<string, number>>
  readonly connections: { readonly open: number; readonly peak: number }
  readonly inFlight: { readonly now: number; readonly peak: number }
  /** By destination bucket. */
  readonly copies: Readonly<Record<string, Readonly<CopyCounts>>>
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** Counts what the server is asked and what it does. */
export class Stats {
  private readonly operations = new Map<string, number>()
  private readonly statuses = new Map<string, number>()
  private readonly faults = new Map<string, number>()
  private readonly copies = new Map<string, CopyCounts>()
  private requests = 0
  private open = 0
  private openPeak = 0
  private inFlight = 0
  private inFlightPeak = 0

  connected(): void {
    this.openPeak = Math.max(this.openPeak, ++this.open)
  }

  disconnected(): void {
    this.open--
  }

  begun(): void {
    this.requests++
    this.inFlightPeak = Math.max(this.inFlightPeak, ++this.inFlight)
  }

  operation(name: string): void {
    count(this.operations, name)
  }

  fault(kind: string): void {
    count(this.faults, kind)
  }

  /** `status` undefined: the request was given no answer. */
  ended(status: number | undefined): void {
    this.inFlight--
    count(this.statuses, status === undefined ? 'none' : String(status))
  }

  copied(bucket: string, replaced: boolean): void {
    let counts = this.copies.get(bucket)
    if (counts === undefined) this.copies.set(bucket, (counts = { total: 0, unique: 0, duplicates: 0 }))
    counts.total++
    if (replaced) counts.duplicates++
    else counts.unique++
  }

  snapshot(): SandboxStats {
    return {
      requests: this.requests,
      byOperation: Object.fromEntries(this.operations),
      byStatus: Object.fromEntries(this.statuses),
      faults: Object.fromEntries(this.faults),
      connections: { open: this.open, peak: this.openPeak },
      inFlight: { now: this.inFlight, peak: this.inFlightPeak },
      copies: Object.fromEntries([...this.copies].map(([bucket, counts]) => [bucket, { ...counts }])),
    }
  }
}
