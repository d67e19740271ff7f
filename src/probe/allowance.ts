/** How many requests may still be sent. */
export class Allowance {
  #left: number
  readonly #sent: Record<string, number> = {}

  constructor(most: number) {
    this.#left = Math.max(0, Math.floor(most))
  }

  get left(): number {
    return this.#left
  }

  /** Those that were sent, by operation. */
  get sent(): Readonly<Record<string, number>> {
    return { ...this.#sent }
  }

  /** Takes one, if there is one; one without a name is counted by somebody else. */
  take(operation?: string): boolean {
    if (this.#left < 1) return false
    this.#left--
    if (operation !== undefined) this.#sent[operation] = (this.#sent[operation] ?? 0) + 1
    return true
  }
}
