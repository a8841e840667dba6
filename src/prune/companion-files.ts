import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelSource } from '../checkpoint/model-source.js'
import type { PlannedFile } from './planned-file.js'

/** Tokenizer, generation config, chat templates, licences, code of the model: what belongs to a model beside its weights. */
const COMPANIONS = [
  /\.json$/,
  /\.jinja$/,
  /\.model$/,
  /\.(txt|tiktoken|vocab|bpe)$/,
  /\.py$/,
  /^(licen[cs]e|notice|copying|use_policy|acceptable_use)/i,
]

/** Written anew, about the weights, or about a training run of the whole model. */
const NOT_COPIED = [
  /^(genai_)?config\.json$/,
  /\.index\.json$/,
  /^layerprune-plan\.json$/,
  /^(trainer_state|all_results|train_results|eval_results)\.json$/,
]

const TEMPLATE_FOLDER = 'additional_chat_templates'

/**
 * Finds what is copied of a model beside its weights and configs, and sees to it that it is there; links are
 * followed.
 */
export async function findCompanions(source: ModelSource): Promise<PlannedFile[]> {
  const { folder } = source
  const wanted = (await listNames(source)).filter(isCompanion)
  await source.provide(wanted)
  const files: PlannedFile[] = []
  for (const name of wanted) {
    const file = await realpath(join(folder, name))
    const stats = await stat(file)
    if (stats.isFile()) files.push({ name, parts: [{ file, offsetBytes: 0, sizeBytes: stats.size }] })
  }
  return files
}

/** A folder that the user named lists the names of folders; the Hub lists what is in them. */
async function listNames({ folder, names }: ModelSource): Promise<string[]> {
  if (!names.includes(TEMPLATE_FOLDER)) return names
  return [
    ...names,
    ...(await readdir(join(folder, TEMPLATE_FOLDER))).map((name) => `${TEMPLATE_FOLDER}/${name}`),
  ]
}

function isCompanion(name: string): boolean {
  if (name.startsWith(`${TEMPLATE_FOLDER}/`)) return true
  if (name.startsWith('.') || name.includes('/')) return false
  return COMPANIONS.some((pattern) => pattern.test(name)) && !NOT_COPIED.some((pattern) => pattern.test(name))
}
