import { readFile } from 'node:fs/promises'
import { assertRegularFile } from '../../base/regular-file.js'
import type { LocatedModel } from '../../engine/model.js'
import { openSafetensors, type TensorLocation } from '../../files/checkpoint/safetensors.js'
import { encodeTensors } from '../../files/weights/encode-tensors.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { findMissingPrefix } from '../../model/builder/build-decoder.js'
import { findCompanions, resolveInside } from '../write-model/companion-files.js'
import { type PlannedFile, textFile } from '../write-model/planned-file.js'
import { planSafetensors } from '../write-model/safetensors-files.js'
import { formatHealedCard, type HowMade } from './heal-card.js'
import type { HealFacts } from './heal-result.js'
import type { Parameters } from './optimizer.js'
import type { TrainedForm } from './trained-form.js'

/** Configs that are copied as they are. */
const CONFIGS = ['config.json', 'genai_config.json']

/** The files of a healed model: its own, with other values in the trained tensors, and a card. */
export async function planHealedModel(
  located: LocatedModel,
  replacements: ReadonlyMap<string, Replacement>,
  facts: HealFacts,
  made: HowMade,
): Promise<PlannedFile[]> {
  const { folder, source } = located
  const checkpoint = await openSafetensors(folder, source.names)
  const all = [...checkpoint.tensors.values()].map((tensor) => ({ name: tensor.name, source: tensor }))
  const names = CONFIGS.filter((name) => source.names.includes(name))
  await source.provide([...names, 'README.md'])
  const configs: PlannedFile[] = []
  for (const name of names) {
    const path = await resolveInside(folder, name)
    await assertRegularFile(path)
    configs.push({ name, parts: [new Uint8Array(await readFile(path))] })
  }
  return [
    ...(await planSafetensors(checkpoint, all, replacements)),
    ...configs,
    ...(await findCompanions(source)),
    textFile('README.md', await formatHealedCard(located, facts, made)),
  ]
}

/** The files of an adapter as PEFT loads it. */
export async function planAdapter(
  located: LocatedModel,
  { adapters, trained }: TrainedForm,
  parameters: Parameters,
  tensors: ReadonlyMap<string, TensorLocation>,
  facts: HealFacts,
  made: HowMade,
): Promise<PlannedFile[]> {
  const { form, list } = adapters!
  const prefix = findMissingPrefix(located.config, tensors)
  const matrices = new Map(
    trained.map(({ name, shape }): [string, Replacement] => [
      `base_model.model.${prefix}${name}`,
      { shape, data: parameters.get(name)! },
    ]),
  )
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: located.id,
    r: form.rank,
    lora_alpha: form.alpha,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: list.some(({ outputsFirst }) => !outputsFirst),
    inference_mode: true,
    target_modules: list.map(({ module }) => prefix + module),
  }
  return [
    { name: 'adapter_model.safetensors', parts: [encodeTensors(matrices, { format: 'pt' })] },
    textFile('adapter_config.json', `${JSON.stringify(config, null, 2)}\n`),
    textFile('README.md', await formatHealedCard(located, facts, made)),
  ]
}
