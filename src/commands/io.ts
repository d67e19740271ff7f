/** What a command may touch of the process. */
export interface CommandIo {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
  readonly cwd: string
  /** Aborted by the first Ctrl-C or SIGTERM: begin nothing further, let what is in flight end. */
  readonly stop: AbortSignal
  /** Aborted by the second: save and end at once. */
  readonly abandon: AbortSignal
}
