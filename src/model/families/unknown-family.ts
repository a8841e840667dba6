import { LayerpruneError } from '../../base/errors.js'
import { findWrapper } from '../../files/checkpoint/known-models.js'
import { findRefusal } from './refused-families.js'
import { FAMILIES } from './table.js'

/** Keys of mixers other than attention: state spaces, linear attention, recurrences, convolutions. */
const RECURRENT_KEY =
  /^(mamba|ssm|lru|linear_(num|key|value|attn))_|^(n_mamba_heads|state_size|conv_kernel|conv_L_cache|attention_hidden_size)$/

const DECODER = /(CausalLM|LMHeadModel|ForConditionalGeneration)$/

/** The error for a family that cannot be read, with a hint about what to do instead. */
export function unknownFamily(config: Record<string, unknown>, reason?: string): LayerpruneError {
  const family = typeof config.model_type === 'string' ? config.model_type : 'unknown'
  const refused = `config.json has the model_type ${JSON.stringify(family)}, which is not supported`
  const refusal = findRefusal(family)
  if (refusal !== undefined) {
    return new LayerpruneError(`${refused}: ${refusal.reason}`, { hint: refusal.hint })
  }
  const because = reason === undefined ? '' : ` (${reason})`
  return new LayerpruneError(
    `${refused}${because}; safetensors can be read for ${Object.keys(FAMILIES).sort().join(', ')}`,
    { hint: adviseOn(config) },
  )
}

/** Whether a wrapped decoder gives the same output on text as it does standalone. */
export function runsAlone(wrapper: string): boolean {
  const known = findWrapper(wrapper)
  return known !== undefined && known.refused === undefined
}

/** @throws LayerpruneError if the decoder inside a model of this `model_type` cannot be read */
export function assertRunsAlone(wrapper: string): void {
  if (runsAlone(wrapper)) return
  const refusal = findRefusal(wrapper)
  const reason =
    findWrapper(wrapper)?.refused ?? refusal?.reason ?? 'it is not known how it uses the decoder of its text_config'
  throw new LayerpruneError(
    `config.json has the model_type ${JSON.stringify(wrapper)}, which is not supported: ${reason}`,
    { hint: refusal?.hint ?? 'use an ONNX export of its decoder, or a text model' },
  )
}

function adviseOn(config: Record<string, unknown>): string {
  const { architectures, is_encoder_decoder: hasEncoder } = config
  const names: unknown[] = Array.isArray(architectures) ? architectures : []
  if (hasEncoder === true || (names.length > 0 && !names.some((name) => DECODER.test(String(name))))) {
    return 'only decoders (causal language models) can be read'
  }
  if (Object.keys(config).some((key) => RECURRENT_KEY.test(key)) && !isAllAttention(config.layer_types)) {
    return 'decoders with recurrent layers can be read only if their family is named above'
  }
  return 'use an ONNX export of the model'
}

/** Some models of a hybrid family have only attention, but their configs have the keys of state spaces too. */
function isAllAttention(layerTypes: unknown): boolean {
  return Array.isArray(layerTypes) && layerTypes.every((type) => /^(full_|sliding_)?attention$/.test(String(type)))
}
