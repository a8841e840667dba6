/**
 * Whole-process time and peak memory of `layerprune prune` against mergekit with the same slices, in turn:
 *
 *   npm run build
 *   node bench/prune-against-mergekit.js --python VENV/bin/python [--model M] [--drop 11:19] [--runs 3]
 *
 * VENV has mergekit. Without --model, a random Llama of 1 GB in 6 shards is written to a temporary folder first
 * and layers 5..10 of 16 go. Prints each run, the medians and the ratio of the medians.
 */

import { randomFillSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { handOver, median } from './figures.js'
import { measureCommand } from './measure-command.js'
import { runLayerprune } from './run-layerprune.js'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    drop: { type: 'string' },
    python: { type: 'string' },
    runs: { type: 'string', default: '3' },
  },
})
if (!values.python || (values.model && !values.drop)) {
  console.error('error: --python is needed, and --drop with --model')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
const bin = fileURLToPath(new URL('../bin/layerprune.js', import.meta.url))
const model = values.model ?? makeModel(join(folder, 'model'))
const drop = values.drop ?? '5:11'
const yaml = join(folder, 'slice.yaml')
runLayerprune(['slice-config', '--model', model, '--drop', drop, '-o', yaml])

const outputs = { layerprune: join(folder, 'ours'), mergekit: join(folder, 'theirs') }
const commands = {
  layerprune: [process.execPath, bin, 'prune', '--model', model, '--drop', drop, '-o', outputs.layerprune, '--quiet'],
  mergekit: [
    join(dirname(values.python), 'mergekit-yaml'),
    yaml,
    outputs.mergekit,
    '--no-write-model-card',
    '--quiet',
    ...(values.model ? [] : ['--no-copy-tokenizer']),
  ],
}

const seconds = { layerprune: [], mergekit: [] }
const peakMegabytes = { layerprune: [], mergekit: [] }
try {
  for (let turn = 1; turn <= Number(values.runs); turn++) {
    for (const [name, command] of Object.entries(commands)) {
      rmSync(outputs[name], { recursive: true, force: true })
      const measured = measureCommand(values.python, command)
      seconds[name].push(measured.seconds)
      peakMegabytes[name].push(measured.peakMegabytes)
      console.log(
        `run ${turn}  ${name.padEnd(10)}  ${measured.seconds.toFixed(2)} s  peak ${measured.peakMegabytes.toFixed(0)} MB`,
      )
    }
  }
} finally {
  rmSync(folder, { recursive: true })
}
const [ours, theirs] = [median(seconds.layerprune), median(seconds.mergekit)]
console.log(`median  layerprune ${ours.toFixed(2)} s, mergekit ${theirs.toFixed(2)} s`)
console.log(`ratio   mergekit / layerprune = ${(theirs / ours).toFixed(1)}`)
const peaks = [median(peakMegabytes.layerprune), median(peakMegabytes.mergekit)]
handOver([
  {
    what: 'whole process',
    layerprune: `${ours.toFixed(2)} s`,
    other: `mergekit ${theirs.toFixed(2)} s`,
    ratio: (theirs / ours).toFixed(1),
  },
  {
    what: 'peak memory',
    layerprune: `${peaks[0].toFixed(0)} MB`,
    other: `mergekit ${peaks[1].toFixed(0)} MB`,
    ratio: (peaks[1] / peaks[0]).toFixed(1),
  },
])

/** Writes a Llama of 16 layers with random weights in bfloat16. */
function makeModel(folder) {
  const [layers, hidden, inner, vocabulary, shards] = [16, 1536, 4096, 16_000, 6]
  const shapes = {
    'self_attn.q_proj': [hidden, hidden],
    'self_attn.k_proj': [hidden, hidden],
    'self_attn.v_proj': [hidden, hidden],
    'self_attn.o_proj': [hidden, hidden],
    'mlp.gate_proj': [inner, hidden],
    'mlp.up_proj': [inner, hidden],
    'mlp.down_proj': [hidden, inner],
    input_layernorm: [hidden],
    post_attention_layernorm: [hidden],
  }
  const tensors = [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ...Array.from({ length: layers }, (_, layer) =>
      Object.entries(shapes).map(([name, shape]) => [`model.layers.${layer}.${name}.weight`, shape]),
    ).flat(),
    ['model.norm.weight', [hidden]],
    ['lm_head.weight', [vocabulary, hidden]],
  ]
  const perShard = Math.ceil(tensors.length / shards)
  const weightMap = {}
  mkdirSync(folder)
  for (let shard = 0; shard < shards; shard++) {
    const name = `model-0000${shard + 1}-of-0000${shards}.safetensors`
    const own = tensors.slice(shard * perShard, (shard + 1) * perShard)
    const header = { __metadata__: { format: 'pt' } }
    let end = 0
    for (const [tensor, shape] of own) {
      const bytes = 2 * shape.reduce((product, size) => product * size, 1)
      header[tensor] = { dtype: 'BF16', shape, data_offsets: [end, end + bytes] }
      weightMap[tensor] = name
      end += bytes
    }
    const json = JSON.stringify(header).padEnd(Math.ceil(JSON.stringify(header).length / 8) * 8)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(json.length))
    writeFileSync(join(folder, name), Buffer.concat([length, Buffer.from(json), randomFillSync(Buffer.alloc(end))]))
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: weightMap }))
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_size: hidden,
      intermediate_size: inner,
      num_hidden_layers: layers,
      num_attention_heads: 12,
      num_key_value_heads: 12,
      vocab_size: vocabulary,
      torch_dtype: 'bfloat16',
    }),
  )
  return folder
}
