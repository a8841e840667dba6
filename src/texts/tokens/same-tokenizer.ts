import type { TokenizerProcess } from './tokenizer-process.js'

/** Texts that tokenizers of different rules cut differently: spaces, digits, letters with and without marks, code. */
const PROBES = [
  'The mill by the river has 7 boats.',
  '  two spaces, 1234567 and 3.14159\n\n\ttabbed\r\n',
  "It's we'll CAMELCase snake_case don't",
  'Ämter straße naïve Łódź Ελλάδα Россия 日本語 한국어 العربية',
  'for (let i = 0; i < 10; i++) { x[i] += "y\\n" }',
  '🙂👩‍🚀 ½ ﬁ …—“”',
]

/** Ids that are decoded at most. */
const DECODED = 4096

/** Beyond any vocabulary, so that the last ids are looked at too. */
const LEAST_IDS = 300_000

/**
 * What two tokenizers do differently on texts made to tell them apart, in words, or to ids spread over their
 * vocabularies; null if nothing was found.
 */
export async function findTokenizerDifference(
  first: TokenizerProcess,
  second: TokenizerProcess,
): Promise<string | null> {
  for (const text of PROBES) {
    const [own, other] = await Promise.all([first, second].map(({ encode }) => encode(text, 1000)))
    if (own!.join() === other!.join()) continue
    return `${JSON.stringify(text)} has the tokens ${shown(own!)} and ${shown(other!)}`
  }
  const step = Math.ceil(LEAST_IDS / DECODED)
  const ids: number[] = []
  for (let id = 0; id < LEAST_IDS; id += id < DECODED / 2 ? 1 : 2 * step) ids.push(id)
  const [own, other] = await Promise.all(
    [first, second].map(({ decode }) => Promise.all(ids.map((id) => decode([id])))),
  )
  const place = ids.findIndex((_, index) => own![index] !== other![index])
  if (place < 0) return null
  return `token ${ids[place]} is ${JSON.stringify(own![place])} and ${JSON.stringify(other![place])}`
}

function shown(ids: number[]): string {
  return `[${ids.slice(0, 6).join(', ')}${ids.length > 6 ? ', ...' : ''}]`
}
