/**
 * The paper's model of its own random choice (section 5.1): rounds until n pieces are there when in each round every
 * one of m peers computes a random missing piece and nobody knows what the others chose.
 */

/**
 * S(m, 0 … m), Stirling numbers of the second kind: ways to divide m peers into j groups. Exact up to m = 25, by
 * doubles.
 */
export function stirling (m: number): number[] {
  let row = [1]
  for (let i = 1; i <= m; i++) {
    const previous = row
    row = Array.from({ length: i + 1 }, (_, j) => j * (previous[j] ?? 0) + (previous[j - 1] ?? 0))
  }
  return row
}

/**
 * E(n, m), the expected number of rounds: E(1, m) = 1,
 * E(n, m) = 1 + Σ S(m, j) · n! / (n − j)! · E(n − j, m) / nᵐ over j = 1 … min(n − 1, m).
 */
export function expectedRounds (pieces: number, peers: number): number {
  const groups = stirling(peers)
  const rounds = [0, 1]
  for (let n = 2; n <= pieces; n++) {
    let sum = 1
    // n! / (n − j)! / nʲ, so that nothing grows beyond a double
    let distinct = 1
    for (let j = 1; j <= Math.min(n - 1, peers); j++) {
      distinct *= (n - j + 1) / n
      sum += groups[j]! * distinct * n ** (j - peers) * rounds[n - j]!
    }
    rounds.push(sum)
  }
  return rounds[pieces]!
}

/** ⌈n / m⌉, the rounds if no piece is ever computed twice. */
export function idealRounds (pieces: number, peers: number): number {
  return Math.ceil(pieces / peers)
}
