/** Blocks that are checked, the texts that they are checked on, and those before that the distances are measured on. */
export const DEFAULT_VERIFIED_BLOCKS = 8
export const DEFAULT_VERIFICATION_TEXTS = 32
export const VERIFIED_DISTANCE_TEXTS = 128
