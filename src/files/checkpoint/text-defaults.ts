import { readTable } from '../../base/read-table.js'

type Sizes = [
  vocabulary: number,
  hidden: number,
  intermediateSize: number | null,
  layers: number,
  heads: number,
  positions: number,
]

interface TransformersFacts {
  /** Sizes that a `text_config` omits, by `model_type`: transformers 4 wrote only what differs from the class. */
  textSizes: Record<string, Sizes>
}

/** Sizes of a decoder that its `text_config` may omit, as keys of a config; nothing for an unknown `model_type`. */
export function textDefaults(modelType: string): Record<string, number> {
  const { textSizes } = readTable<TransformersFacts>('transformers-5.24')
  if (!Object.hasOwn(textSizes, modelType)) return {}
  const [vocabulary, hidden, intermediateSize, layers, heads, positions] = textSizes[modelType]!
  return {
    vocab_size: vocabulary,
    hidden_size: hidden,
    ...(intermediateSize === null ? {} : { intermediate_size: intermediateSize }),
    num_hidden_layers: layers,
    num_attention_heads: heads,
    max_position_embeddings: positions,
  }
}
