import { describe, expect, it } from 'vitest'
import { parseList } from '../../../src/jobs/tasks/literals.js'
import { compileTemplate } from '../../../src/jobs/tasks/template.js'

const FIELDS = {
  choices: { text: ['a', "b's"], label: ['A', 'B'] },
  answerKey: 'B',
  text: 'the quick brown fox ',
  q: '\u00a0hi\u0085\n',
  count: 3,
  flag: true,
  nothing: null,
  answer: '2',
  sentence: 'Where _ is _ big.',
}
const evaluate = (source: string) => compileTemplate(source)(FIELDS)

describe('templates of tasks', () => {
  // what Python's jinja2 3.1.6 gives, and literal_eval where it prints a list
  it.each<[source: string, value: unknown]>([
    ['{{choices.text}}', ['a', "b's"]],
    ['{{choices.label.index(answerKey)}}', 1],
    ['{{[choices.text[1], answerKey]}}', ["b's", 'B']],
    ['Q: {{q.strip()}}\nA. {{choices.text[0]}}\n', 'Q: hi\nA. a\n'],
    ['{{count}}\n\n', '3\n\n'],
    ["{{text.split(' ')[:-1]|join(' ')}}", 'the quick brown fox'],
    ['{{text.split()[-1].capitalize()}}', 'Fox'],
    ["{{sentence.split('_', 1)[1].strip()}}", 'is _ big.'],
    ['{{answer|int - 1}}', 1],
    ['{{flag}} {{nothing}} {{count}}', 'True None 3'],
    ["{{count ~ flag}}{{count == '3'}}{{count != '3'}}", '3TrueFalseTrue'],
    ["{% set p = 'x\\n\\n' %}{{p + 'Q: ' + answer}}", 'x\n\nQ: 2'],
    ["{% if answer == '2' %}yes {{count}}{% else %}no{% endif %}", 'yes 3'],
    ['{% for c in choices.text %}{{loop.index}}. {{c}}\n{% endfor %}', "1. a\n2. b's\n"],
    ["{{missing|default('-')}}{# said by nobody #}", '-'],
    ["{{'yes' if flag else 'no'}}", 'yes'],
    ['{{nothing is none}}', true],
  ])('%s', (source, value) => expect(evaluate(source)).toEqual(value))

  it.each<[source: string, problem: string]>([
    ['{{missing}}', 'a value is not in the document'],
    ['a {{choices}}', 'an object cannot be written into a text'],
    ['a {{choices.text}}', 'a list cannot be written into a text'],
    ["{{choices.label.index('C')}}", '"C" is not in the list'],
    ["{{text.strip('x')}}", 'strip with the characters to strip is not understood'],
    ['{{text|title}}', 'the filter title is not understood'],
    ['{{text.zfill(3)}}', 'the method zfill is not understood'],
    ['{{count % 2}}', 'the operator % is not understood'],
    ['{{range(3)}}', 'range(...) is not understood'],
    ['{{count is odd}}', 'the test odd is not understood'],
    ['{% macro x() %}{% endmacro %}', 'Macro is not understood'],
    ['{{ text', 'Unexpected end of input'],
    ['{{', 'an expression or a tag is incomplete'],
    ['{{count // 0}}', 'division by zero'],
    ['{{text[::0]}}', 'slice step cannot be zero'],
  ])('refuse %s', (source, problem) => {
    expect(() => evaluate(source)).toThrow(problem)
  })
})

it.each<[code: string, value: unknown]>([
  [`['a', "b's", 'c\\'\\n\\\\']`, ['a', "b's", "c'\n\\"]],
  [' [1, -2, (3,), []] ', [1, -2, [3], []]],
  ['[]', []],
  ['[1, 2', undefined],
  ['[a]', undefined],
  ["['a'] 'b'", undefined],
  ["['\\x41']", undefined],
  ['[1.5]', undefined],
  ['1', undefined],
])('the list in %s', (code, value) => expect(parseList(code)).toEqual(value))
