/** Defaults: blocks to check, texts to check on, and texts of the distances before those. */
export const DEFAULT_VERIFIED_BLOCKS = 8
export const DEFAULT_VERIFICATION_TEXTS = 32
export const VERIFIED_DISTANCE_TEXTS = 128
