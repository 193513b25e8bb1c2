/** Bounds on a share from a random sample. Pure. */

/** The confidence of every bound. */
const CONFIDENCE = 0.95
const BISECTIONS = 50

/**
 * With 95 %, at most this share is wrong, if so many of a sample are: the one-sided upper bound of Clopper and Pearson.
 * 1 for an empty sample.
 */
export function atMost (wrong: number, drawn: number): number {
  if (drawn <= 0 || wrong >= drawn) return 1
  let [low, high] = [wrong / drawn, 1]
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2
    if (probabilityOfAtMost(wrong, drawn, middle) > 1 - CONFIDENCE) low = middle
    else high = middle
  }
  return high
}

/** The probability that at most `wrong` of `drawn` are wrong, if this share is (binomial). */
function probabilityOfAtMost (wrong: number, drawn: number, share: number): number {
  let logTerm = drawn * Math.log1p(-share)
  let sum = Math.exp(logTerm)
  for (let k = 1; k <= wrong; k++) {
    logTerm += Math.log((drawn - k + 1) / k) + Math.log(share) - Math.log1p(-share)
    sum += Math.exp(logTerm)
  }
  return sum
}

/**
 * How many of so many pieces are to be drawn so that, if a share `error` of them is wrong, one at least is among them,
 * unless by a chance of at most `miss`.
 */
export function sampleSize (pieces: number, error: number, miss: number): number {
  const wrong = Math.max(1, Math.ceil(pieces * error - 1e-9))
  let chance = 1
  let size = 0
  // drawn one after the other: each is right with (right ones that are left) / (all that are left)
  while (chance > miss && size < pieces) {
    chance *= Math.max(0, pieces - wrong - size) / (pieces - size)
    size++
  }
  return size
}
