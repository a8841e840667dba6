import { LayerpruneError } from '../../base/errors.js'
import { quoteName } from './safetensors-header.js'

/** Lies beside the weights of a LoRA or another adapter. */
export const ADAPTER_FILE = 'adapter_config.json'

/** Weights that cannot be read, by the names of their files, and what to do about them. */
const FORMS: { pattern: RegExp; form: string; hint: string }[] = [
  {
    pattern: /\.gguf$/,
    form: 'gguf',
    hint: 'use the safetensors checkpoint that it was converted from',
  },
  {
    pattern: /\.(h5|msgpack)$/,
    form: 'tensorflow or flax',
    hint: 'load it with transformers (from_tf or from_flax) and save it with save_pretrained',
  },
  {
    pattern: /\.npz$/,
    form: 'numpy',
    hint: 'use the safetensors checkpoint that it was converted from',
  },
]

/** Says what a folder has instead of a readable model; undefined if that is not a known form. */
export function otherForm(folder: string, names: string[]): LayerpruneError | undefined {
  if (names.some((name) => name.endsWith('.safetensors'))) return undefined
  for (const { pattern, form, hint } of FORMS) {
    const file = names.find((name) => pattern.test(name))
    if (file === undefined) continue
    return new LayerpruneError(`${folder} has no safetensors weights, only the ${form} file ${quoteName(file)}`, {
      hint,
    })
  }
  return undefined
}

/** Says that a file has a form that cannot be read; undefined if its name does not show one. */
export function unreadableForm(path: string): LayerpruneError | undefined {
  const found = FORMS.find(({ pattern }) => pattern.test(path))
  return found && new LayerpruneError(`${path} is a ${found.form} file, which cannot be read`, { hint: found.hint })
}
