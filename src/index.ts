export { LayerpruneError, UsageError } from './errors.js'
export { type SimilarityOptions, type SimilarityProgress, PartialResultError, measureSimilarity } from './similarity/measure.js'
export type { Block, ScoredBlock, SimilarityResult, TokenSelection } from './similarity/result.js'
export { VERSION } from './version.js'
