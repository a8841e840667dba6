export { LayerpruneError, UsageError } from './errors.js'
export {
  measureSimilarity,
  PartialResultError,
  type SimilarityOptions,
  type SimilarityProgress,
} from './similarity/measure.js'
export type { Block, ScoredBlock, SimilarityResult, TokenSelection } from './similarity/result.js'
export { VERSION } from './version.js'
