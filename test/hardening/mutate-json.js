// Damage to JSON documents as documents: numbers, strings, token ids.
import { toStrictJson } from '../../dist/files/checkpoint/python-json.js'
import { pick } from './random.js'

const NUMBERS = [1e9, 1e9, 1e9, 2 ** 31, 2 ** 53, 1e308, -1, 0, 1, 1.5, 1e-320]
/** Counts that a list may be made of, whether or not the document has them. */
const COUNTS = ['num_hidden_layers', 'head_dim', 'num_key_value_heads', 'n_layer', 'num_experts', 'rotary_dim']
/** What a name must not do to a terminal, a path, YAML, XML or JSON. */
export const HOSTILE_TEXTS = [
  '\u001b[2J\u001b[1;31mowned',
  '\u001b]0;owned\u0007',
  '\u009b31mowned',
  '\r\u001b[Kall is well',
  'a\nerror: owned',
  '\u0000',
  '\u0000"owned": true',
  '\u0000\u0001\u0000',
  '\u202eowned',
  '\ud800',
  '\u2028\u0085owned: true',
  '../../../etc/passwd',
  '</script><script>owned()</script>',
  '字'.repeat(100),
  'x'.repeat(5000),
  '__proto__',
  '1e400',
  '',
]
const IDS = [null, -1, 1.5, '', '7', [], {}, [7], true, 1e9, 2 ** 31, 2 ** 53]

/** One or two numbers of a document, or counts added at its top, become numbers that nothing in the files bears out. */
export function mutateNumbers(bytes, random) {
  return mutate(bytes, random, (document) => {
    const numbers = listPlaces(document).filter(({ value }) => typeof value === 'number')
    if (numbers.length === 0 || random(6) === 0) document[pick(COUNTS, random)] = pick(NUMBERS, random)
    else set(pick(numbers, random), pick(NUMBERS, random))
  })
}

/** One or two texts of a document, or keys of it, become hostile. */
export function mutateTexts(bytes, random) {
  return mutate(bytes, random, (document) => {
    const { parent, key, value } = pick(listPlaces(document), random)
    const text = pick(HOSTILE_TEXTS, random)
    if (typeof value === 'string') parent[key] = random(2) ? text : `${value}${text}`
    else if (!Array.isArray(parent)) parent[`${key}${text}`] = value
  })
}

/** One or two ids of a tokenizer.json become no ids, or ids that no model of this size has. */
export function mutateIds(bytes, random) {
  return mutate(bytes, random, (document) => {
    const { model, added_tokens: added, post_processor: post } = document
    const places = [
      ...added.map((token) => ({ parent: token, key: 'id' })),
      ...Object.keys(model.vocab).map((key) => ({ parent: model.vocab, key })),
    ]
    const special = Object.values(post?.special_tokens ?? {}).map(({ ids }) => ({ parent: ids, key: 0 }))
    const lists = [places, places.slice(0, added.length), special].filter((list) => list.length > 0)
    const { parent, key } = pick(pick(lists, random), random)
    parent[key] = pick(IDS, random)
  })
}

function mutate(bytes, random, change) {
  const document = JSON.parse(toStrictJson(`${bytes}`))
  for (let changes = 1 + random(2); changes > 0; changes--) change(document)
  return Buffer.from(JSON.stringify(document))
}

/** Every value inside a document, with what holds it. */
export function listPlaces(value) {
  if (typeof value !== 'object' || value === null) return []
  return Object.keys(value).flatMap((key) => [{ parent: value, key, value: value[key] }, ...listPlaces(value[key])])
}

function set({ parent, key }, value) {
  parent[key] = value
}
