// Preloaded into s3move (node --import): the clock of its process, threads included, is wrong by so many milliseconds.
const WRONG_BY = Number(process.env.TORTURE_CLOCK)
const RealDate = Date
class WrongDate extends RealDate {
  /** @param {[]} given */
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + WRONG_BY)
    else super(...given)
  }

  /** @override */
  static now() {
    return RealDate.now() + WRONG_BY
  }
}
globalThis.Date = /** @type {DateConstructor} */ (/** @type {unknown} */ (WrongDate))
