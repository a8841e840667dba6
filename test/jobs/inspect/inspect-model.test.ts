import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { openModel, prepareModel } from '../../../src/engine/model.js'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { inspectModel } from '../../../src/jobs/inspect/inspect-model.js'
import { buildDecoder, describeDecoder } from '../../../src/model/builder/build-decoder.js'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const families = join(FIXTURES, 'families')
const example = join(EXAMPLES, 'model')

/** Numbers in a checkpoint, but for buffers that are computed anew when it is loaded and what the decoder leaves alone. */
async function countStored(folder: string): Promise<number> {
  const { tensors } = await openSafetensors(folder)
  const config = await readModelConfig(folder)
  const { extras } = describeDecoder(config, tensors)
  /** Of a decoder among other parts, in its layers alone: the other parts have such names too. */
  const isExtra = (name: string) =>
    (config.wrapper === null || name.includes('language_model.layers.')) && extras.some((extra) => extra.test(name))
  const used = buildDecoder(config, await openSafetensors(folder)).model.graph.initializer
  const isUsed = (name: string) => used.some((tensor) => tensor.name.startsWith(name))
  return [...tensors.values()]
    .filter(({ name }) => !/inv_freq|masked_bias|slope_rate|[.](attn|attention)\.bias$|act_fn\.(beta|eps)$/.test(name))
    .filter(({ name }) => isUsed(name) || !isExtra(name))
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
}

/** State spaces without an MLP. */
const MIXERS_ALONE = /^(falcon-mamba|mamba|mamba2)$/

describe('inspectModel', () => {
  const names = readdirSync(families, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

  it.each(names)('finds a part for every number of %s', async (name) => {
    const { parameters, model } = await inspectModel({ model: join(families, name) })
    const { attention, mixers, mlp, other, total, outside } = parameters!
    expect(total + outside).toBe(await countStored(join(families, name)))
    expect(outside > 0).toBe(model.wrapper !== null)
    expect(attention + mixers).toBeGreaterThan(0)
    expect(mlp > 0).toBe(!MIXERS_ALONE.test(name))
    expect(other, model.family).toBe(0)
  })

  it.each(['safetensors', 'onnx'] as const)('counts the example model from %s', async (format) => {
    const { parameters, analysis } = await inspectModel({ model: example, format })
    expect(analysis).toMatchObject({ possible: true, format, dtype: 'fp32' })
    const { embedding, attention, mlp, norms, other, head, total } = parameters!
    expect({ attention, mlp, norms, other }).toEqual({
      attention: 12 * (2 * 96 * 96 + 2 * 96 * 32),
      mlp: 12 * 3 * 96 * 224,
      norms: 12 * 2 * 96,
      other: 0,
    })
    const finalNorm = 96
    const tied = format === 'safetensors'
    expect(head).toBe(tied ? finalNorm : finalNorm + embedding)
    expect(total).toBe(1_132_896 + (tied ? 0 : embedding))
  })

  const asked = [undefined, 'fp32', 'bf16', 'fp16', 'q8', 'q4'] as const
  const models = [
    example,
    ...['families/llama', 'families/qwen3', 'families/gpt2-scaled', 'onnx/llama', 'onnx/fused-llama'].map((name) =>
      join(FIXTURES, name),
    ),
  ]
  it.each(models.flatMap((model) => asked.map((dtype) => ({ model, dtype }))))(
    'says of $model in $dtype what an analysis does, and makes nothing',
    async ({ model, dtype }) => {
      const home = makeTempFolder()
      vi.stubEnv('HF_HOME', home)
      onTestFinished(() => void vi.unstubAllEnvs())
      const { analysis, parameters } = await inspectModel({ model, dtype })
      expect(readdirSync(home)).toEqual([])
      const opened = await openModel({ model, dtype })
        .then((opened) => prepareModel(opened))
        .catch((error: LayerpruneError) => error)
      if (opened instanceof Error) {
        expect(opened).toBeInstanceOf(LayerpruneError)
        expect(analysis).toEqual({ possible: false, problem: opened.message, hint: opened.hint ?? null })
      } else {
        const { format, file, precision } = opened
        expect(analysis).toEqual({ possible: true, format, file, dtype: precision.dtype, packing: null })
        if (format === 'safetensors') expect(parameters!.total).toBe(await countStored(model))
      }
    },
  )

  it('says what stands in the way of an analysis', async () => {
    const { analysis, parameters, memory } = await inspectModel({ model: example, dtype: 'q4' })
    expect(analysis).toMatchObject({ possible: false, problem: expect.stringContaining('q4') })
    expect([parameters, memory]).toEqual([null, null])
  })
})
