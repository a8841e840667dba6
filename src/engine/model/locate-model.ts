import { join, posix } from 'node:path'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import type { Adapter } from '../../files/checkpoint/adapter/adapter-config.js'
import { isAdapter, openAdapter } from '../../files/checkpoint/adapter/open-adapter.js'
import type { WeightOptions } from '../../files/checkpoint/choose-weights.js'
import { decoderPart, interpretConfig, type ModelConfig, readConfigFile } from '../../files/checkpoint/config.js'
import { findGguf, findParts } from '../../files/checkpoint/gguf-names.js'
import { type ModelSource, type ModelSourceOptions, readModelName } from '../../files/checkpoint/model-source.js'
import { openModelSource } from '../../files/checkpoint/open-model-source.js'
import { ADAPTER_FILE } from '../../files/checkpoint/other-forms.js'
import { MODELOPT_FILE } from '../../files/checkpoint/packed/modelopt-config.js'
import { type GgufDecoder, readGgufDecoder } from '../../files/gguf/config.js'
import { type GgufFile, openGguf } from '../../files/gguf/gguf-file.js'
import { isOnlyOnHub } from '../../files/hub/only-on-hub.js'
import { isKnownFamily } from '../../model/builder/build-decoder.js'
import { unknownFamily } from '../../model/families/unknown-family.js'

export interface ModelOptions extends ModelSourceOptions, WeightOptions {}

/** A model whose config was read; its weights are not chosen yet. */
export interface LocatedModel {
  /** As the user named it. */
  id: string
  /** Commit of the Hub; null for a folder that the user named. */
  revision: string | null
  /** Branch, tag or commit that was asked for; null if none was. */
  askedRevision: string | null
  /** The adapter that is merged into its weights as they are read; its own folder and id are those of the adapter. */
  adapter?: LocatedAdapter
  /** Real folder of its files. */
  folder: string
  /** Folder of the tokenizer, or the GGUF file that holds it. */
  tokenizer: string
  config: ModelConfig
  /** The GGUF file that its config was read from. */
  gguf?: LocatedGguf
  /** Where its files are; its config is in the folder. */
  source: ModelSource
}

/** An adapter and the model that it is merged into. */
export interface LocatedAdapter extends Adapter {
  /** The base as it was named, by the user or by adapter_config.json. */
  base: string
  /** Commit of a base on the Hub; null for a folder. */
  baseRevision: string | null
}

/** A model in a GGUF file, which is its config, its weights and its tokenizer. */
export interface LocatedGguf {
  /** Name of its first part, relative to the folder. */
  name: string
  file: GgufFile
  decoder: GgufDecoder
}

const CONFIG_FILES = ['config.json', 'genai_config.json', 'generation_config.json', MODELOPT_FILE]
export const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
]

/**
 * Finds a model and reads its config; of a model on the Hub nothing else is downloaded.
 * @throws UsageError if a revision is asked for but the model is a folder, or a key is to be ignored that is not there
 * @throws LayerpruneError if the model or its config is missing or damaged
 */
export async function locateModel(options: ModelOptions): Promise<LocatedModel> {
  const named = await openModelSource(options)
  const { id, revision } = named
  const { source, adapter } = await locateBase(named, options)
  const { folder } = source
  const name = findGguf({ ...source, ...options })
  const askedRevision = readModelName(options).revision ?? null
  const shared = { id, revision, askedRevision, folder, source, ...(adapter && { adapter }) }
  const tokenizer = (await locateTokenizer(options)) ?? (adapter && (await locateAdaptersTokenizer(named)))
  if (name !== undefined) {
    const gguf = await locateGguf(source, name)
    const config = ignoreKeys(interpretGguf(gguf, join(folder, name)), options)
    return { ...shared, tokenizer: tokenizer ?? join(folder, name), config, gguf }
  }
  await source.provide(CONFIG_FILES)
  const config = ignoreKeys(await readConfig(source), options)
  return { ...shared, tokenizer: tokenizer ?? folder, config }
}

/**
 * The model that is run: the one that is named, or the base of an adapter.
 * @throws UsageError if a base is given for a model that is no adapter
 * @throws LayerpruneError if the adapter or its base is missing, damaged or not supported
 */
async function locateBase(
  named: ModelSource,
  { base, signal, onNote, onDownload }: ModelOptions,
): Promise<{ source: ModelSource; adapter?: LocatedAdapter }> {
  if (!isAdapter(named.names)) {
    if (base === undefined) return { source: named }
    throw new UsageError(`${nameOption('base', base)} was given, but ${named.id} is no adapter`)
  }
  const adapter = await openAdapter(named)
  const model = base ?? adapter.config.base
  if (model === null) {
    throw new LayerpruneError(`${ADAPTER_FILE} of ${named.id} does not name its base model`, {
      hint: 'name it with `base`, a folder or a Hub id',
    })
  }
  const stated = base === undefined && (await isOnlyOnHub(model)) ? adapter.config.baseRevision : null
  const source = await openModelSource({
    model,
    revision: stated ?? undefined,
    signal,
    onNote,
    onDownload,
  }).catch((cause: LayerpruneError) => {
    throw new LayerpruneError(`the base model of the adapter ${named.id}: ${cause.message}`, {
      hint: 'name the model that the adapter was trained on with `base`, a folder or a Hub id',
      cause,
    })
  })
  if (isAdapter(source.names)) {
    throw new LayerpruneError(`the base model ${model} of the adapter ${named.id} is itself an adapter`, {
      hint: 'merge one of the two with peft (merge_and_unload)',
    })
  }
  return { source, adapter: { ...adapter, base: model, baseRevision: source.revision } }
}

/** The folder of an adapter if it has a tokenizer of its own. */
async function locateAdaptersTokenizer({ names, folder, provide }: ModelSource): Promise<string | undefined> {
  if (!names.includes('tokenizer.json')) return undefined
  await provide(TOKENIZER_FILES)
  return folder
}

/** Where the tokenizer is that the user names; undefined if it is the model's own. */
async function locateTokenizer(options: ModelOptions): Promise<string | undefined> {
  if (options.tokenizer === undefined) return undefined
  const { signal, onNote, onDownload } = options
  const source = await openModelSource({ model: options.tokenizer, signal, onNote, onDownload })
  const gguf = source.names.includes('tokenizer.json') ? undefined : findGguf({ ...source })
  await source.provide(gguf === undefined ? [...TOKENIZER_FILES, 'config.json'] : [gguf])
  return join(source.folder, gguf ?? '')
}

async function locateGguf({ folder, provide }: ModelSource, name: string): Promise<LocatedGguf> {
  await provide(findParts(name).map((part) => posix.join(posix.dirname(name), part)))
  const file = await openGguf(join(folder, name))
  return { name, file, decoder: readGgufDecoder(file) }
}

/** The config of a GGUF file's decoder. Messages name the file by `path`. */
export function interpretGguf({ name, decoder }: LocatedGguf, path: string): ModelConfig {
  return { ...interpretConfig(decoder.config, path), origin: name, dialect: decoder.architecture.dialect }
}

/** Notes which keys of the config may be ignored; throws UsageError if the config lacks one. */
function ignoreKeys(config: ModelConfig, { ignoreConfigKey = [], onNote }: ModelSourceOptions): ModelConfig {
  if (ignoreConfigKey.length === 0) return config
  const { origin = 'config.json' } = config
  const ignoredKeys = [...new Set(ignoreConfigKey)]
  for (const key of ignoredKeys) {
    if (!Object.hasOwn(config.raw, key)) throw new UsageError(`${origin} has no key ${key} to ignore`)
    onNote?.(
      `${origin}: ${key} is ignored, as ${nameOption('ignoreConfigKey')} says; if it matters, the numbers are wrong`,
    )
  }
  return { ...config, ignoredKeys }
}

/** If sizes have unknown names, the family is unknown. */
async function readConfig({ folder, names }: ModelSource): Promise<ModelConfig> {
  const { content, path } = await readConfigFile(folder, names)
  try {
    return interpretConfig(content, path)
  } catch (error) {
    const decoder = decoderPart(content)
    if (!(error instanceof LayerpruneError) || isKnownFamily(String(decoder.model_type))) throw error
    throw unknownFamily(decoder, error.message)
  }
}
