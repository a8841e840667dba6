import { join } from 'node:path'
import { chooseModelWeights, locateModel, openTensors, type TensorFormat } from '../../src/engine/model.js'
import { type GgufOptions, planGguf } from '../../src/jobs/export/gguf/plan-gguf.js'
import { writePlannedFiles } from '../../src/jobs/write-model/write-planned.js'
import { readTokenizerFiles } from '../../src/texts/tokens/tokenizer-files.js'
import { makeTempFolder } from './temp-folder.js'

/** Writes a checkpoint as a GGUF file in a temporary folder; returns its path. */
export async function writeGguf(
  model: string,
  dtype: GgufOptions['dtype'],
  name: string,
  onNote?: (note: string) => void,
  tokenizer = model,
): Promise<string> {
  const located = await locateModel({ model })
  const { format } = chooseModelWeights(located, {}, 'measure')
  const checkpoint = await openTensors(located, format as TensorFormat)
  const files = await readTokenizerFiles(tokenizer)
  const { parts } = planGguf({ config: located.config, checkpoint, tokenizer: files, name, dtype, onNote })
  const folder = makeTempFolder()
  await writePlannedFiles(folder, [{ name: `${name}.gguf`, parts }], { named: folder })
  return join(folder, `${name}.gguf`)
}
