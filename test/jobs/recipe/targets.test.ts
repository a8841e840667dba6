import { expect, it } from 'vitest'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { findTargets, nameInTransformers } from '../../../src/jobs/recipe/targets.js'
import { describeDecoder } from '../../../src/model/builder/build-decoder.js'
import { fixtureFolder } from '../../support/fixture-model.js'

it.each([
  ['mamba', ['in_proj', 'x_proj', 'dt_proj'], []],
  ['mamba2', ['in_proj'], []],
  ['exaone', ['gate_proj', 'up_proj', 'down_proj'], []],
  ['dbrx', [], ['experts.mlp.w1', 'experts.mlp.v1', 'experts.mlp.w2']],
  [
    'afmoe',
    ['mlp.gate_proj', 'up_proj', 'down_proj', 'shared_experts.gate_proj'],
    ['experts.gate_up_proj', 'experts.down_proj'],
  ],
  ['nemotron-h', ['up_proj', 'down_proj'], ['experts.up_proj', 'experts.down_proj']],
  ['falcon-h1', ['gate_proj', 'up_proj', 'down_proj'], []],
])('an adapter of %s changes its MLPs, or what stands for them', async (name, modules, parameters) => {
  const folder = fixtureFolder(name)
  const [config, { tensors }] = await Promise.all([readModelConfig(folder), openSafetensors(folder)])
  const targets = findTargets(describeDecoder(config, tensors))
  expect(nameInTransformers(targets, config.family)).toEqual({ modules, parameters })
})
