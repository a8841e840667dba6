import { isObject } from '../../base/is-object.js'
import { readTable } from '../../base/read-table.js'
import { findWrapper } from '../../files/checkpoint/known-models.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import { COUNTS, cutLayerKeys } from './layer-keys.js'
import type { Section } from './section.js'

/** Facts about a release of mergekit, found by test/interop/check_mergekit_families.py. */
interface MergekitFacts {
  version: string
  /** Values of `model_type` for which mergekit has an architecture file of one decoder. */
  described: string[]
  /** Settings with which a family has tensors that its architecture file lacks: mergekit omits them silently. */
  lostTensors: Record<string, Section>
}

function readFacts(): MergekitFacts {
  return readTable('mergekit-0.1.5')
}

/** @param family the config's `model_type` */
export function hasArchitectureFile(family: string): boolean {
  return readFacts().described.includes(family)
}

/**
 * Why mergekit would not make the cut that `prune` makes, in words; undefined if no reason is known.
 * @param family the config's `model_type`
 * @param config content of config.json, if it is at hand
 */
export function findMergekitProblem(family: string, layers: KeptLayers, config: Section = {}): string | undefined {
  const { version, lostTensors } = readFacts()
  const mergekit = `mergekit ${version}`
  if (findWrapper(family) !== undefined) {
    return `${mergekit} takes no slices of a decoder that is part of another model, as in ${family}`
  }
  if (!hasArchitectureFile(family)) {
    return `${mergekit} has no architecture file for ${family}, so what it writes may lack tensors or have the wrong number of layers`
  }
  const lost = Object.entries(lostTensors[family] ?? {}).find(([key, value]) => config[key] === value)
  if (lost !== undefined) {
    return `${mergekit} omits the tensors that ${lost[0]} = ${lost[1]} adds to ${family} models`
  }
  const key = [config, config.text_config].filter(isObject).flatMap((section) => findChangedKeys(section, layers))[0]
  return key === undefined
    ? undefined
    : `${mergekit} leaves ${key} of config.json as it is for the layers of the whole model`
}

/** Keys of a config, besides the number of layers, that say something else of the kept layers. */
function findChangedKeys(section: Section, layers: KeptLayers): string[] {
  const cut = structuredClone(section)
  cutLayerKeys(cut, layers)
  const isUnused = (key: string) => key === 'max_window_layers' && section.use_sliding_window !== true
  return Object.keys(cut).filter(
    (key) => !COUNTS.includes(key) && !isUnused(key) && JSON.stringify(section[key]) !== JSON.stringify(cut[key]),
  )
}
