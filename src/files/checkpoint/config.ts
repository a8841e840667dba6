import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { readText } from '../../base/read-text.js'
import type { Dialect } from './dialect.js'
import { type DecoderFacts, findDecoderFacts } from './known-models.js'
import { otherForm } from './other-forms.js'
import { MODELOPT_FILE, withModelOpt } from './packed/modelopt-config.js'
import { toStrictJson } from './python-json.js'
import { nameWrapper, readTextConfig } from './wrappers.js'

const STORED_DTYPES = ['float32', 'float16', 'bfloat16'] as const

/** A dtype of plain weights, in PyTorch's and mergekit's words. */
export type StoredDtype = (typeof STORED_DTYPES)[number]

/** What a checkpoint's config says of the decoder, whatever the family calls it. */
export interface ModelConfig {
  /** `model_type` of the decoder, as config.json or genai_config.json states it. */
  family: string
  /** `model_type` at the top of the file: of the whole model. */
  modelType: string
  /** `model_type` of the multimodal model that wraps the decoder; null for a plain decoder. */
  wrapper: string | null
  layers: number
  hiddenSize: number
  heads: number
  /** Key and value heads; equal to `heads` if they are not grouped. */
  kvHeads: number
  headDim: number
  /** Longest text that the model's position encoding is made for; null if the config does not say. */
  maxPositions: number | null
  /** What the weights are stored in: float32, float16 or bfloat16; null if the config states none of these. */
  storedDtype: StoredDtype | null
  /** The decoder's own part of the file, as it was read. */
  raw: Record<string, unknown>
  /** What messages call the file that states it; config.json if omitted. */
  origin?: string
  /** How its weights are stored otherwise than those of its family. */
  dialect?: Dialect | undefined
  /** Keys that the user lets be ignored, though it is not known what they mean; none if omitted. */
  ignoredKeys?: readonly string[]
}

export interface ConfigFile {
  path: string
  content: Record<string, unknown>
}

/**
 * Reads `config.json` of a model folder, or `genai_config.json` if onnxruntime-genai's builder left only that.
 * What ModelOpt states in a file of its own is added.
 * @param names files of the model, to say what is there instead
 * @throws LayerpruneError if neither is there, or it is not a JSON object
 */
export async function readConfigFile(folder: string, names: string[] = []): Promise<ConfigFile> {
  const path = join(folder, 'config.json')
  const content = await readJsonObject(path)
  if (content) return { path, content: withModelOpt(content, await readJsonObject(join(folder, MODELOPT_FILE))) }
  const genaiPath = join(folder, 'genai_config.json')
  const genai = await readJsonObject(genaiPath)
  if (genai) return { path: genaiPath, content: flattenGenaiConfig(genai) }
  throw (
    otherForm(folder, names) ??
    new LayerpruneError(`${folder} has no config.json`, {
      hint: 'the model folder must hold config.json and tokenizer.json beside its weights, as on the Hub',
    })
  )
}

/** @throws LayerpruneError if the folder has no config or it does not state the decoder's sizes */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const { content, path } = await readConfigFile(folder)
  return interpretConfig(content, path)
}

export async function readJsonObject(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readText(path)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(toStrictJson(text))
    if (isObject(value)) return value
  } catch (cause) {
    const reason = (cause as Error).message.replace(/\s+/g, ' ')
    throw new LayerpruneError(`${path} is not valid JSON: ${reason}`, { cause })
  }
  throw new LayerpruneError(`${path} must hold a JSON object`)
}

/** The genai builder's config in the words of config.json. */
function flattenGenaiConfig(genai: Record<string, unknown>): Record<string, unknown> {
  const model = isObject(genai.model) ? genai.model : {}
  const decoder = isObject(model.decoder) ? model.decoder : {}
  return {
    ...decoder,
    head_dim: decoder.head_size,
    model_type: model.type,
    max_position_embeddings: model.context_length,
  }
}

/** The keys of a config that are the decoder's own: of a model with other parts, those of its text. */
export function decoderPart(config: Record<string, unknown>): Record<string, unknown> {
  const text = readTextConfig(config)
  if (text !== undefined) return text
  return isObject(config.text_config) ? { ...config, ...config.text_config } : config
}

const HINT = 'take config.json from the model it belongs to'

/** No model has so many layers; what the weights hold is the closer limit, once they are opened. */
const MOST_LAYERS = 100_000

/**
 * Reads the decoder's settings from the content of a config. Messages name it by `path`.
 * @throws LayerpruneError if it does not state the decoder's sizes
 */
export function interpretConfig(config: Record<string, unknown>, path: string): ModelConfig {
  const raw = decoderPart(config)
  const count = (...keys: string[]): number | undefined => {
    for (const key of keys) {
      const value = raw[key]
      if (value === undefined || value === null) continue
      if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
      throw new LayerpruneError(`${path}: ${key} must be a positive whole number, found ${JSON.stringify(value)}`, {
        hint: HINT,
      })
    }
    return undefined
  }
  const need = (...keys: string[]): number => {
    const value = count(...keys)
    if (value !== undefined) return value
    throw new LayerpruneError(`${path} does not state ${keys[0]}`, { hint: HINT })
  }
  const hiddenSize = need('hidden_size', 'n_embd', 'n_embed', 'd_model')
  const facts = findDecoderFacts(raw.model_type)
  const heads =
    facts.hasHeads === false ? 1 : need('num_attention_heads', 'n_head', 'n_heads', 'num_heads', 'attention_heads')
  const storedDtype = String(raw.dtype ?? raw.torch_dtype).replace(/^torch\./, '')
  const layers = countListedLayers(raw, facts) ?? need('num_hidden_layers', 'n_layer', 'n_layers', 'num_layers')
  if (layers > MOST_LAYERS) {
    throw new LayerpruneError(`${path} states ${layers} layers, expected at most ${MOST_LAYERS}`, {
      hint: HINT,
    })
  }
  const family = typeof raw.model_type === 'string' ? raw.model_type : 'unknown'
  const wrapper = nameWrapper(config)
  return {
    family,
    modelType: wrapper ?? family,
    wrapper,
    layers,
    hiddenSize,
    heads,
    kvHeads: keyValueHeads(raw, facts, count) ?? heads,
    headDim: latentHeadDim(count) ?? count('head_dim') ?? Math.floor(hiddenSize / heads),
    maxPositions: stretchesWithText(raw)
      ? null
      : (count('max_position_embeddings', 'n_positions', 'max_seq_len', 'max_sequence_length') ??
        facts.learntPositions ??
        null),
    storedDtype: STORED_DTYPES.find((name) => name === storedDtype) ?? null,
    raw,
  }
}

/** Size of a head of queries and keys in latent attention, whose config may state that of a part as `head_dim`. */
function latentHeadDim(count: (key: string) => number | undefined): number | undefined {
  const own = count('qk_nope_head_dim')
  const shared = count('qk_rope_head_dim')
  return own === undefined || shared === undefined ? undefined : own + shared
}

/** Dynamic NTK has a position encoding for texts of any length. */
function stretchesWithText(raw: Record<string, unknown>): boolean {
  return [raw.rope_parameters, raw.rope_scaling].some(
    (rope) => isObject(rope) && (rope.rope_type ?? rope.type) === 'dynamic',
  )
}

/** Layers of a config that names a kind for each; transformers 5 then writes no number beside the list. */
function countListedLayers(raw: Record<string, unknown>, { layerKinds = [] }: DecoderFacts): number | undefined {
  const kinds = layerKinds.map((key) => raw[key]).find((value) => value !== undefined && value !== null)
  return (Array.isArray(kinds) || typeof kinds === 'string') && kinds.length > 0 ? kinds.length : undefined
}

function keyValueHeads(
  raw: Record<string, unknown>,
  { flagsMultiQuery }: DecoderFacts,
  count: (...keys: string[]) => number | undefined,
): number | undefined {
  if (flagsMultiQuery && raw.new_decoder_architecture !== true) return raw.multi_query === false ? undefined : 1
  return count('num_key_value_heads', 'num_kv_heads', 'n_head_kv')
}
