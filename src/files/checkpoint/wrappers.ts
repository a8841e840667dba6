/** Models of images, video or sound and text: a decoder of text beside towers that are never run here. */

import { isObject } from '../../base/is-object.js'
import { readTable } from '../../base/read-table.js'
import { findWrapper, type Wrapper } from './known-models.js'
import { QUANTIZATION_KEYS } from './packed/read-packed.js'

type Section = Record<string, unknown>

/** Keys whose value at the top comes before that in `text_config`. */
const FROM_TOP = ['architectures', 'dtype', 'torch_dtype', ...QUANTIZATION_KEYS]

/** The `model_type` of a model whose config holds a decoder's; null for a standalone decoder. */
export function nameWrapper(config: Section): string | null {
  const { model_type: type, text_config: text } = config
  if (!isObject(text) && findWrapper(type)?.isFlat === undefined) return null
  return typeof type === 'string' ? type : 'unknown'
}

/**
 * The config of the decoder inside a known wrapper, with the few keys that transformers takes from the top, and the
 * sizes that `text_config` omits if they are those of the decoder's class.
 * @param config content of config.json
 * @returns undefined if the wrapper is not known, or the config does not hold a decoder's
 */
export function readTextConfig(config: Section): Section | undefined {
  const wrapper = findWrapper(config.model_type)
  const stated = isObject(config.text_config) ? config.text_config : wrapper?.isFlat ? config : undefined
  if (wrapper === undefined || stated === undefined) return undefined
  const isNamed = !wrapper.isFixed && typeof stated.model_type === 'string'
  const modelType = isNamed ? String(stated.model_type) : wrapper.text
  const taken: Section = {
    ...Object.fromEntries(FROM_TOP.map((key) => [key, config[key] ?? stated[key]])),
    is_causal: stated.is_causal ?? config.is_causal,
    tie_word_embeddings: readTying(wrapper, config, stated),
    model_type: modelType,
  }
  const present = Object.entries(taken).filter(([, value]) => value !== undefined)
  return { ...textDefaults(modelType), ...stated, ...Object.fromEntries(present) }
}

/** @returns undefined if it is the decoder's class that decides */
function readTying({ tied }: Wrapper, config: Section, stated: Section): unknown {
  const top = config.tie_word_embeddings
  if (tied === 'never') return false
  if (tied === 'text') return top === true ? true : stated.tie_word_embeddings
  return top ?? tied
}

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
