import { CUT_ONLY_FAMILIES } from './cut-only.js'
import type { CutFacts, Family } from './describe/family.js'
import { FAMILIES } from './table.js'

/** @returns undefined if decoders of this `model_type` cannot be described */
export function findFamily(modelType: unknown): Family | undefined {
  return typeof modelType === 'string' && Object.hasOwn(FAMILIES, modelType) ? FAMILIES[modelType] : undefined
}

/** Facts about cuts of a family, by `model_type`; empty for an unknown family. */
export function findCutFacts(modelType: unknown): CutFacts {
  const name = String(modelType)
  return findFamily(name) ?? (Object.hasOwn(CUT_ONLY_FAMILIES, name) ? CUT_ONLY_FAMILIES[name] : undefined) ?? {}
}

/**
 * Says how many usual layers a number of half layers equals; undefined if the family's layers are usual ones.
 * @param family the decoder's `model_type`
 */
export function describeHalfLayers(family: string, layers: number): string | undefined {
  if (!findFamily(family)?.halfLayers) return undefined
  const verb = layers === 1 ? 'is' : 'are'
  const usual = layers > 2 ? `${layers / 2} usual layers` : layers === 2 ? 'one usual layer' : 'half a usual layer'
  return `each is a mixer or an MLP, so ${layers} of them ${verb} about ${usual}`
}
