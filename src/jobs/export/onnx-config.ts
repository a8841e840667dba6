import { join, posix } from 'node:path'
import type { LocatedModel } from '../../engine/model.js'
import { readJsonObject } from '../../files/checkpoint/config.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { EXPORT_FORMS } from '../../model/export/dtypes.js'
import { DataType } from '../../model/graph/onnx/onnx.js'
import { readTokenizerFiles } from '../../texts/tokens/tokenizer-files.js'
import { pruneConfig } from '../prune/prune-config.js'
import type { Section } from '../prune/section.js'
import { findCompanions } from '../write-model/companion-files.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import { type PlannedFile, textFile } from '../write-model/planned-file.js'
import { readSeparateTemplate } from './chat-template.js'
import type { PlannedGraph } from './onnx-files.js'
import { adaptConfig, type KnownModel } from './transformers-js.js'

const GENERATION = 'generation_config.json'

/**
 * What lies beside exported graphs: config.json, the tokenizer and what else the model has.
 * @param known  what transformers.js makes of the graphs
 */
export async function planBesideGraphs(
  located: LocatedModel,
  layers: KeptLayers,
  graphs: PlannedGraph[],
  known: KnownModel | undefined,
): Promise<PlannedFile[]> {
  const config = makeOnnxConfig(located, layers, graphs)
  if (known !== undefined) adaptConfig(config, known)
  const template = await readSeparateTemplate(located)
  const tokenizer = isGguf(located.tokenizer) ? await planTokenizer(located.tokenizer, template) : []
  const found = located.gguf === undefined ? await findCompanions(located.source) : []
  const companions =
    template === undefined ? found : await Promise.all(found.map((file) => putTemplate(file, located, template)))
  const generation = companions.some(({ name }) => name === GENERATION)
    ? []
    : [textFile(GENERATION, formatJson(findEnds(located)))]
  return [textFile('config.json', formatJson(config)), ...tokenizer, ...companions, ...generation]
}

/**
 * The ids that begin, end and pad texts, for a model that has no generation_config.json: transformers.js opens no local
 * folder without one.
 */
function findEnds({ config, gguf }: LocatedModel): Section {
  const metadata = gguf?.file.header.metadata
  const ids = ['bos', 'eos', 'pad'].map((role) => {
    const stated =
      config.raw[`${role}_token_id`] ??
      metadata?.get(`tokenizer.ggml.${role === 'pad' ? 'padding' : role}_token_id`)?.value
    const other = role === 'eos' ? metadata?.get('tokenizer.ggml.eot_token_id')?.value : undefined
    const all = [
      ...new Set(
        [stated, other]
          .flat()
          .filter((id) => id !== undefined && id !== null)
          .map(Number),
      ),
    ]
    return [`${role}_token_id`, all.length > 1 ? all : all[0]] as const
  })
  return Object.fromEntries(ids.filter(([, id]) => id !== undefined))
}

/** The tokenizer of a GGUF file in the form of Hugging Face. */
async function planTokenizer(place: string, template: string | undefined): Promise<PlannedFile[]> {
  const { tokenizer, config } = await readTokenizerFiles(place)
  return [
    textFile('tokenizer.json', `${JSON.stringify(tokenizer)}\n`),
    textFile('tokenizer_config.json', formatJson({ ...config, ...(template && { chat_template: template }) })),
  ]
}

/** transformers.js knows of no template but the one in tokenizer_config.json. */
async function putTemplate(file: PlannedFile, { source }: LocatedModel, template: string): Promise<PlannedFile> {
  if (file.name !== 'tokenizer_config.json') return file
  const config = await readJsonObject(join(source.folder, file.name))
  return textFile(file.name, formatJson({ ...config, chat_template: template }))
}

function formatJson(content: Section): string {
  return `${JSON.stringify(content, null, 2)}\n`
}

/**
 * config.json of exported graphs: the decoder's own, for the kept layers, with what transformers.js asks of it.
 * @see https://huggingface.co/docs/transformers.js/api/configs
 */
function makeOnnxConfig({ config }: Pick<LocatedModel, 'config'>, layers: KeptLayers, graphs: PlannedGraph[]): Section {
  const { config: cut } = pruneConfig(config.raw, { layers, isGraph: true })
  delete cut.quantization_config
  const halves = graphs.filter(({ dtype }) => EXPORT_FORMS[dtype].type === DataType.FLOAT16)
  cut['transformers.js_config'] = {
    // what is loaded if nothing is asked for
    dtype: graphs[0]!.dtype,
    use_external_data_format: Object.fromEntries(
      graphs.map(({ name, files }) => [posix.basename(name), files.length - 1]),
    ),
    ...(halves.length > 0 && {
      kv_cache_dtype: Object.fromEntries(halves.map(({ dtype }) => [dtype, 'float16'])),
    }),
  }
  return cut
}
