import { stopReason, type Stop } from './stop-reason.js'

/** What ends a session before its work is done. */
export class Ending {
  stop: Stop | undefined
  private defect: { readonly error: unknown } | undefined

  /** `stopping` is told why, when that is nothing that s3move does not know. */
  constructor(
    private readonly drain: AbortController,
    private readonly stopping?: (stop: Stop) => void,
  ) {}

  /** Takes in what makes it impossible to go on; only the first counts. */
  readonly fail = (error: unknown): void => {
    if (this.stop === undefined && this.defect === undefined) {
      try {
        this.stop = stopReason(error)
        this.stopping?.(this.stop)
      } catch {
        this.defect = { error }
      }
    }
    this.drain.abort()
  }

  /** Throws on what is a defect of s3move itself. */
  throwDefect(): void {
    if (this.defect !== undefined) throw this.defect.error
  }
}
