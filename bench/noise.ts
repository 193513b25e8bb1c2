/** Bytes that do not compress: different for each seed (a positive integer), and the same each time. */
export function noise (seed: number, length: number): Buffer {
  const words = new Uint32Array(length / 4)
  let state = seed
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return Buffer.from(words.buffer)
}
