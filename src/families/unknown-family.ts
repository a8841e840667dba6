import { findWrapper } from '../checkpoint/wrappers.js'
import { LayerpruneError } from '../errors.js'
import { FAMILIES } from './table.js'

/** Keys of mixers other than attention: state spaces, linear attention, recurrences, convolutions. */
const RECURRENT_KEY =
  /^(mamba|ssm|lru|linear_(num|key|value|attn))_|^(n_mamba_heads|state_size|conv_kernel|conv_L_cache|attention_hidden_size)$/

const DECODER = /(CausalLM|LMHeadModel|ForConditionalGeneration)$/

const SEVERAL_STREAMS =
  'a token has several states side by side (hyper-connections), which each layer mixes: no single residual stream turns'

/** Decoders that no way of measuring fits, and why. */
const WITHOUT_ONE_STREAM = new Map([
  ['deepseek_v4', SEVERAL_STREAMS],
  [
    'gemma3n_text',
    'a token has four states side by side (AltUp), of which each layer computes one and predicts the others: no single residual stream turns',
  ],
  ['hy_v4', SEVERAL_STREAMS],
])

/** What layers have that cannot be described here. */
const UNDESCRIBED = new Map([
  ['axk2', 'its norms and its attention have gates'],
  [
    'longcat_flash',
    'each of its layers has two attentions and two MLPs, and experts beside the second attention',
  ],
])

/** The error for a family that cannot be read, with a hint about what to do instead, if anything. */
export function unknownFamily(config: Record<string, unknown>, reason?: string): LayerpruneError {
  const family = typeof config.model_type === 'string' ? config.model_type : 'unknown'
  const known = reason ?? WITHOUT_ONE_STREAM.get(family) ?? UNDESCRIBED.get(family)
  const because = known === undefined ? '' : ` (${known})`
  return new LayerpruneError(
    `config.json has the model_type ${JSON.stringify(family)}, which is not supported${because}; safetensors can be read for ${Object.keys(FAMILIES).sort().join(', ')}`,
    {
      hint: WITHOUT_ONE_STREAM.has(family)
        ? 'only models with one residual stream can be measured'
        : adviseOn(config),
    },
  )
}

/** Whether the decoder inside a model of another kind computes on text alone what it does by itself. */
export function runsAlone(wrapper: string): boolean {
  const known = findWrapper(wrapper)
  return known !== undefined && known.refused === undefined
}

/** @throws LayerpruneError if the decoder inside a model of this `model_type` cannot be read */
export function assertRunsAlone(wrapper: string): void {
  if (runsAlone(wrapper)) return
  const reason = findWrapper(wrapper)?.refused ?? 'it is not known how it uses the decoder of its text_config'
  throw new LayerpruneError(
    `config.json has the model_type ${JSON.stringify(wrapper)}, which is not supported: ${reason}`,
    { hint: 'use an ONNX export of its decoder, or a model of text only' },
  )
}

function adviseOn(config: Record<string, unknown>): string {
  const { architectures, is_encoder_decoder: hasEncoder } = config
  const names: unknown[] = Array.isArray(architectures) ? architectures : []
  if (hasEncoder === true || (names.length > 0 && !names.some((name) => DECODER.test(String(name))))) {
    return 'only decoders (causal language models) can be read'
  }
  if (Object.keys(config).some((key) => RECURRENT_KEY.test(key)) && !isAllAttention(config.layer_types)) {
    return 'of decoders with recurrent layers, only the families named above can be read'
  }
  return 'use an ONNX export of the model'
}

/** A family of hybrids may have models without state spaces, whose configs have the keys of the others. */
function isAllAttention(layerTypes: unknown): boolean {
  return (
    Array.isArray(layerTypes) && layerTypes.every((type) => /^(full_|sliding_)?attention$/.test(String(type)))
  )
}
