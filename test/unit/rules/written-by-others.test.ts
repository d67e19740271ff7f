import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { begunAt, endedWith, followOf, NO_ROUNDS, type Moment, type Rounds } from '../../../src/checkpoint/rounds.js'
import { isOthers, isOthersAlone, mayBeReplaced } from '../../../src/rules/written-by-others.js'

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1_000).toISOString()
const object = (seconds: number, etag = 'e') => ({ lastModified: at(seconds), etag })

describe('an object of the destination that is different', () => {
  const follow = {
    settled: at(100),
    rounds: [
      { from: at(100), to: at(200) },
      { from: at(300), to: at(400) },
    ],
  }

  test.each([
    ['older than the source’s', object(150), object(140), false],
    ['as old as the source’s', object(50), object(51), false],
    ['written after a round that had made them alike', object(50), object(150), true],
    ['written while the source’s was replaced, in a round', object(150), object(160), false],
    ['written after the last round, and after the source’s', object(150), object(410), true],
    ['written between two rounds, and after the source’s', object(150), object(250), true],
    ['written before the rounds, and after the source’s', object(-100), object(-50), true],
    ['of an object in parts, whose date may be that of long before', object(50, 'e-3'), object(150), false],
  ])('%s', (_, source, there, expected) => {
    expect(isOthers(follow, source, there, { ahead: 0, ofFiles: false })).toBe(expected)
  })

  test('may be ours where the source is a file, whose date anybody may set', () => {
    expect(isOthers(follow, object(50), object(150), { ahead: 0, ofFiles: true })).toBe(false)
    expect(isOthers(follow, object(50), object(250), { ahead: 0, ofFiles: true })).toBe(true)
  })

  test('is dated by the clock of its own store', () => {
    // Written at 190 by the destination’s clock, which is 60 s ahead: 130 by the source’s.
    expect(isOthers({}, object(140), object(190), { ahead: 60_000, ofFiles: false })).toBe(false)
    expect(isOthers({}, object(120), object(190), { ahead: 60_000, ofFiles: false })).toBe(true)
  })

  test('is none of ours when it is alone there, written outside of rounds', () => {
    const alone = [50, 150, 204, 250, 350, 404, 406].map((time) => isOthersAlone(follow, object(time)))
    expect(alone).toEqual([false, false, false, true, false, false, true])
    expect(isOthersAlone({}, object(406))).toBe(false)
  })

  test('may be of an object that was replaced meanwhile, as long as no round has begun since', () => {
    expect([90, 96, 150].map((time) => mayBeReplaced(follow, object(time)))).toEqual([false, true, true])
    expect(mayBeReplaced({}, object(150))).toBe(false)
  })
})

type Write = 'source' | 'other'

interface PlannedRound {
  /** What is written before it, between its steps, and before its end. */
  readonly writes: readonly (readonly Write[])[]
  readonly killed: 'no' | 'before the copy' | 'after the copy'
  readonly fails: boolean
}

interface Version {
  readonly content: number
  readonly time: number
  readonly by: 'us' | 'source' | 'other'
  /** Whether no round was under way. */
  readonly between?: boolean
}

// Most of the time nobody writes: else the last write hides what went wrong before.
const writes = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Write[]>([]) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom<Write>('source', 'other'), { minLength: 1, maxLength: 2 }) },
)
const round: fc.Arbitrary<PlannedRound> = fc.record({
  writes: fc.tuple(writes, writes, writes, writes, writes),
  killed: fc.constantFrom('no', 'before the copy', 'after the copy'),
  fails: fc.boolean(),
})
const QUIET: PlannedRound = { writes: [[], [], [], [], []], killed: 'no', fails: false }

/** One name in two stores, in which writers go on writing, and rounds that may be killed and may fail. */
class Pair {
  private now = 0
  private contents = 0
  source: Version | undefined
  there: Version | undefined
  rounds: Rounds = NO_ROUNDS
  readonly wrongs: string[] = []

  /** `ahead` seconds is the destination’s clock; where the contents are not `comparable`, dates alone tell. */
  constructor(
    private readonly ahead: number,
    private readonly comparable: boolean,
  ) {}

  write(all: readonly Write[] = []): void {
    for (const by of all) {
      const between = this.rounds.underWay === undefined
      const version = { content: ++this.contents, time: this.tick(), by, between }
      if (by === 'source') this.source = version
      else this.there = version
    }
  }

  round({ writes, killed, fails }: PlannedRound): void {
    this.write(writes[0])
    const follow = followOf(this.rounds)
    this.rounds = begunAt(this.rounds, this.moment())
    this.write(writes[1])
    if (killed !== 'no') {
      this.try(follow, writes, killed === 'after the copy')
      this.rounds = begunAt(this.rounds, this.moment())
    }
    if (!fails) this.try(follow, writes, true)
    this.write(writes[4])
    const counts = { copied: 0, bytes: 0, deleted: 0, unchanged: 0, newer: 0, failed: fails ? 1 : 0 }
    this.rounds = endedWith(this.rounds, new Date(at(this.tick())), counts)
  }

  private try(follow: ReturnType<typeof followOf>, writes: PlannedRound['writes'], isWritten: boolean): void {
    const [source, seen] = [this.source, this.there]
    this.write(writes[2])
    if (source === undefined) return
    let there = seen
    for (;;) {
      if (there !== undefined && !this.isNeeded(follow, source, there)) return
      const read = this.source ?? source
      this.write(writes[3])
      if (!isWritten) return
      if (this.there === there) {
        this.copy(follow, read, there)
        return
      }
      there = this.there
      if (there === undefined) return
      if (there.content === source.content) return
      writes = QUIET.writes
    }
  }

  private isNeeded(follow: ReturnType<typeof followOf>, source: Version, there: Version): boolean {
    if (this.comparable && source.content === there.content) return false
    const stale = mayBeReplaced(follow, this.dated(source)) || source.time + 0 > there.time
    if (!this.comparable && !stale) return false
    return !isOthers(follow, { ...this.dated(source), etag: 'e' }, this.datedThere(there), {
      ahead: this.ahead * 1_000,
      ofFiles: false,
    })
  }

  private copy({ settled }: ReturnType<typeof followOf>, read: Version, there: Version | undefined): void {
    const isReplaced = there?.by === 'other' && there.content !== read.content
    const isOld = settled !== undefined && at(read.time) < settled
    if (isReplaced && read.time < there.time && (isOld || there.between === true))
      this.wrongs.push(`${read.time} replaced ${there.time}, which others had written since`)
    this.there = { content: read.content, time: this.tick(), by: 'us' }
  }

  private dated({ time }: Version): { readonly lastModified: string } {
    return { lastModified: at(time) }
  }

  private datedThere({ time }: Version): { readonly lastModified: string } {
    return { lastModified: at(time + this.ahead) }
  }

  private tick(): number {
    return (this.now += 10)
  }

  private moment(): Moment {
    const now = this.tick()
    return { here: at(now), source: at(now), destination: at(now + this.ahead) }
  }
}

describe('rounds that follow a source', () => {
  test('end with what the source has, or with what others have written later, whatever is written, killed and failed between; and replace nothing newer that stood alone', () => {
    fc.assert(
      fc.property(
        fc.array(round, { minLength: 1, maxLength: 5 }),
        writes,
        fc.integer({ min: -100, max: 100 }),
        fc.boolean(),
        (rounds, last, ahead, comparable) => {
          const pair = new Pair(ahead, comparable)
          for (const one of rounds) pair.round(one)
          pair.write(last)
          for (let quiet = 0; quiet < 3; quiet++) pair.round(QUIET)
          const { source, there, wrongs } = pair
          expect(wrongs).toEqual([])
          if (source === undefined) return
          if (there?.by === 'other') expect(there.time).toBeGreaterThan(source.time)
          else expect(there?.content).toBe(source.content)
        },
      ),
      { numRuns: 5_000 },
    )
  })
})
