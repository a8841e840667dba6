import { basename, join, resolve } from 'node:path'
import type { LocatedModel } from '../../../engine/model.js'
import { readJsonObject } from '../../../files/checkpoint/config.js'
import { type GgufHeader, readArray } from '../../../files/gguf/header.js'
import type { Identity } from '../../../files/gguf/write/state-general.js'
import type { WrittenValue } from '../../../files/gguf/write/written-value.js'
import type { Block } from '../../../model/layers/block.js'
import { PLAN_FILE } from '../../../results/documents/plan.js'
import { CARD, readCardFacts } from '../../write-model/read-card.js'

interface IdentityOptions {
  /** Folder to write to. */
  output: string
  name?: string | undefined
  removed?: Block[] | undefined
  onNote?: ((message: string) => void) | undefined
}

/** What a GGUF file says of its origin and its use. */
const KEPT =
  /^general\.(name|author|version|organization|finetune|basename|description|size_label|license(\.\w+)?|url|doi|uuid|repo_url|tags|languages|(source|base_model|dataset|sampling)\.[\w.]+)$/

/**
 * What a model is called and where it comes from, by its card, its config and its folder, or by its GGUF file. A model
 * without some of its layers is no longer what these call it: it has the name of its folder, and the size that it has.
 * @throws LayerpruneError if its card or generation config cannot be read
 */
export async function readIdentity(located: LocatedModel, options: IdentityOptions): Promise<Identity> {
  const { gguf, source, config, revision } = located
  const { removed = [], output, onNote } = options
  const isCut = removed.length > 0
  const isOther = isCut || options.name !== undefined || source.names.includes(PLAN_FILE)
  const name = options.name ?? (isCut ? basename(resolve(output)) : undefined)
  const own = revision === null ? basename(resolve(gguf ? gguf.name : located.id)).replace(/\.gguf$/i, '') : located.id
  const identity = { name, ids: name === undefined ? [own] : [name], statesSize: !isOther }
  if (gguf !== undefined)
    return { ...identity, card: {}, generation: {}, kept: keepStatements(gguf.file.header, isCut) }
  await source.provide([CARD, 'generation_config.json'])
  const card = await readCardFacts(located.folder, onNote)
  const generation = (await readJsonObject(join(located.folder, 'generation_config.json'))) ?? {}
  const stated = config.raw._name_or_path
  // a path of the machine that it was trained on names nothing
  const isName = !isOther && typeof stated === 'string' && stated !== '' && stated.split('/').length <= 2
  return {
    ...identity,
    ids: isName ? [stated, ...identity.ids] : identity.ids,
    card: isCut && revision !== null ? { ...card, base_model: located.id } : card,
    generation,
  }
}

function keepStatements(header: GgufHeader, isCut: boolean): Record<string, WrittenValue> {
  const kept = [...header.metadata].filter(([key]) => KEPT.test(key) && !(isCut && key === 'general.size_label'))
  return Object.fromEntries(
    kept.map(([key, { type, elementType, value }]): [string, WrittenValue] => {
      if (type !== 'array') return [key, { type, value } as WrittenValue]
      return [key, { type, elementType, value: readArray(header, key) } as WrittenValue]
    }),
  )
}
