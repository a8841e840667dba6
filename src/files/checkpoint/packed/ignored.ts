import { isObject } from '../../../base/is-object.js'
import { QUANTIZATION_KEYS } from './read-packed.js'

/**
 * Names what config.json quantises besides weights. Engines round it while the model runs; here it is not rounded.
 * @param config content of config.json
 */
export function listIgnoredQuantization(config: Record<string, unknown>): string[] {
  const settings = QUANTIZATION_KEYS.map((key) => config[key]).find(isObject)
  if (settings === undefined) return []
  const { config_groups: groups } = settings
  const ofGroups =
    isObject(groups) &&
    Object.values(groups).some((group) => isObject(group) && isObject(group.input_activations))
  const roundsActivations =
    ofGroups ||
    typeof settings.activation_scheme === 'string' ||
    settings.load_in_8bit === true ||
    /^(FP8|NVFP4)/.test(String(settings.quant_algo))
  const caches = [settings.kv_cache_scheme, settings.kv_cache_quant_algo]
  const roundsCaches = caches.some((scheme) => scheme !== undefined && scheme !== null)
  return [...(roundsActivations ? ['activations'] : []), ...(roundsCaches ? ['the key-value cache'] : [])]
}
