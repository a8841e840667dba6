// Damage to templates of Jinja and to the YAML of tasks: pieces of their languages in the wrong places, and bytes.
import { mutateBytes } from './mutate.js'
import { pick } from './random.js'

const PIECES = [
  '{{',
  '}}',
  '{%',
  '%}',
  '{% for x in range(100000) %}',
  '{% for m in messages %}',
  '{% endfor %}',
  '{% if true %}',
  '{% endif %}',
  '{% set a = a ~ a %}',
  "{{ messages | join(',') }}",
  '{{ messages[0].content | length }}',
  '{{ messages | tojson }}',
  '{{ 1 // 0 }}',
  '{{ [1, 2][::0] }}',
  '{{ 9 ** 9 ** 9 }}',
  '{{ messages.constructor }}',
  '{{ __proto__.x }}',
  '{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(1) }}',
  " | replace('', 'xx')",
  ' | sort | reverse | first',
  " ~ 'x' * 1000",
  '[::-1]',
  '.split()',
]

const YAML_PIECES = [
  '\n? [a, b]\n: c\n',
  '\ninclude: task.yaml\n',
  '\n<<: *a\n',
  '&a ',
  '*a',
  '!!python/object ',
  '!function utils.f',
  '\n---\n',
  '\n__proto__: 1\n',
  '\ntask: constructor\n',
  '[[[[',
  '{a: {a: ',
  '\n- - - ',
  '\nmetric_list: [{metric: acc, aggregation: x}]\n',
  '\nnum_fewshot: -1\n',
  '\ndoc_to_choice: {a: 1}\n',
  '\ndoc_to_text: "{{a}}"\n',
  '\ndataset_kwargs: 5\n',
  '\n\t',
]

const mutate = (pieces) => (sound, random) => {
  let text = sound.toString()
  for (let changes = 1 + random(2); changes > 0; changes--) {
    if (random(4) === 0) text = mutateBytes(Buffer.from(text), random).toString()
    const at = random(text.length + 1)
    text = text.slice(0, at) + pick(pieces, random) + text.slice(at + (random(2) ? 0 : random(20)))
  }
  return Buffer.from(text)
}

export const mutateTemplate = mutate(PIECES)
export const mutateTask = mutate([...YAML_PIECES, ...PIECES])
