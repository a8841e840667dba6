import { LayerpruneError } from '../../../base/errors.js'
import { isObject } from '../../../base/is-object.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import { readAwq } from './awq.js'
import { readBitsandbytes } from './bitsandbytes.js'
import { readCompressedTensors } from './compressed-tensors.js'
import { readFp8 } from './fp8.js'
import { readGptq } from './gptq.js'
import { readMlx } from './mlx.js'
import { readModelOpt } from './modelopt.js'
import { readMxfp4 } from './mxfp4.js'
import { RawTensors, refused } from './raw-tensors.js'
import { stored } from './scales.js'

type Section = Record<string, unknown>
type Tensors = ReadonlyMap<string, TensorLocation>

/** The quantisation settings of config.json, and their key. */
interface Settings {
  key: string
  settings: Section
}

/** Keys of config.json that say how weights are quantised. */
export const QUANTIZATION_KEYS = ['quantization_config', 'compression_config', 'quantization'] as const

/** Tensors that only a quantised checkpoint has, by the end of their name, of forms that can be read. */
const READABLE_TENSORS: Record<string, string> = {
  '.qweight': 'gptq or awq',
  '.qzeros': 'gptq or awq',
  '.weight_packed': 'compressed-tensors',
  '.weight_scale': 'fp8 or int8',
  '.weight_scale_inv': 'fp8',
  '.absmax': 'bitsandbytes',
  '.SCB': 'bitsandbytes',
  _proj_blocks: 'mxfp4',
}

/** The same of forms that cannot be read. */
const OTHER_TENSORS: Record<string, string> = {
  '.codebooks': 'aqlm',
  '.weight._data': 'quanto',
  '.weight._scale': 'quanto',
  '.weight_scales': 'eetq',
  '.W_q': 'hqq',
  '.Qidxs': 'quip',
}

export interface LogicalTensors {
  /** By the names that the model's code knows. */
  tensors: Map<string, TensorLocation>
  /** The form of those that are packed, in a word; null if all are plain numbers. */
  form: string | null
}

/**
 * Interprets the tensors of a checkpoint by the quantisation settings of its config.json.
 *
 * Settings for activations and cached keys and values are ignored: only weights are quantised here.
 * @param config content of config.json
 * @throws LayerpruneError if the method is not known, or tensors do not fit each other or the config
 */
export function readPackedTensors(config: Section, tensors: Tensors): LogicalTensors {
  const settings = findSettings(config)
  const raw = new RawTensors(tensors)
  const form = settings === undefined ? readDoubles(raw) : readQuantized(settings, raw)
  const logical = raw.logical()
  assertUnderstood(logical, settings !== undefined)
  return { tensors: logical, form }
}

function findSettings(config: Section): Settings | undefined {
  for (const key of QUANTIZATION_KEYS) {
    const settings = config[key]
    if (settings === undefined || settings === null) continue
    if (!isObject(settings)) throw refused(`config.json has ${key} ${quoteName(String(settings))}`)
    return { key, settings }
  }
  return undefined
}

/** The packed weights of a quantised checkpoint, and the name of their form. */
function readQuantized(found: Settings, raw: RawTensors): string {
  const { key, settings } = found
  switch (findMethod(found)) {
    case 'fp8':
    case 'fbgemm_fp8':
      readFp8(raw, readBlock(settings.weight_block_size))
      return 'fp8'
    case 'compressed-tensors':
      return readCompressedTensors(raw, settings)
    case 'modelopt':
      return readModelOpt(raw)
    case 'gptq':
      return readGptq(raw, settings)
    case 'awq':
      return readAwq(raw, settings)
    case 'bitsandbytes':
      return readBitsandbytes(raw)
    case 'mxfp4':
      return readMxfp4(raw)
    case 'mlx':
      return readMlx(raw, settings)
    default:
      throw refused(`config.json has ${key} ${describeMethod(settings)}`)
  }
}

/** The method by its name, or by the keys that only one has. */
function findMethod({ settings }: Settings): string | undefined {
  if (typeof settings.quant_method === 'string') return settings.quant_method
  if (settings.load_in_4bit === true || settings.load_in_8bit === true) return 'bitsandbytes'
  if (settings.quant_algo !== undefined) return 'modelopt'
  if (settings.group_size !== undefined && settings.bits !== undefined) return 'mlx'
  return undefined
}

function readBlock(size: unknown): number[] | undefined {
  if (size === undefined || size === null) return undefined
  const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0
  if (Array.isArray(size) && size.length === 2 && size.every(isSize)) return size
  throw refused(`config.json has weight_block_size ${quoteName(JSON.stringify(size))}, expected two sizes`)
}

/** Numbers in float64 are rounded to float32 as they are read. */
function readDoubles(raw: RawTensors): string | null {
  const doubles = raw.ofDtypes('F64')
  for (const tensor of doubles) raw.pack(tensor.name, tensor, stored(tensor))
  return doubles.length === 0 ? null : 'float64'
}

/**
 * @param isStated whether the config says how weights are quantised
 * @throws LayerpruneError if a tensor has a type or a name that only packed ones have
 */
function assertUnderstood(tensors: Tensors, isStated: boolean): void {
  for (const { name, dtype, expression } of tensors.values()) {
    if (expression !== undefined) continue
    const other = findForm(name, OTHER_TENSORS)
    if (other !== undefined) throw refused(`tensor ${quoteName(name)} is of ${other}`)
    const form = /^F(4|6_|8_)/.test(dtype) ? dtype : findForm(name, READABLE_TENSORS)
    if (form === undefined) continue
    throw isStated ? refused(`tensor ${quoteName(name)} is of ${form}`) : unstated(name, form)
  }
}

function findForm(name: string, forms: Record<string, string>): string | undefined {
  const suffix = Object.keys(forms).find((end) => name.endsWith(end))
  return suffix === undefined ? undefined : forms[suffix]
}

function unstated(name: string, form: string): LayerpruneError {
  return new LayerpruneError(
    `config.json does not say how the weights are quantised: tensor ${quoteName(name)} is of ${form}`,
    { hint: 'take config.json (and hf_quant_config.json, if there is one) from the folder of the weights' },
  )
}

function describeMethod(settings: Section): string {
  if (typeof settings.quant_method === 'string') return quoteName(settings.quant_method)
  return `of the keys ${Object.keys(settings).slice(0, 8).map(quoteName).join(', ')}`
}

/** What config.json quantizes besides weights, in words: engines round it while running; our results do not. */
export function listIgnoredQuantization(config: Record<string, unknown>): string[] {
  const settings = QUANTIZATION_KEYS.map((key) => config[key]).find(isObject)
  if (settings === undefined) return []
  const { config_groups: groups } = settings
  const ofGroups =
    isObject(groups) && Object.values(groups).some((group) => isObject(group) && isObject(group.input_activations))
  const roundsActivations =
    ofGroups ||
    typeof settings.activation_scheme === 'string' ||
    settings.load_in_8bit === true ||
    /^(FP8|NVFP4)/.test(String(settings.quant_algo))
  const caches = [settings.kv_cache_scheme, settings.kv_cache_quant_algo]
  const roundsCaches = caches.some((scheme) => scheme !== undefined && scheme !== null)
  return [...(roundsActivations ? ['activations'] : []), ...(roundsCaches ? ['the key-value cache'] : [])]
}
