import { decoderPart } from '../../files/checkpoint/config.js'
import { findWrapper } from '../../files/checkpoint/known-models.js'
import { nameWrapper } from '../../files/checkpoint/wrappers.js'
import { isKnownFamily } from '../../model/builder/build-decoder.js'
import { CUT_ONLY_FAMILIES } from '../../model/families/cut-only.js'
import { runsAlone } from '../../model/families/unknown-family.js'
import type { Section } from './section.js'

/**
 * Why it is not known that a cut config lets the kept layers compute what they did; undefined if it is.
 * @param isDescribed  the decoder's layers are compared one by one
 * @param undescribed  why they are not, though the family is known
 */
export function findUnproven(
  config: Section,
  isDescribed: boolean,
  undescribed?: string | undefined,
): string | undefined {
  if (isDescribed) return undefined
  const wrapper = nameWrapper(config)
  if (wrapper !== null && !findWrapper(wrapper)?.isCutProven) {
    return runsAlone(wrapper) && undescribed !== undefined ? undescribed : explain(config)
  }
  const section = decoderPart(config)
  const family = String(section.model_type)
  const proven = Object.hasOwn(CUT_ONLY_FAMILIES, family) ? CUT_ONLY_FAMILIES[family]!.proven : undefined
  if (proven === undefined) {
    if (!isKnownFamily(family)) return explain(section)
    return wrapper === null || runsAlone(wrapper) ? undescribed : undefined
  }
  const omitted = proven.find((keys) => keys.split('|').every((key) => section[key] == null))
  if (omitted === undefined) return undefined
  return `config.json does not state ${omitted.replace('|', ' or ')}, so ${family} chooses layers by their number`
}

function explain({ model_type }: Section): string {
  return `cuts of ${model_type} models were not compared with the whole model`
}
