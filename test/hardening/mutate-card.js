// Damage to the YAML at the top of cards, of models and of datasets.
import { mutateBytes } from './mutate.js'
import { HOSTILE_TEXTS } from './mutate-json.js'
import { pick } from './random.js'

const LINES = [
  'a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c, *c]',
  '<<: *nothing',
  'license: !!js/function "function () {}"',
  'tags: 2020-01-01',
  'license: no',
  '? [a, b]\n: c',
  '\ttabs: here',
  '...',
  '---',
  '%YAML 1.1',
  'license: {toString: 1}',
  'tags: [null, 1, {}]',
  'base_model: 1e999',
  'configs: null',
  'configs: {}',
  '- 1',
  'key: "',
  `deep: ${'['.repeat(3000)}`,
]
const CONFIG_VALUES = [
  '{toString: 1}',
  '{valueOf: 1, toString: x}',
  'null',
  '[]',
  '1',
  '"../../.."',
  '[[a]]',
  '{train: {path: 1}}',
]
const PIECES = ['*', '*', '*', '**/', '?', '[a-z]', '[!a]', '[z-a]', '{a,b}', '{', '}', '[', ']', 'a', '\\', '/']

/** Another line somewhere, or damaged bytes. */
export function mutateCard(sound, random) {
  if (random(3) === 0) return mutateBytes(sound, random)
  const lines = sound.toString().split('\n')
  const line = random(4) ? pick(LINES, random) : `${pick(HOSTILE_TEXTS, random)}: ${pick(HOSTILE_TEXTS, random)}`
  lines.splice(random(lines.length), random(2), line)
  return Buffer.from(lines.join('\n'))
}

/** A dataset's card: its patterns of files, and the values beside them, become hostile ones. */
export function mutateDatasetCard(sound, random) {
  const kind = random(4)
  if (kind === 0) return mutateCard(sound, random)
  const lines = sound.toString().split('\n')
  const keys = kind === 1 ? /^(.*(?:config_name|data_dir|data_files|split|default|path): ?)(.*)$/ : /^(.*path: )(.*)$/
  const places = lines.flatMap((line, at) => (keys.test(line) ? [at] : []))
  const at = pick(places, random)
  const value = kind === 1 ? pick(CONFIG_VALUES, random) : JSON.stringify(makePattern(random))
  lines[at] = lines[at].replace(keys, (_, key) => `${key}${value}`)
  return Buffer.from(lines.join('\n'))
}

function makePattern(random) {
  // a name of many letters a, tried in every way
  if (random(3) === 0) return `data/${'*a'.repeat(1 + random(30))}*${pick(['', 'b.jsonl', '.parquet'], random)}`
  const pieces = Array.from({ length: 1 + random(24) }, () => pick(PIECES, random))
  return `data/${pieces.join('')}${random(2) ? '.jsonl' : ''}`
}
