import { LayerpruneError } from '../errors.js'
import { isObject } from '../is-object.js'
import type { SafetensorsCheckpoint } from './safetensors.js'
import { quoteName } from './safetensors-header.js'

const HINT = 'use the checkpoint in float32, float16 or bfloat16 that it was made from'
/** gpt-oss was published in no other form. */
const MXFP4_HINT =
  'use a copy of the model in bfloat16: transformers writes one after from_pretrained(..., quantization_config=Mxfp4Config(dequantize=True))'

/** Tensors that only a quantised checkpoint has, by the end of their name. */
const QUANTIZED_TENSORS: Record<string, string> = {
  '.qweight': 'gptq or awq',
  '.qzeros': 'gptq or awq',
  '.weight_packed': 'compressed-tensors',
  '.weight_scale': 'fp8 or int8',
  '.weight_scale_inv': 'fp8',
  '.absmax': 'bitsandbytes',
  '.SCB': 'bitsandbytes',
  '.codebooks': 'aqlm',
  _proj_blocks: 'mxfp4',
}

/** Keys of config.json that say how weights are quantised. */
export const QUANTIZATION_KEYS = ['quantization_config', 'compression_config', 'quantization'] as const

/**
 * Refuses a checkpoint whose weights are not plain floating-point numbers: quantised by config.json's word, or
 * by a tensor's dtype or name.
 *
 * @param config  content of config.json
 * @throws LayerpruneError that names the method and where it was found
 */
export function assertPlainWeights(config: Record<string, unknown>, checkpoint: SafetensorsCheckpoint): void {
  for (const key of QUANTIZATION_KEYS) {
    const settings = config[key]
    if (settings === undefined || settings === null) continue
    throw refused(`config.json has ${key} ${describeMethod(settings)}`)
  }
  for (const { name, dtype } of checkpoint.tensors.values()) {
    if (/^F(4|6_|8_)/.test(dtype)) throw refused(`tensor ${quoteName(name)} is ${dtype}`)
    const suffix = Object.keys(QUANTIZED_TENSORS).find((end) => name.endsWith(end))
    if (suffix !== undefined) throw refused(`tensor ${quoteName(name)} is of ${QUANTIZED_TENSORS[suffix]}`)
  }
}

function refused(found: string): LayerpruneError {
  const hint = found.includes('mxfp4') ? MXFP4_HINT : HINT
  return new LayerpruneError(`the checkpoint is quantised, which cannot be read: ${found}`, { hint })
}

function describeMethod(settings: unknown): string {
  if (!isObject(settings)) return quoteName(String(settings))
  if (typeof settings.quant_method === 'string') return quoteName(settings.quant_method)
  if (settings.load_in_4bit === true || settings.load_in_8bit === true) return '"bitsandbytes"'
  return `of the keys ${Object.keys(settings).slice(0, 8).map(quoteName).join(', ')}`
}
