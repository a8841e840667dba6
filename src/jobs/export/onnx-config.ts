import { posix } from 'node:path'
import type { LocatedModel } from '../../engine/model.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { EXPORT_FORMS } from '../../model/export/dtypes.js'
import { DataType } from '../../model/graph/onnx/onnx.js'
import { readTokenizerFiles } from '../../texts/tokens/tokenizer-files.js'
import { pruneConfig } from '../prune/prune-config.js'
import type { Section } from '../prune/section.js'
import { findCompanions } from '../write-model/companion-files.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import { type PlannedFile, textFile } from '../write-model/planned-file.js'
import type { PlannedGraph } from './onnx-files.js'
import { adaptConfig, type KnownModel } from './transformers-js.js'

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
  const tokenizer = isGguf(located.tokenizer) ? await planTokenizer(located.tokenizer) : []
  const companions = located.gguf === undefined ? await findCompanions(located.source) : []
  return [textFile('config.json', `${JSON.stringify(config, null, 2)}\n`), ...tokenizer, ...companions]
}

/** The tokenizer of a GGUF file in the form of Hugging Face. */
async function planTokenizer(place: string): Promise<PlannedFile[]> {
  const { tokenizer, config } = await readTokenizerFiles(place)
  return [
    textFile('tokenizer.json', `${JSON.stringify(tokenizer)}\n`),
    textFile('tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`),
  ]
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
