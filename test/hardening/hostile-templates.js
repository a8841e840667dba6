// Templates that a stranger's model or task could hold: none may hang the program, end it or fill its memory.

const repeat = (text, count) => text.repeat(count)
const loops = (depth, list, body = 'x') =>
  repeat(`{% for a in ${list} %}`, depth) + body + repeat('{% endfor %}', depth)
const grown = (start, step, count) => `{% set ns = namespace(v=${start}) %}${repeat(step, count)}{{ ns.v }}`

/** Templates of chats by what they do. */
export const CHAT_TEMPLATES = {
  'a huge range': '{% for i in range(1000000000) %}x{% endfor %}',
  'a range from far below': '{{ range(-1000000000, 1000000000) | length }}',
  'a range without end': '{{ range(0, 10, 0) | length }}',
  'three nested loops of 3,000': loops(3, 'range(3000)'),
  'three nested loops of 100,000 without a body': loops(3, 'range(100000)', ''),
  'twelve nested loops over a text': `{% set l = 'a b c d e f g h i j'.split(' ') %}${loops(12, 'l')}`,
  'a macro that calls itself': '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
  'a macro that calls itself twice':
    '{% macro m(n) %}{% if n > 0 %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}',
  'a text that ~ doubles': grown("'ab'", '{% set ns.v = ns.v ~ ns.v %}', 40),
  'a text that + doubles': grown("'ab'", '{% set ns.v = ns.v + ns.v %}', 29),
  'a text that format doubles': grown("'ab'", "{% set ns.v = '%s%s' | format(ns.v, ns.v) %}", 40),
  'a text that join doubles': grown("'ab'", "{% set ns.v = [ns.v, ns.v] | join('') %}", 40),
  'a text that replace multiplies': grown(
    `'${repeat('a', 64)}'`,
    `{% set ns.v = ns.v.replace('a', '${repeat('a', 64)}') %}`,
    8,
  ),
  'a text that * multiplies': "{{ 'a' * 1000000000 }}",
  'a list that + doubles': grown('[1]', '{% set ns.v = ns.v + ns.v %}', 40),
  'a list within a list within a list': grown('[1]', '{% set ns.v = [ns.v, ns.v] %}', 60),
  'a list nested deeply, as JSON': `{% set ns = namespace(v=[]) %}{% for i in range(100000) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v | tojson }}`,
  'an indent of a thousand million': '{{ messages | tojson(indent=1000000000) }}',
  'a loop that writes 100 MB': `{% for i in range(100000) %}${repeat('x', 1000)}{% endfor %}`,
  'a million parentheses': `{{ ${repeat('(', 500_000)}1${repeat(')', 500_000)} }}`,
  'brackets 100,000 deep': `{{ ${repeat('[', 100_000)}${repeat(']', 100_000)} }}`,
  'conditions 50,000 deep': repeat('{% if true %}', 50_000) + repeat('{% endif %}', 50_000),
  'a chain of 200,000 additions': `{{ 1${repeat('+1', 200_000)} }}`,
  '50 MB of text': repeat('x', 50e6),
  'a tag that never ends': `{{ ${repeat('a ', 400_000)}`,
  'spaces before a tag that is none': `${repeat(' \n', 300_000)}{%`,
  'a constructor': "{{ messages.constructor.constructor('return process')().exit() }}",
  'a prototype': "{{ raise_exception.__proto__.constructor('return 1')() }}",
  'a division by zero': '{{ 1 // 0 }}',
  'a step of zero': '{{ messages[::0] }}',
}

/** Templates of tasks; the documents have the field `question`, a text of 100,000 characters. */
export const TASK_TEMPLATES = {
  'nested loops over the words': `{% set w = question.split(' ') %}${loops(3, 'w')}`,
  'a text that replace multiplies': `{{ question${repeat(".replace('a', 'aaaaaaaa')", 30)} }}`,
  'a text that join multiplies': `{{ question${repeat("|list|join('aaaaaaaaaa')", 9)} }}`,
  'a text that ~ doubles': `{% set a = question %}${repeat('{% set a = a ~ a %}', 40)}{{ a }}`,
  'brackets 100,000 deep': `{{ ${repeat('[', 100_000)}${repeat(']', 100_000)} }}`,
  '50 MB of text': `{{ question }}${repeat('x', 50e6)}`,
  'a constructor': "{{ question.constructor('return process')() }}",
  'a method that is not called': '{{ [question.upper] }}',
  'a division by zero': '{{ 1 // 0 }}',
  'a step of zero': '{{ question[::0] }}',
}
