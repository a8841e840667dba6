/** How a GGUF file stores the weights of a family otherwise than its checkpoint does. Omitted parts are the same. */
export interface Dialect {
  /** Rows of queries and keys are in the order in which rope takes neighbours as pairs. */
  interleavesRope?: true
  /** Weights of norms hold the offset that the family adds. */
  foldsNormOffset?: true
  /** Matrices are [outputs, inputs], though the family has [inputs, outputs]. */
  transposesMatrices?: true
  /** One matrix has all queries, then all keys, then all values, though the family has them by head. */
  stacksProjections?: true
}
