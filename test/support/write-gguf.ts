import { join } from 'node:path'
import { chooseModelWeights, locateModel, openTensors, type TensorFormat } from '../../src/engine/model.js'
import { describeCheckpoint } from '../../src/files/gguf/checkpoint.js'
import { type GgufOptions, planGguf } from '../../src/jobs/export/gguf/plan-gguf.js'
import { writePlannedFiles } from '../../src/jobs/write-model/write-planned.js'
import { readTokenizerFiles } from '../../src/texts/tokens/tokenizer-files.js'
import { makeTempFolder } from './temp-folder.js'

const STORED = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const

/**
 * Writes a model as a GGUF file in a temporary folder; returns its path.
 * @param dtype  the one that the model is stored in if omitted
 * @param tokenizer  folder of the tokenizer, if the model's has none
 */
export async function writeGguf(
  model: string,
  dtype: GgufOptions['dtype'] | undefined,
  name: string,
  { onNote, tokenizer = model }: { onNote?: (note: string) => void; tokenizer?: string } = {},
): Promise<string> {
  const { gguf, ...located } = await locateModel({ model })
  const { config } = located
  const checkpoint =
    gguf === undefined
      ? await openTensors(located, chooseModelWeights(located, {}, 'measure').format as TensorFormat)
      : describeCheckpoint(gguf.file, gguf.decoder)
  const files = await readTokenizerFiles(tokenizer)
  const type = dtype ?? STORED[config.storedDtype ?? 'float32']
  const identity = { name, ids: [name], statesSize: true, card: {}, generation: {} }
  const { parts } = planGguf({ config, checkpoint, tokenizer: files, identity, dtype: type, onNote })
  const folder = makeTempFolder()
  await writePlannedFiles(folder, [{ name: `${name}.gguf`, parts }], { named: folder })
  return join(folder, `${name}.gguf`)
}
