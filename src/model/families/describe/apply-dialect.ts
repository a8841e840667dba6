import type { Dialect } from '../../../files/checkpoint/dialect.js'
import type { Differences } from './differences.js'

/** Adjusts a family to how a GGUF file stores it: the same numbers in another order. */
export function applyDialect(differences: Differences, dialect: Dialect = {}): Differences {
  const { rope, norm, layout, transposed } = differences
  return {
    ...differences,
    ...(dialect.interleavesRope && rope && { rope: interleave(rope) }),
    ...(dialect.foldsNormOffset && { norm: { ...norm, weightOffset: 0 } }),
    transposed: dialect.transposesMatrices ? false : transposed,
    layout: dialect.stacksProjections ? 'qkv' : layout,
  }
}

function interleave(rope: NonNullable<Differences['rope']>): Differences['rope'] {
  return (layer, sizes) => {
    const own = rope(layer, sizes)
    return own && { ...own, interleaved: true }
  }
}
