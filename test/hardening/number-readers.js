// Numbers that a model cannot have: NaN and Inf in its weights, counts that its files do not bear out, ids of no token.
import { toStrictJson } from '../../dist/files/checkpoint/python-json.js'
import { evaluatePerplexity, inspectModel, planLayers, STRATEGIES } from '../../dist/index.js'
import { measure } from './measure.js'
import { mutateIds, mutateNumbers } from './mutate-json.js'
import { mutateToNotFinite } from './mutate-weights.js'
import { families, llama, TEXTS } from './sound-files.js'

const RUN = { dataset: TEXTS, datasetSize: 3, maxLength: 16, threads: 1 }

/** Checkpoints whose weights are stored in half the bits, by the dtype that keeps them so. */
const STORED = { bfloat16: 'bf16', float16: 'fp16' }
const storedDtypeOf = (files) => {
  const { dtype, torch_dtype: old } = JSON.parse(toStrictJson(`${files['config.json']}`))
  return STORED[dtype ?? old]
}

const weightsOf = (files) => Object.keys(files).find((name) => name.endsWith('.safetensors'))
const withDamage = (damaged, of = families) =>
  Object.fromEntries(Object.entries(of).map(([name, files]) => [name, { files, damaged: damaged(files) }]))

const notFinite = (read, variants = withDamage(weightsOf)) => ({
  variants,
  mutate: mutateToNotFinite,
  read,
  compare: true,
})

async function plan(folder, strategy) {
  const options = { ...RUN, model: folder, layersToSkip: 1, verifySize: 3 }
  const { removed, scores } = await planLayers({ ...options, strategy })
  return { removed, scores }
}

async function evaluate(folder, options = {}) {
  const candidates = [[{ start: 1, end: 2 }]]
  const { perplexity, candidates: cut } = await evaluatePerplexity({
    ...RUN,
    ...options,
    model: folder,
    candidates,
  })
  return { perplexity, cut }
}

async function inspectAndOpen(folder) {
  await inspectModel({ model: folder })
  await measure(folder)
}

export function makeNumberReaders() {
  const stored = Object.entries(families).filter(([, files]) => storedDtypeOf(files))
  const strategies = Object.fromEntries(
    STRATEGIES.filter((name) => name !== 'task').map((name) => [name, { files: llama, damaged: 'model.safetensors' }]),
  )
  return {
    'NaN or Inf in a weight': notFinite((folder) => measure(folder)),
    'NaN or Inf in a weight, q8': {
      ...notFinite((folder) => measure(folder, { dtype: 'q8' })),
      mayRefuse: true,
    },
    'NaN or Inf in a weight, as stored': notFinite(
      (folder, name) => measure(folder, { dtype: storedDtypeOf(families[name]) }),
      withDamage(weightsOf, Object.fromEntries(stored)),
    ),
    'NaN or Inf in a weight, planned': notFinite(plan, strategies),
    'NaN or Inf in a weight, evaluated': notFinite((folder) => evaluate(folder)),
    'NaN or Inf in a weight, evaluated in q8': {
      ...notFinite((folder) => evaluate(folder, { dtype: 'q8' })),
      mayRefuse: true,
    },
    'numbers in a config': {
      variants: withDamage(() => 'config.json'),
      mutate: mutateNumbers,
      read: inspectAndOpen,
    },
    'token ids': {
      variants: withDamage(() => 'tokenizer.json', { llama }),
      mutate: mutateIds,
      read: (folder) => measure(folder),
      compare: true,
    },
  }
}
