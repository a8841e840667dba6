import { readTable } from '../../base/read-table.js'

/** Whether transformers.js has a class for a family's causal language models. */
export function isKnownToTransformersJs(family: string): boolean {
  return readTable<{ families: string[] }>('transformers-js-4.3').families.includes(family)
}
