// How a reader can take damaged files.

/** Counted in the table in this order; the first two are right. */
export const OUTCOMES = ['error', 'result', 'wrong', 'fault', 'crash', 'hang', 'memory']
export const isRight = (outcome) => OUTCOMES.indexOf(outcome) < 2

/** A success that should have been a refusal, or output that no output may be. */
export class WrongSuccess extends Error {}

/**
 * Whether two results tell the same, numbers to a millionth.
 * @param found, sound plain data
 */
export function isSame(found, sound) {
  if (typeof found === 'number' && typeof sound === 'number') {
    return found === sound || Math.abs(found - sound) <= 1e-6 * Math.max(1, Math.abs(sound))
  }
  if (typeof found !== 'object' || typeof sound !== 'object' || found === null || sound === null) {
    return found === sound
  }
  const keys = Object.keys(sound)
  return Object.keys(found).length === keys.length && keys.every((key) => isSame(found[key], sound[key]))
}
