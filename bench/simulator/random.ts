/** Random numbers that a seed repeats. Pure. */

/** Numbers in [0, 1). */
export type Random = () => number

/** mulberry32: small, fast, and good enough to choose pieces with. */
export function seeded (seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A source of its own for each purpose: what one draws does not change what the others get. */
export function branch (seed: number, ...path: number[]): Random {
  let state = seed
  for (const step of path) {
    state = Math.floor(seeded(Math.imul(state, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b))() * 2 ** 32)
  }
  return seeded(state)
}

/** Log-normal with median 1. */
export function lognormal (random: Random, sigma: number): number {
  return Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()))
}

/** Shuffles in place (Fisher–Yates). */
export function shuffle<T> (items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!]
  }
  return items
}

/** `fraction` of `count`, rounded up or down by chance, so that it is right on average. */
export function share (count: number, fraction: number, random: Random): number {
  return Math.floor(count * fraction + random())
}
