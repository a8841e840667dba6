import { join } from 'node:path'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { type LocatedModel, type Model, openModel } from '../../engine/model.js'
import type { SafetensorsCheckpoint } from '../../files/checkpoint/safetensors.js'
import type { Identity } from '../../files/gguf/write/state-general.js'
import type { WrittenValue } from '../../files/gguf/write/written-value.js'
import { readTokenizerFiles } from '../../texts/tokens/tokenizer-files.js'
import { cutCheckpoint } from '../prune/pruned-safetensors.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import { sumPlanned } from '../write-model/planned-file.js'
import { readSeparateTemplate } from './chat-template.js'
import { FILE_TYPES, type GgufDtype } from './gguf/choose-types.js'
import { planGguf } from './gguf/plan-gguf.js'
import type { PlannedExport } from './planned-export.js'

interface Source {
  located: LocatedModel
  checkpoint: SafetensorsCheckpoint
  layers: KeptLayers
  identity: Identity
}

/** @throws UsageError if a type is not known */
export function readGgufDtypes(names: string[] = ['Q8_0']): GgufDtype[] {
  const known = Object.keys(FILE_TYPES) as GgufDtype[]
  const aliases: Record<string, GgufDtype> = { FP32: 'F32', FP16: 'F16' }
  return names.map((name) => {
    const upper = name.toUpperCase()
    const found = known.find((dtype) => dtype === (aliases[upper] ?? upper))
    if (found !== undefined) return found
    throw new UsageError(`${nameOption('dtype', name)}: GGUF files are written in ${known.join(', ')}`)
  })
}

interface PlannedGguf extends PlannedExport {
  metadata: ReadonlyMap<string, WrittenValue>
}

/**
 * Plans a GGUF file of each type.
 * @param name  from which those of the files are made
 * @throws LayerpruneError if llama.cpp has no architecture, rope or tokenizer for the model
 */
export async function planGgufFiles(
  { located, checkpoint, layers, identity }: Source,
  dtypes: GgufDtype[],
  { name, onNote }: { name: string; onNote?: ((message: string) => void) | undefined },
): Promise<PlannedGguf[]> {
  const cut = cutCheckpoint(located.config, checkpoint, layers)
  const tokenizer = await readTokenizerFiles(located.tokenizer)
  const chatTemplate = await readSeparateTemplate(located)
  return dtypes.map((dtype) => {
    const { parts, metadata } = planGguf({ ...cut, tokenizer, chatTemplate, identity, dtype, onNote })
    const file = `${name}-${dtype}.gguf`
    const files = [{ name: file, parts }]
    return {
      metadata,
      ...{ dtype, name: file, files, sizeBytes: sumPlanned(files), tokenizer: file },
      open: async (folder) => buildContinued(await openModel({ model: join(folder, file) })),
    }
  })
}

function buildContinued({ id, buildContinued }: Model) {
  if (buildContinued !== undefined) return buildContinued()
  throw new LayerpruneError(`${id} cannot be run to check it`)
}
