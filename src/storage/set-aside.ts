/** Says of one operation that goes on failing whether the trouble is that of its object or that of the store. */
export interface Trouble {
  /** Whether it is to be set aside after so many attempts, the first of which failed `elapsed` milliseconds ago. */
  isSetAside(attempts: number, elapsed: number): boolean
  /** Whether a refusal (503 SlowDown) says little of what the store bears, as others are not refused. */
  isAlone(attempts: number): boolean
}

/** Decides which operations on objects are no longer tried again on the spot, where they hold up others. */
export interface SetAside {
  succeeded(operation: string, count?: number): void
  /** Told of the first failure of an operation; undefined when operations of its kind are never set aside. */
  failing(operation: string): Trouble | undefined
}

/** Over so many milliseconds two attempts are enough. */
const SLOW = 3_000
const LEAST_SLOW_ATTEMPTS = 2

/** How much it takes to tell the trouble of one object from chance. */
export interface Proof {
  /** Fewer prove nothing. */
  readonly attempts: number
  /** How probable it may be, at most, that a request fails so often in a row by the chance with which others fail. */
  readonly chance: number
}

/** To be wrong costs little where what is set aside is tried again a little later. */
export const TRIED_LATER: Proof = { attempts: 4, chance: 0.01 }
/** Objects that failed before are alone with it: no others succeed meanwhile. That nothing answers any more is found out when they are given up. */
export const FAILED_BEFORE: Proof = { attempts: 4, chance: Infinity }
/** Where it is not. */
export const GIVEN_UP: Proof = { attempts: 6, chance: 1e-6 }

/** From then on its refusals are not taken for those of a store that is asked for too much. */
const DOUBTFUL = 0.1

/** Parts of an object that may be large: to set it aside would throw away those that are there. */
const OF_PARTS: ReadonlySet<string> = new Set(['UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload'])

/**
 * Tells the trouble of single objects from that of a store. While one operation fails again and again, others of its kind are begun: of these the part
 * that fails at the first attempt is the chance with which the store fails anyone. A request that failed so often that this chance
 * does not explain it is set aside. When all fail there is no such request: then the store is down, and everyone waits for it.
 */
export class UnlikeOthers implements SetAside {
  private readonly successes: Record<string, number> = {}
  private readonly failures: Record<string, number> = {}

  constructor(private readonly proof: Proof) {}

  succeeded(operation: string, count = 1): void {
    this.successes[operation] = (this.successes[operation] ?? 0) + count
  }

  failing(operation: string): Trouble {
    const succeeded = this.successes[operation] ?? 0
    const failed = (this.failures[operation] ?? 0) + 1
    this.failures[operation] = failed
    // One is added on the side of failure: where nothing else was tried, nothing is known.
    const chance = (attempts: number): number => {
      const others = (this.failures[operation] ?? 0) - failed + 1
      return (others / ((this.successes[operation] ?? 0) - succeeded + others)) ** attempts
    }
    return {
      isSetAside: (attempts, elapsed) =>
        attempts >= (elapsed >= SLOW ? LEAST_SLOW_ATTEMPTS : this.proof.attempts) &&
        chance(attempts) < this.proof.chance,
      isAlone: (attempts) => attempts > 1 && chance(attempts) < DOUBTFUL,
    }
  }
}

/** What is done to an object may take several requests, each of which may fail by chance too. */
const ATTEMPTS_A_TURN = 3

const SOON: Trouble = { isSetAside: (attempts) => attempts >= ATTEMPTS_A_TURN, isAlone: () => true }

/** For objects that were set aside: each request, but those on parts, has a few attempts until their next turn. */
export const FEW_ATTEMPTS: SetAside = {
  succeeded: () => undefined,
  failing: (operation) => (OF_PARTS.has(operation) ? undefined : SOON),
}

/** The same, where the parts of objects are tried again on the spot. */
export function exceptParts(setAside: SetAside): SetAside {
  return {
    succeeded: (operation, count) => setAside.succeeded(operation, count),
    failing: (operation) => (OF_PARTS.has(operation) ? undefined : setAside.failing(operation)),
  }
}
