import type { Sample } from '../../results/documents/prune-result.js'

/** Replaces line feeds in a document's samples by spaces. */
export function withPlainSamples<T extends { samples?: Sample[] }>(document: T): T {
  const samples = document.samples?.map(({ origin, beginning, whole, pruned }) => ({
    origin,
    beginning: onOneLine(beginning),
    whole: onOneLine(whole),
    pruned: onOneLine(pruned),
  }))
  return { ...document, ...(samples && { samples }) }
}

export function formatSamples(samples: Sample[]): string {
  return [
    'What each says next, by the most likely token each time:',
    ...samples.flatMap(({ origin, beginning, whole, pruned }) => [
      '',
      `  ${origin}: ${beginning} ...`,
      `    whole   ${whole || '(nothing)'}`,
      `    pruned  ${pruned || '(nothing)'}`,
    ]),
  ].join('\n')
}

function onOneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
