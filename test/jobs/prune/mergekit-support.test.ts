import { describe, expect, it } from 'vitest'
import { findMergekitProblem } from '../../../src/jobs/prune/mergekit-support.js'
import { keepLayers } from '../../../src/jobs/write-model/layer-numbers.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { runProgram } from '../../support/run-program.js'

const cut = (layers: number) => keepLayers(layers, [{ start: 1, end: 2 }])
const TYPES = ['sliding_attention', 'full_attention', 'sliding_attention']

describe('what mergekit would get wrong', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['olmo', {}, /no architecture file for olmo/],
    ['gemma3', {}, /takes no slices of a decoder that is part of another model, as in gemma3/],
    ['llama', { attention_bias: true }, /omits the tensors that attention_bias = true adds to llama models/],
    ['gemma', { tie_word_embeddings: false }, /tie_word_embeddings = false adds/],
    ['gemma2', { num_hidden_layers: 3, layer_types: TYPES }, /leaves layer_types of config.json/],
    ['glm4_moe', { num_hidden_layers: 3, first_k_dense_replace: 2 }, /leaves first_k_dense_replace/],
    ['qwen2', { use_sliding_window: true, max_window_layers: 2 }, /leaves max_window_layers/],
  ])('%s with %j', (family, config, problem) => {
    expect(findMergekitProblem(family, cut(3), config)).toMatch(problem)
  })

  it.each<[string, Record<string, unknown>]>([
    ['llama', { num_hidden_layers: 3, attention_bias: false }],
    ['qwen2', { num_hidden_layers: 3, max_window_layers: 2, use_sliding_window: false }],
    ['llama', {}],
  ])('nothing is known of %s with %j', (family, config) => {
    expect(findMergekitProblem(family, cut(3), config)).toBeUndefined()
  })
})

it('slice-config says that mergekit cannot make a cut, on stderr and in the YAML', async () => {
  const args = ['slice-config', '--model', fixtureFolder('olmo'), '--drop', '1:2']
  const { exitCode, stdout, stderr } = await runProgram(args)
  expect(exitCode).toBe(0)
  expect(stderr).toMatch(/^warning: mergekit 0\.1\.5 has no architecture file for olmo.*layerprune prune/)
  expect(stdout).toMatch(/^# mergekit 0\.1\.5 has no architecture file for olmo/m)
  expect(stdout).toContain('# layerprune prune makes this cut')
})
