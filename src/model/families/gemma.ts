import type { ConfigReader } from './config-reader.js'
import type { Family } from './family.js'
import { describeGemma, describeSandwichedGemma } from './family-bases.js'
import { allButEvery, readAttentionBias, rope } from './family-parts.js'
import { readLayerTypes, readPattern, readWindow, windowsOf } from './layer-types.js'

/** The Gemmas. */
export const GEMMA_FAMILIES: Record<string, Family> = {
  gemma: {
    title: 'Gemma 1, CodeGemma',
    notes: 'scaled embedding, norms of 1 + weight',
    describe: (config) => {
      const activation = config.text('hidden_act', 'gelu_pytorch_tanh')
      config.expect('hidden_activation', activation === 'gelu' ? 'gelu_pytorch_tanh' : activation)
      return {
        ...describeGemma(config),
        kvHeads: 16,
        bias: readAttentionBias(config),
        activationNames: { gelu: 'gelu_tanh' },
        rope: rope(config),
      }
    },
  },
  gemma2: {
    title: 'Gemma 2',
    notes: 'norms before and after attention and MLP, soft caps, a window in every other layer',
    describe: (config) => ({
      ...describeSandwichedGemma(config, 50, 30),
      rope: rope(config),
      window: readGemma2Windows(config),
    }),
  },
  vaultgemma: {
    title: 'VaultGemma 1B',
    notes: 'as Gemma 2 without the norms after attention and MLP',
    describe: (config) => ({
      ...describeSandwichedGemma(config, 50, 30),
      norms: { beforeMlp: 'pre_feedforward_layernorm' },
      rope: rope(config),
      window: readGemma2Windows(config),
    }),
  },
  gemma3_text: {
    title: 'Gemma 3 270M and 1B',
    notes: 'as Gemma 2 with norms on heads; layers with a window have a rope of their own',
    describe: (config) => {
      const types = readLayerTypes(config, allButEvery(readPattern(config, 6)))
      const full = rope(config, { theta: 1_000_000, layerType: 'full_attention' })
      const sliding = rope(config, {
        layerType: 'sliding_attention',
        keys: { theta: 'rope_local_base_freq' },
        scaled: false,
      })
      if (config.has('attn_logit_softcapping')) {
        throw config.refuse('attn_logit_softcapping', 'null: programs differ in whether Gemma 3 has caps')
      }
      return {
        ...describeSandwichedGemma(config, null, null),
        headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
        rope: (layer, sizes) => (types(layer) === 'full_attention' ? full : sliding)(layer, sizes),
        window: windowsOf(config, types, readWindow(config, 4096)),
      }
    },
  },
}

/** Some configs state the window twice. */
function readGemma2Windows(config: ConfigReader): (layer: number) => number | null {
  const window = readWindow(config, 4096)
  config.expect('sliding_window_size', window)
  return windowsOf(config, readLayerTypes(config, allButEvery(2)), window)
}
