import { nameFlag } from '../../base/name-option.js'
/** Families that cannot be read, and why. */

/** What is known of a family that is refused. */
export interface Refusal {
  reason: string
  /** What can be done instead. */
  hint: string
}

const SEVERAL_STREAMS =
  'a token has several states side by side (hyper-connections), which each layer mixes: no single residual stream turns'
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

/** Decoders that no way of measuring fits. */
const WITHOUT_ONE_STREAM: Record<string, string> = {
  deepseek_v4: SEVERAL_STREAMS,
  gemma3n_text:
    'a token has four states side by side (AltUp), of which each layer computes one and predicts the others: no single residual stream turns',
  hy_v4: SEVERAL_STREAMS,
  inkling2_text:
    'its layers read the sums of earlier blocks of layers by attention over them: no single residual stream turns',
  qwen4_exp: SEVERAL_STREAMS,
  qwen4_exp_text: SEVERAL_STREAMS,
}

/** What layers have that cannot be described here, though `prune` can cut them. */
const UNDESCRIBED: Record<string, string> = {
  axk2: 'its norms and its attention have gates',
  doge: 'its attention drops keys by a mask that it computes from their values',
  inkling_text:
    'its attention has biases that depend on the distance of tokens and on their states, and convolutions follow attention and MLP',
  jetmoe: 'its attention has experts: each token chooses the products of its queries and of its output',
  lara_mini:
    'its linear attention is that of Qwen 3.5 with inputs in one matrix, its attention that of Qwen 3 with a rotary embedding in some layers',
  longcat_flash:
    'each of its layers has two attentions and two MLPs, and experts beside the second attention',
  minimax_m3_vl_text: 'its attention is sparse in blocks of keys, which an indexer chooses',
  'modernbert-decoder': 'its first layer has no norm, and its attention and MLPs are those of ModernBERT',
  xlstm: 'its layers have the memory cells of xLSTM instead of attention',
}

/** What layers have that `prune` cannot cut either. */
const OUTLIERS: Record<string, string> = {
  beam: 'the factors on what its layers add follow from their numbers, and its attention has gates with biases',
  cohere_compass_text:
    'its layers are those of Cohere 2, but each type of layer states a rotary embedding of its own',
  cpmant: 'its attention has biases that depend on the parts of a prompt, whose tokens see those that follow',
  dots3_note: 'its layers have latent attention of different sizes, which is sparse in some',
  dots3_note_text: 'its layers have latent attention of different sizes, which is sparse in some',
  phi4_multimodal: 'its layers are those of Phi 3 with adapters for images and sound',
  rwkv: 'its layers have the recurrence of RWKV 4 instead of attention',
  zamba: 'its attention and Mamba of several heads share weights that are stored in one layer',
  zaya: "its routers read what the previous layer's router computed",
}

const REFUSED = new Map<string, Refusal>([
  ...refuseAll(ENCODERS, {
    reason: 'it is an encoder, whose tokens see those that follow',
    hint: ONLY_DECODERS,
  }),
  ...refuseAll(WITH_ENCODER, {
    reason: "its layers also attend to an encoder's states",
    hint: ONLY_DECODERS,
  }),
  ...refuseAll(DRAFTERS, {
    reason: 'it drafts tokens for another model, whose states it reads',
    hint: 'take the model that it drafts for',
  }),
  ...refuseAll(WITH_LOOPS, { reason: 'some of its layers run several times for each token', hint: IN_TURNS }),
  ...refuseEach(WITHOUT_ONE_STREAM, ONE_STREAM),
  ...refuseEach(UNDESCRIBED, CUT_ONLY),
  ...refuseEach(OUTLIERS, OTHER_FAMILY),
  ...refuseAll(['qwen2_5_omni', 'qwen3_omni_moe'], {
    reason: 'its talker reads states of its thinker, which alone is a decoder of text',
    hint: "save the thinker by itself: load the model with transformers' class for it (...ThinkerForConditionalGeneration) and call save_pretrained",
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
      reason: 'its tokens see all of an image before them, without which it was never trained',
      hint: ONLY_DECODERS,
    },
  ],
  [
    'moshi',
    {
      reason: 'its tokens are those of sound and text at once, and a second decoder runs within each',
      hint: 'take a model of text',
    },
  ],
])

/** Why a family is refused; undefined if nothing is known of it. */
export function findRefusal(modelType: string): Refusal | undefined {
  return REFUSED.get(modelType)
}
