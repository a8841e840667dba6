import { LayerpruneError } from '../../../base/errors.js'
import { isObject } from '../../../base/is-object.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'

export interface AdapterConfig {
  /** The model that it was trained on: a folder or a Hub id; null if it is not stated. */
  base: string | null
  /** Branch, tag or commit of a base on the Hub; null if it is not stated. */
  baseRevision: string | null
  /** Rank of a module's matrices, and what their product is multiplied by. */
  scaleOf(module: string): { rank: number; scale: number }
}

/** A LoRA adapter; only the headers of its weights were read. */
export interface Adapter {
  /** As the user named it. */
  id: string
  folder: string
  config: AdapterConfig
  /** Its weights, relative to the folder. */
  file: string
  /** Real path of its weights. */
  path: string
  tensors: ReadonlyMap<string, TensorLocation>
}

/** Keys that change nothing in what is computed, or only through the tensors. */
const HARMLESS = new Set([
  ...['auto_mapping', 'peft_version', 'task_type', 'inference_mode', 'runtime_config', 'ensure_weight_tying'],
  ...['target_modules', 'exclude_modules', 'layers_to_transform', 'layers_pattern', 'modules_to_save', 'bias'],
  ...['lora_dropout', 'megatron_config', 'megatron_core', 'eva_config', 'loftq_config', 'qalora_group_size'],
  // PEFT takes it from the kind of each layer
  'fan_in_fan_out',
])
const READ = new Set([
  ...['peft_type', 'base_model_name_or_path', 'revision', 'r', 'lora_alpha', 'use_rslora'],
  ...['rank_pattern', 'alpha_pattern', 'init_lora_weights'],
])
/** Beginnings of A and B that leave the base as it is. */
const INITS: unknown[] = [undefined, null, true, false, 'gaussian', 'eva', 'orthogonal']
/** A module's name or the end of one, as a regular expression that cannot take long. */
const PATTERN = /^\^?(?:[\w-]|\\?\.|\\d\+?)+$/

const HINT = 'merge the adapter into its base model with peft (merge_and_unload), and name the merged model'

export function refusedAdapter(what: string): LayerpruneError {
  return new LayerpruneError(what, { hint: HINT })
}

/**
 * @param config content of adapter_config.json
 * @param path how messages name the file
 * @throws LayerpruneError if it is of another kind than LoRA, or has a setting that is not supported
 */
export function interpretAdapterConfig(config: Record<string, unknown>, path: string): AdapterConfig {
  if (config.peft_type !== 'LORA') {
    throw refusedAdapter(`${path} has peft_type ${show(config.peft_type)}, expected "LORA"`)
  }
  if (!INITS.includes(config.init_lora_weights)) {
    throw refusedAdapter(
      `${path} has init_lora_weights ${show(config.init_lora_weights)}, which can change the base model`,
    )
  }
  for (const [key, value] of Object.entries(config)) {
    if (HARMLESS.has(key) || READ.has(key) || isOff(value)) continue
    throw refusedAdapter(`${path} has ${quoteName(key)} ${show(value)}, which is not supported`)
  }
  const ranks = readPattern(config.rank_pattern, 'rank_pattern', path)
  const alphas = readPattern(config.alpha_pattern, 'alpha_pattern', path)
  const usualRank = readNumber(config.r, 'r', path)
  const usualAlpha = readNumber(config.lora_alpha, 'lora_alpha', path)
  const isRootScaled = readFlag(config.use_rslora, 'use_rslora', path)
  return {
    base: readName(config.base_model_name_or_path, 'base_model_name_or_path', path),
    baseRevision: readName(config.revision, 'revision', path),
    scaleOf(module) {
      const rank = ranks(module) ?? usualRank
      const alpha = alphas(module) ?? usualAlpha
      return { rank, scale: alpha / (isRootScaled ? Math.sqrt(rank) : rank) }
    },
  }
}

function isOff(value: unknown): boolean {
  if (value === null || value === false) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** Numbers by the names of modules or their ends; of several that fit, the first counts. */
function readPattern(value: unknown, key: string, path: string): (module: string) => number | undefined {
  if (value === undefined || value === null) return () => undefined
  if (!isObject(value)) throw wrong(path, key, value, 'an object')
  const entries = Object.entries(value).map(([pattern, number]) => {
    if (!PATTERN.test(pattern)) {
      throw refusedAdapter(`${path} has ${key} for ${quoteName(pattern)}, expected the name of a module`)
    }
    return { end: new RegExp(`^(?:.*\\.)?(?:${pattern})$`), number: readNumber(number, key, path) }
  })
  return (module) => entries.find(({ end }) => end.test(module))?.number
}

function readNumber(value: unknown, key: string, path: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw wrong(path, key, value, 'a number above 0')
}

function readFlag(value: unknown, key: string, path: string): boolean {
  if (value === undefined || value === null) return false
  if (typeof value === 'boolean') return value
  throw wrong(path, key, value, 'true or false')
}

function readName(value: unknown, key: string, path: string): string | null {
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'string') return value
  throw wrong(path, key, value, 'a name')
}

function wrong(path: string, key: string, value: unknown, expected: string): LayerpruneError {
  return new LayerpruneError(`${path}: ${key} must be ${expected}, found ${show(value)}`, {
    hint: 'take adapter_config.json and the weights from the same adapter',
  })
}

function show(value: unknown): string {
  if (value === undefined) return 'not given'
  const json = JSON.stringify(value)
  return json.length > 120 ? `${json.slice(0, 120)}…` : json
}
