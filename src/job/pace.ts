/** How fast it is to be done, and how much failure is borne. Free to change on resume. */
export interface Pace {
  /** Objects in flight at once. */
  readonly concurrency: number
  /** Ranges listed at once. */
  readonly lanes: number
  /** Worker threads; absent for as many as the machine and the rest of the pace can use. */
  readonly threads?: number
  /** Stop the run when more objects than this have failed. */
  readonly maxErrors?: number
  /** How long what may pass is tried again before it counts as failed, in milliseconds. */
  readonly retryFor?: number
  /** Most bytes of content that may pass through this machine each way, a second. */
  readonly bandwidth?: number
  /** An object that a look shows to lack what it was to have is a failure, and the end of the session; else it is only told. */
  readonly onLoss?: 'fail'
}
