/** The models that can be read, as the pages show them. */
import { WRAPPERS } from '../dist/files/checkpoint/known-models.js'
import { ARCHITECTURES } from '../dist/files/gguf/architectures.js'
import { findWrittenArchitecture } from '../dist/files/gguf/write/find-architecture.js'
import { isKnownFamily } from '../dist/jobs/export/transformers-js.js'
import { hasArchitectureFile } from '../dist/jobs/prune/mergekit-support.js'
import { FAMILIES } from '../dist/model/families/table.js'

const families = Object.entries(FAMILIES).sort(byName)
const wrappers = Object.entries(WRAPPERS)
  .filter(([, { refused, text }]) => refused === undefined && Object.hasOwn(FAMILIES, text))
  .sort(byName)

export function countModels() {
  return `${families.length} families of decoders are read from safetensors, alone or inside ${wrappers.length} kinds of models of images or sound and text: [all of them](docs/models.md).`
}

export function formatFamilies() {
  const rows = families.map(([type, { title, notes }]) => {
    const mergekit = hasArchitectureFile(type) ? 'yes' : ''
    return `| \`${type}\` | ${title} | ${notes} | ${formatRunners(type)} | ${mergekit} |`
  })
  const head = '| `model_type` | models | what sets it apart | exports run in | mergekit |'
  return [head, '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}

function formatRunners(type) {
  const special = [
    ...(isKnownFamily(type) ? ['transformers.js'] : []),
    ...(findWrittenArchitecture(type) ? ['llama.cpp'] : []),
  ]
  return special.length > 0 ? special.join(', ') : 'ONNX Runtime'
}

export function formatWrappers() {
  const rows = wrappers.map(([type, { text, isFixed }]) => {
    return `| \`${type}\` | ${isFixed ? '' : 'any family that `text_config` names; otherwise '}\`${text}\` |`
  })
  return ['| `model_type` | its decoder |', '| --- | --- |', ...rows].join('\n')
}

export function formatArchitectures() {
  const rows = Object.entries(ARCHITECTURES)
    .sort(byName)
    .map(([name, { family, variant }]) => {
      const other = variant ? ` or \`${variant.architecture.family}\`` : ''
      return `| \`${name}\` | \`${family}\`${other} |`
    })
  return ['| `general.architecture` | `model_type` |', '| --- | --- |', ...rows].join('\n')
}

function byName([a], [b]) {
  return a < b ? -1 : 1
}
