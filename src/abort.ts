/** Whether it is aborted by now. A call, because the compiler takes a property for unchanged over an await. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}

/** Resolves when it is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Waits so many milliseconds, or until `until` is aborted. */
export function sleep(ms: number, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      until.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    until.addEventListener('abort', wake)
  })
}

/** What `work` comes to, or undefined as soon as `signal` is aborted; then it does not matter what becomes of `work`. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let stop: (() => void) | undefined
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop)
  })
  try {
    // `work` takes part even when it no longer matters: a rejection that nobody takes would end the process.
    return await Promise.race([stopped, work])
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop)
  }
}
