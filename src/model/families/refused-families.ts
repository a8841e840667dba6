import { nameFlag } from '../../base/name-option.js'

/** Why a family cannot be read, and what to do instead. */
export interface Refusal {
  reason: string
  hint: string
}

const SEVERAL_STREAMS =
  'a token has several states side by side (hyper-connections), which each layer mixes: there is no single residual stream to compare'
const ONE_STREAM = 'only models with one residual stream can be measured'
const ONLY_DECODERS = 'only decoders (causal language models) can be read'
const IN_TURNS = 'only models that run each layer once can be measured'
const CUT_ONLY = `prune ${nameFlag('drop')} can cut its safetensors; to measure it, use an ONNX export`
const OTHER_FAMILY = 'take a model of a family that docs/models.md lists'

function refuseAll(names: string[], refusal: Refusal): [string, Refusal][] {
  return names.map((name) => [name, refusal])
}

function refuseEach(reasons: Record<string, string>, hint: string): [string, Refusal][] {
  return Object.entries(reasons).map(([name, reason]) => [name, { reason, hint }])
}

const ENCODERS = [
  'bert',
  'bert-generation',
  'big_bird',
  'camembert',
  'data2vec-text',
  'electra',
  'ernie',
  'megatron-bert',
  'reformer',
  'rembert',
  'roberta',
  'roberta-prelayernorm',
  'roc_bert',
  'roformer',
  'xlm',
  'xlm-roberta',
  'xlm-roberta-xl',
  'xlnet',
  'xmod',
]

const WITH_ENCODER = [
  'bart',
  'bigbird_pegasus',
  'blenderbot',
  'blenderbot-small',
  'marian',
  'mbart',
  'musicgen',
  'musicgen_decoder',
  'musicgen_melody',
  'musicgen_melody_decoder',
  'mvp',
  'pegasus',
  'plbart',
  'prophetnet',
  'trocr',
  'whisper',
]

const DRAFTERS = ['gemma4_assistant', 'gemma4_unified_assistant']

const WITH_LOOPS = ['dory', 'hrm_text', 'inkling2_loop_text']

/** Decoders that cannot be measured at all. */
const WITHOUT_ONE_STREAM: Record<string, string> = {
  deepseek_v4: SEVERAL_STREAMS,
  gemma3n_text:
    'a token has four states side by side (AltUp); each layer computes one and predicts the others: there is no single residual stream to compare',
  hy_v4: SEVERAL_STREAMS,
  inkling2_text:
    'its layers attend to the outputs of earlier blocks of layers: there is no single residual stream to compare',
  qwen4_exp: SEVERAL_STREAMS,
  qwen4_exp_text: SEVERAL_STREAMS,
}

/** Families whose layers cannot be described, although `prune` can cut them. */
const UNDESCRIBED: Record<string, string> = {
  axk2: 'its norms and its attention have gates',
  doge: 'its attention drops keys by a mask that it computes from their values',
  inkling_text:
    'its attention has biases that depend on the distance and the states of tokens, and convolutions follow attention and MLP',
  jetmoe: 'its attention has experts: each token chooses the products of its queries and of its output',
  lara_mini:
    'its linear attention is as in Qwen 3.5 with inputs in one matrix, its attention as in Qwen 3 with a rotary embedding in some layers',
  longcat_flash:
    'each of its layers has two attentions and two MLPs, and experts in parallel with the second attention',
  minimax_m3_vl_text: 'its attention sees only blocks of keys that an indexer chooses',
  'modernbert-decoder': 'its first layer has no norm, and its attention and MLPs are as in ModernBERT',
  xlstm: 'its layers have the memory cells of xLSTM instead of attention',
}

/** Families whose layers cannot be described, and that `prune` cannot cut either. */
const OUTLIERS: Record<string, string> = {
  beam: "the residual factors of a layer depend on the layer's number, and its attention has gates with biases",
  cohere_compass_text: 'its layers are as in Cohere 2, but each type of layer has its own rotary embedding',
  cpmant: 'its attention has biases that depend on the parts of a prompt, and the prompt is not causal',
  dots3_note: 'its layers have latent attention of different sizes, sparse in some layers',
  dots3_note_text: 'its layers have latent attention of different sizes, sparse in some layers',
  phi4_multimodal: 'its layers are as in Phi 3, with adapters for images and sound',
  rwkv: 'its layers have the recurrence of RWKV 4 instead of attention',
  zamba: 'its attention and Mamba of several heads share weights that are stored in one layer',
  zaya: "its routers read what the previous layer's router computed",
}

const REFUSED = new Map<string, Refusal>([
  ...refuseAll(ENCODERS, {
    reason: 'it is an encoder: tokens see the tokens that follow them',
    hint: ONLY_DECODERS,
  }),
  ...refuseAll(WITH_ENCODER, {
    reason: "its layers also attend to an encoder's states",
    hint: ONLY_DECODERS,
  }),
  ...refuseAll(DRAFTERS, {
    reason: 'it drafts tokens for another model and reads the states of that model',
    hint: 'take the model that it drafts for',
  }),
  ...refuseAll(WITH_LOOPS, { reason: 'some of its layers run several times for each token', hint: IN_TURNS }),
  ...refuseEach(WITHOUT_ONE_STREAM, ONE_STREAM),
  ...refuseEach(UNDESCRIBED, CUT_ONLY),
  ...refuseEach(OUTLIERS, OTHER_FAMILY),
  ...refuseAll(['qwen2_5_omni', 'qwen3_omni_moe'], {
    reason: 'its talker reads states of its thinker; only the thinker is a text decoder',
    hint: "save the thinker alone: load the model with transformers' class for it (...ThinkerForConditionalGeneration) and call save_pretrained",
  }),
  [
    'blt',
    {
      reason: 'it has three stacks of layers, for bytes, for patches of bytes, and for bytes again',
      hint: 'only models with one stack of layers can be measured',
    },
  ],
  ['emu3', { reason: 'its decoder was not compared with transformers', hint: OTHER_FAMILY }],
  ['fuyu', { reason: 'its decoder was not compared with transformers', hint: OTHER_FAMILY }],
  [
    'git',
    {
      reason: 'its tokens always see an image before the text, and it was never trained without one',
      hint: ONLY_DECODERS,
    },
  ],
  [
    'moshi',
    {
      reason: 'each of its tokens is sound and text at once, and a second decoder runs within each token',
      hint: 'take a text model',
    },
  ],
])

/** Why a family is refused; undefined if it is not known to be. */
export function findRefusal(modelType: string): Refusal | undefined {
  return REFUSED.get(modelType)
}
