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
  return (
    findFamily(name) ?? (Object.hasOwn(CUT_ONLY_FAMILIES, name) ? CUT_ONLY_FAMILIES[name] : undefined) ?? {}
  )
}
