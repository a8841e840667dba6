import { basename } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'

/** Parts of a split model as llama.cpp names them. */
const PART = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/
/** Companions of a model: projectors of images or sound, draft heads, statistics for quantising. */
const COMPANION = /(^|[-_.])(mmproj|imatrix|mtp)[-_.]/i
const MOST_PARTS = 1000

export function isGguf(name: string): boolean {
  return name.endsWith('.gguf')
}

/**
 * Names of the files that a model is split over, in their order; the name itself if it is not split.
 * @param path  of any of them
 * @throws LayerpruneError if the name counts in a way that no program does
 */
export function findParts(path: string): string[] {
  const name = basename(path)
  const found = PART.exec(name)
  if (found === null) return [name]
  const [, stem, number, total] = found
  const count = Number(total)
  if (count < 1 || count > MOST_PARTS || Number(number) < 1 || Number(number) > count) {
    throw new LayerpruneError(`${name}: expected a part of 1 to ${MOST_PARTS}`)
  }
  return Array.from({ length: count }, (_, part) => `${stem}-${`${part + 1}`.padStart(5, '0')}-of-${total}.gguf`)
}

/** The GGUF models among the files of a model; a split one is listed by its first part. */
function listGgufModels(names: string[]): string[] {
  return names.filter(
    (name) =>
      isGguf(name) && !COMPANION.test(basename(name)) && (PART.exec(basename(name))?.[2] ?? '00001') === '00001',
  )
}

/** What decides whether a model is read from GGUF, and from which file. */
export interface GgufChoice {
  /** Names of all files of the model. */
  names: string[]
  /** As the user named the model, for messages. */
  id: string
  format?: string | undefined
  modelFile?: string | undefined
}

/**
 * The GGUF file that a model is read from: the one that is asked for, or the only one if there are no other weights.
 * @returns undefined if the model is read from another form
 * @throws LayerpruneError if the one that is asked for is not there, or there are several to choose from
 */
export function findGguf({ names, id, format, modelFile }: GgufChoice): string | undefined {
  if (modelFile !== undefined) {
    if (!isGguf(modelFile)) return undefined
    if (names.includes(modelFile)) return modelFile
    const models = listGgufModels(names)
    const others = models.length > 0 ? `; it has ${listSome(models)}` : ''
    throw new LayerpruneError(`${id} has no file ${modelFile}${others}`, {
      hint: 'name one of its files with `modelFile`',
    })
  }
  if (format !== undefined && format !== 'gguf') return undefined
  if (format === undefined && names.some((name) => OTHER_WEIGHTS.test(name))) return undefined
  const [only, ...others] = listGgufModels(names)
  if (only === undefined && format === 'gguf') {
    throw new LayerpruneError(`${id} has no GGUF file`, { hint: 'omit `format`' })
  }
  if (others.length === 0) return only
  throw new LayerpruneError(`${id} has several GGUF files: ${listSome(listGgufModels(names))}`, {
    hint: `choose one with ${nameOption('modelFile')}, as in ${nameOption('modelFile', only)}`,
  })
}

/** Weights in another form. */
const OTHER_WEIGHTS = /\.(safetensors|onnx|bin|pt|pth)$/
const MOST_LISTED = 8

function listSome(models: string[]): string {
  const more = models.length > MOST_LISTED ? ` and ${models.length - MOST_LISTED} more` : ''
  return `${models.slice(0, MOST_LISTED).join(', ')}${more}`
}
