import type { Differences } from './differences.js'
import type { Has } from './family.js'

/** Layers of one norm and one mixer, under the names of Mamba's authors. */
export function describePureMamba(has: Has): Differences {
  const isOld = has('backbone.embedding.weight') || has('embedding.weight')
  return {
    names: { embedding: isOld ? 'embedding' : 'embeddings', finalNorm: 'norm_f' },
    keys: { heads: null },
    norm: { key: 'layer_norm_epsilon', epsilon: 1e-5 },
    norms: { beforeMixer: 'norm', beforeMlp: null },
    parts: () => ({ mixer: true, mlp: false }),
  }
}

/** Names shared by Bamba, Falcon H1 and Jamba. */
export function describeBambaLayer(): Differences {
  return {
    kvHeads: 8,
    names: { finalNorm: 'final_layernorm', mlp: 'feed_forward' },
    norm: { epsilon: 1e-5 },
    norms: { beforeMlp: 'pre_ff_layernorm' },
  }
}
