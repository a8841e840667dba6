import { isObject } from '../../../base/is-object.js'
import { QUANTIZATION_KEYS } from './read-packed.js'

/** In which ModelOpt states how weights are quantised; later versions state it in config.json too. */
export const MODELOPT_FILE = 'hf_quant_config.json'

/**
 * The content of config.json; if the weights are quantised and it does not say how, with what `hf_quant_config.json`
 * says.
 * @param stated content of that file; undefined if there is none
 */
export function withModelOpt(
  config: Record<string, unknown>,
  stated: Record<string, unknown> | undefined,
): Record<string, unknown> {
  const isStated = QUANTIZATION_KEYS.some((key) => isObject(config[key]))
  const settings = stated?.quantization
  // without an algorithm only the key-value cache is quantised
  if (isStated || !isObject(settings) || typeof settings.quant_algo !== 'string') return config
  const { quant_algo, kv_cache_quant_algo } = settings
  return { ...config, quantization_config: { quant_method: 'modelopt', quant_algo, kv_cache_quant_algo } }
}
