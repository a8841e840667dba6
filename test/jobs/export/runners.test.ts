import { AutoModelForCausalLM } from '@huggingface/transformers'
import { describe, expect, it } from 'vitest'
import { readTable } from '../../../src/base/read-table.js'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { findWrittenArchitecture } from '../../../src/files/gguf/write/find-architecture.js'
import { exportModel } from '../../../src/jobs/export/export-model.js'
import { isKnownFamily } from '../../../src/jobs/export/transformers-js.js'
import { fixtureFolder, listFixtures } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const output = `${makeTempFolder()}/none`
const plan = (name: string, to: 'onnx' | 'gguf') =>
  exportModel({ model: fixtureFolder(name), to, dryRun: true, output })

describe('where docs/models.md says that exports run', () => {
  it.each(sample(listFixtures(), 6))(
    '%s is planned as ONNX, and transformers.js knows what it is said to',
    async (name) => {
      const { family } = await readModelConfig(fixtureFolder(name))
      expect((await plan(name, 'onnx')).knownToTransformersJs).toBe(isKnownFamily(family))
    },
  )

  it.each(sample(listFixtures(), 6))('%s is refused as GGUF if llama.cpp has no architecture for it', async (name) => {
    const { family } = await readModelConfig(fixtureFolder(name))
    const refusal = await plan(name, 'gguf').then(
      () => undefined,
      ({ message }: Error) => message,
    )
    const unknown = `models of the family ${family} cannot be written as GGUF`
    expect(refusal === unknown).toBe(findWrittenArchitecture(family) === undefined)
  })
})

it('transformers.js has the classes that the table lists, as installed', () => {
  const { MODEL_CLASS_MAPPINGS } = AutoModelForCausalLM as unknown as { MODEL_CLASS_MAPPINGS: [Map<string, string>] }
  expect(Object.fromEntries(MODEL_CLASS_MAPPINGS[0])).toEqual(
    readTable<{ classes: Record<string, string> }>('transformers-js-4.3').classes,
  )
})
