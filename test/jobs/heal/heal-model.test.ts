import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Progress } from '../../../src/base/progress.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { readTensor } from '../../../src/files/weights/read-tensor.js'
import { evaluatePerplexity } from '../../../src/jobs/evaluate/perplexity.js'
import { healModel } from '../../../src/jobs/heal/heal-model.js'
import type { HealOptions } from '../../../src/jobs/heal/heal-work.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { fixtureFolder, ONE_THREAD } from '../../support/fixture-model.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const EVALUATION_TEXTS = 2

function optionsFor(model: string, changes: Partial<HealOptions> = {}): HealOptions {
  return {
    ...ONE_THREAD,
    model: fixtureFolder(model),
    dataset: TEXTS,
    output: join(makeTempFolder(), 'healed'),
    steps: 8,
    evaluateEvery: 3,
    evaluateSize: EVALUATION_TEXTS,
    maxLength: 16,
    rank: 4,
    learningRate: 0.02,
    warmupSteps: 2,
    ...changes,
  }
}

const readWeights = (output: string) => readFileSync(join(output, 'model.safetensors'))

it('writes a model that predicts the held-out texts as it says', async () => {
  const options = optionsFor('qwen2')
  const result = await healModel(options)
  const { before, after } = result.perplexity
  expect(after!).toBeLessThan(before!)
  const measure = (model: string) =>
    evaluatePerplexity({
      ...ONE_THREAD,
      model,
      dataset: TEXTS,
      datasetSize: EVALUATION_TEXTS,
      maxLength: 16,
      candidates: [],
    })
  expect((await measure(options.model)).perplexity).toBeCloseTo(before!, 3)
  expect((await measure(options.output)).perplexity).toBeCloseTo(after!, 3)
  expect(result.curve.map(({ step }) => step)).toEqual([0, 3, 6, 8])
  expect(Math.exp(result.curve[0]!.heldOutLoss)).toBeCloseTo(before!, 2)
  expect(readFileSync(join(options.output, 'README.md'), 'utf8')).toContain(`| after | ${after!.toFixed(2)} |`)
  expect(existsSync(`${options.output}.layerprune-training`)).toBe(false)
})

it('changes the weights of the modules, and nothing else', async () => {
  const options = optionsFor('phi3', { targets: ['gate_up_proj'] })
  const { trained } = await healModel(options)
  const [own, healed] = await Promise.all([options.model, options.output].map((folder) => openSafetensors(folder)))
  expect(trained.modules).toHaveLength(3)
  for (const [name, location] of own!.tensors) {
    const isSame = Buffer.from(await bytesOf(location)).equals(await bytesOf(healed!.tensors.get(name)!))
    expect([name, isSame]).toEqual([name, !trained.modules.includes(name.replace('.weight', ''))])
  }
})

async function bytesOf(location: Parameters<typeof readTensor>[0]): Promise<Buffer> {
  const { buffer, byteOffset, byteLength } = await readTensor(location)
  return Buffer.from(buffer, byteOffset, byteLength)
}

it('whole matrices are trained too', async () => {
  const options = optionsFor('llama', { rank: undefined, wholeMatrices: true, targets: ['2.mlp.down_proj'] })
  const { perplexity, trained } = await healModel({ ...options, learningRate: 0.01 })
  const inRuns = { ...options, learningRate: 0.01, layersAtOnce: 1, output: `${options.output}-in-runs` }
  expect((await healModel(inRuns)).perplexity.after).toBeCloseTo(perplexity.after!, 3)
  expect(trained).toEqual({ modules: ['model.layers.2.mlp.down_proj'], adapters: null, parameters: 32 * 48 })
  expect(perplexity.after!).toBeLessThan(perplexity.before!)
})

it('learns from a teacher', async () => {
  const options = optionsFor('llama', { teacher: fixtureFolder('qwen2'), steps: 4 })
  const { teacher, curve, steps } = await healModel(options)
  expect([teacher, steps]).toEqual([options.teacher, 4])
  // the divergence from a teacher, unlike the loss of the next token, is near zero if both are alike
  const own = await healModel({ ...options, teacher: options.model, output: `${options.output}-own` })
  expect(own.curve.at(-1)!.trainingLoss!).toBeLessThan(1e-4)
  expect(curve.at(-1)!.trainingLoss!).toBeGreaterThan(0.1)
})

it('learns the states of a teacher too, where the plan of the cut puts them', async () => {
  const model = join(makeTempFolder(), 'pruned')
  const plan = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
  await pruneModel({ model: fixtureFolder('llama'), plan, output: model })
  const options = { ...optionsFor('llama'), model, teacher: fixtureFolder('llama'), steps: 2 }
  const heal = async (teacherStates: number | undefined) => {
    const { curve } = await healModel({ ...options, output: `${model}-${teacherStates}`, teacherStates })
    return curve.at(-1)!.trainingLoss!
  }
  const [alone, withStates, twice] = [await heal(undefined), await heal(1e-3), await heal(2e-3)]
  expect(withStates).toBeGreaterThan(alone)
  expect((twice - alone) / (withStates - alone)).toBeCloseTo(2, 1)
  await expect(healModel({ ...options, teacher: model, teacherStates: 1 })).rejects.toThrow('is not the model that')
})

it('writes an adapter for PEFT', async () => {
  const notes: string[] = []
  const options = optionsFor('gpt2', {
    ...{ adapter: true, steps: 1, dtype: 'bf16', maxMemory: 1e9 },
    onNote: (note) => notes.push(note),
  })
  await healModel(options)
  expect(notes).toContainEqual(expect.stringMatching(/^the training takes about \d+ MB of memory$/))
  expect(readdirSync(options.output).sort()).toEqual([
    'README.md',
    'adapter_config.json',
    'adapter_model.safetensors',
    'layerprune-texts.json',
  ])
  await healModel({ ...options, force: true })
  const config = JSON.parse(readFileSync(join(options.output, 'adapter_config.json'), 'utf8'))
  expect(config).toMatchObject({ peft_type: 'LORA', r: 4, lora_alpha: 4, fan_in_fan_out: true })
})

it('trains an adapter of packed weights, which stay as they are', async () => {
  const model = makeTempFolder()
  cpSync(join(FIXTURES, 'packed', 'awq'), model, { recursive: true })
  cpSync(join(fixtureFolder('llama'), 'tokenizer.json'), join(model, 'tokenizer.json'))
  cpSync(join(fixtureFolder('llama'), 'tokenizer_config.json'), join(model, 'tokenizer_config.json'))
  const options = { ...optionsFor('llama'), model }
  await expect(healModel(options)).rejects.toThrow('nothing can be merged into them')
  const { perplexity } = await healModel({ ...options, adapter: true })
  expect(perplexity.after!).toBeLessThan(perplexity.before!)
  const adapted = await evaluatePerplexity({
    ...{ ...ONE_THREAD, model: options.output, base: model, tokenizer: model },
    ...{ dataset: TEXTS, datasetSize: EVALUATION_TEXTS, maxLength: 16, candidates: [] },
  })
  expect(adapted.perplexity).toBeCloseTo(perplexity.after!, 1)
})

const END = new Error('the process ended')

/** Ends a run after a step, as if the process had been killed there. */
function endAfter(step: number): HealOptions['onProgress'] {
  return (progress) => {
    if (stepTaken(progress) === step) throw END
  }
}

/** The number of the step after which progress is reported; undefined if something else is reported. */
function stepTaken({ phase, done, detail }: Progress): number | undefined {
  return phase === 'training' && detail?.startsWith('loss') ? done : undefined
}

it('Ctrl-C keeps the steps that were taken', async () => {
  const controller = new AbortController()
  const options = optionsFor('llama')
  const stop: HealOptions['onProgress'] = (progress) => {
    if (stepTaken(progress) === 4) controller.abort()
  }
  const stopped = healModel({ ...options, signal: controller.signal, onProgress: stop })
  await expect(stopped).rejects.toThrow('interrupted after 4 steps; `resume` continues from there')
  const steps = new Set<number | undefined>()
  await healModel({
    ...options,
    resume: true,
    onProgress: (progress) => steps.add(stepTaken(progress)),
  })
  expect([...steps].filter(Number.isInteger)).toEqual([4, 5, 6, 7, 8])
})

it('Ctrl-C during a measurement keeps the steps before it, and the measurement is made again', async () => {
  const controller = new AbortController()
  const options = optionsFor('llama', { microBatchSize: 1 })
  const stop: HealOptions['onProgress'] = ({ detail }) => {
    if (detail === 'measuring held-out texts') controller.abort()
  }
  const stopped = healModel({ ...options, signal: controller.signal, onProgress: stop })
  await expect(stopped).rejects.toThrow('interrupted after 3 steps; `resume` continues from there')
  const resumed = await healModel({ ...options, resume: true })
  const whole = await healModel({ ...options, output: `${options.output}-whole` })
  expect(resumed.curve).toEqual(whole.curve)
  expect(readWeights(options.output).equals(readWeights(`${options.output}-whole`))).toBe(true)
})

it('is not continued with other settings or texts', async () => {
  const options = optionsFor('llama')
  await expect(healModel({ ...options, onProgress: endAfter(3) })).rejects.toBe(END)
  const resume = (changes: Partial<HealOptions>) => healModel({ ...options, ...changes, resume: true })
  await expect(healModel(options)).rejects.toThrow('holds the state of a stopped training')
  await expect(resume({ learningRate: 0.5 })).rejects.toThrow('`learningRate` was 0.02 and is 0.5')
  await expect(resume({ shuffle: 3 })).rejects.toThrow('the text to train on is not that of the stopped run')
})

it('is not continued with a model of the same size and other weights', async () => {
  const model = join(makeTempFolder(), 'model')
  cpSync(fixtureFolder('llama'), model, { recursive: true })
  const options = { ...optionsFor('llama'), model }
  await expect(healModel({ ...options, onProgress: endAfter(3) })).rejects.toBe(END)
  const weights = readWeights(model)
  weights[weights.length - 1]! ^= 1
  writeFileSync(join(model, 'model.safetensors'), weights)
  await expect(healModel({ ...options, resume: true })).rejects.toThrow(
    'the training cannot be resumed: the model is not that of the stopped run',
  )
})

it.each([
  ['mixtral', {}, 'models with experts cannot be trained here'],
  ['llama', { targets: ['up_prj'] }, 'the checkpoint has no module up_prj to train'],
  ['llama', { resume: true }, 'there is no training to resume'],
  ['llama', { wholeMatrices: true }, '`rank` and `alpha` cannot be combined with `wholeMatrices`'],
  ['llama', { dtype: 'bf16' }, 'stores its matrices in fp32, but `dtype: bf16` was given'],
  ['llama', { maxMemory: 1e8 }, '100 MB of memory is too little: to train this model on 4 sequences'],
  ['llama', { maxMemory: 1e9, layersAtOnce: 1 }, '`maxMemory` and `layersAtOnce` exclude each other'],
  ['llama', { maxLength: 1 }, 'max length must be at least 2'],
  ['llama', { teacherStates: 1 }, '`teacherStates` requires `teacher`'],
  ['llama', { teacher: fixtureFolder('llama'), teacherStates: 1 }, 'has no layerprune-plan.json'],
  ['llama', { teacher: fixtureFolder('apertus1p5') }, 'the teacher has 301 logits per token'],
  ['mamba', {}, 'gradients cannot pass through the operator'],
  [
    'llama',
    { evaluateSize: 4, datasetSize: 4 },
    'all 4 texts of `datasetSize` are measured on, and none is left to train on',
  ],
  ['llama', { evaluateSize: 100 }, 'holds fewer than 16 tokens to train on'],
])('%s with %j: %s', async (model, changes, message) => {
  await expect(healModel(optionsFor(model, changes as Partial<HealOptions>))).rejects.toThrow(message)
})
