/** Chance that is the same for the same seed. */
export type Random = {
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number
  pick<T>(choices: readonly T[]): T
  chance(probability: number): boolean
  fraction(): number
}

/** Mulberry32. */
export function randomOf(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (min: number, max: number): number => min + Math.floor(fraction() * (max - min + 1))
  return {fraction, integer, pick: (choices) => choices[integer(0, choices.length - 1)]!, chance: (p) => fraction() < p}
}
