import type { Sample } from '../../results/documents/prune-result.js'

/** A document whose samples have spaces instead of line feeds, as they are shown. */
export function withPlainSamples<T extends { samples?: Sample[] }>(document: T): T {
  const samples = document.samples?.map(({ origin, beginning, whole, pruned }) => ({
    origin,
    beginning: onOneLine(beginning),
    whole: onOneLine(whole),
    pruned: onOneLine(pruned),
  }))
  return { ...document, ...(samples && { samples }) }
}

/** What two models say after the same beginnings, one after another. */
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
