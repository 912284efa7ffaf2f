import {seededRandom} from '../../src/lib/seeded-random.js'

/** Chance that is the same for the same seed. */
export type Random = {
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number
  pick<T>(choices: readonly T[]): T
  chance(probability: number): boolean
  fraction(): number
}

export function randomOf(seed: number): Random {
  const fraction = seededRandom(Math.imul(seed, 0x9e3779b1))
  const integer = (min: number, max: number): number => min + Math.floor(fraction() * (max - min + 1))
  return {fraction, integer, pick: (choices) => choices[integer(0, choices.length - 1)]!, chance: (p) => fraction() < p}
}
