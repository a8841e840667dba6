import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import type { ModelSource } from '../../files/checkpoint/model-source.js'
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

/** Rewritten, about the weights, of an adapter, or about a training run of the whole model. */
const NOT_COPIED = [
  /^(genai_)?config\.json$/,
  /^hf_quant_config\.json$/,
  /^adapter_config\.json$/,
  /\.index\.json$/,
  /^layerprune-(plan|texts)\.json$/,
  /^(trainer_state|all_results|train_results|eval_results)\.json$/,
]

const TEMPLATE_FOLDER = 'additional_chat_templates'

/**
 * Finds what is copied of a model beside its weights and configs, and provides it.
 * @throws LayerpruneError if a file is a link out of the model's folder
 */
export async function findCompanions(source: ModelSource): Promise<PlannedFile[]> {
  const wanted = await listCompanions(source)
  await source.provide(wanted)
  const files: PlannedFile[] = []
  for (const name of wanted) {
    const file = await resolveInside(source.folder, name)
    const stats = await stat(file)
    if (stats.isFile()) files.push({ name, parts: [{ file, offsetBytes: 0, sizeBytes: stats.size }] })
  }
  return files
}

/** Names of what is copied of a model beside its weights and configs. */
export async function listCompanions(source: ModelSource): Promise<string[]> {
  return (await listNames(source)).filter(isCompanion)
}

/**
 * The real path of a model's file whose content is copied. Links are followed inside the model's folder, from a
 * snapshot of the Hub's cache to its blobs, and to the folder that config.json is in, if that is a link itself: what
 * lies elsewhere is not meant to be published.
 * @throws LayerpruneError if it is a link to elsewhere, or to nothing
 */
export async function resolveInside(folder: string, name: string): Promise<string> {
  const path = join(folder, name)
  const found = await realpath(path).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'is a link that leads nowhere' : `cannot be read: ${cause.message}`
    throw new LayerpruneError(`${path} ${reason}`, { hint: 'remove it, or put the file in its place', cause })
  })
  const realFolder = await realpath(folder)
  const snapshots = dirname(realFolder)
  const blobs = join(dirname(snapshots), 'blobs')
  const allowed = [
    realFolder,
    ...(basename(snapshots) === 'snapshots' ? [await realpath(blobs).catch(() => blobs)] : []),
    ...(await listLinked(folder)),
  ]
  if (allowed.some((inside) => found.startsWith(inside + sep))) return found
  throw new LayerpruneError(`${path} is a link out of the model's folder, whose content would be copied`, {
    hint: 'put a copy in its place if it belongs to the model, or remove it',
  })
}

/** The folder of the model that a folder of links is a view of; none if its config.json is no link. */
async function listLinked(folder: string): Promise<string[]> {
  const config = await realpath(join(folder, 'config.json')).catch(() => undefined)
  return config === undefined ? [] : [dirname(config)]
}

/** A folder that the user named lists the names of folders; the Hub lists what is in them. */
async function listNames({ folder, names }: ModelSource): Promise<string[]> {
  if (!names.includes(TEMPLATE_FOLDER)) return names
  return [...names, ...(await readdir(join(folder, TEMPLATE_FOLDER))).map((name) => `${TEMPLATE_FOLDER}/${name}`)]
}

function isCompanion(name: string): boolean {
  if (name.startsWith(`${TEMPLATE_FOLDER}/`)) return true
  if (name.startsWith('.') || name.includes('/')) return false
  return COMPANIONS.some((pattern) => pattern.test(name)) && !NOT_COPIED.some((pattern) => pattern.test(name))
}
