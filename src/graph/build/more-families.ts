import type { Family } from './families.js'

/** Families beyond those that most people prune, each close to one of them. */
export const MORE_FAMILIES: Record<string, Family> = {}
