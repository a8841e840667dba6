import { formatAxolotlConfig } from '../../src/jobs/recipe/axolotl.js'
import { chooseSettings } from '../../src/jobs/recipe/settings.js'
import type { Training } from '../../src/jobs/recipe/training.js'
import { SCHEMAS } from '../../src/results/documents/schemas.js'

const codes = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** Strings that some version of YAML reads as something else, or that end a line, a string or a comment. */
export const TRICKY_STRINGS = [
  ...['no', 'No', 'on', 'ON', 'off', 'yes', 'y', 'N', 'true', 'False', '~', 'null', 'Null', 'NULL', ''],
  ...['2020-01-01', '2001-12-14 21:59:43.10 -5', '12:30', '190:20:30', '1:60', '1e3', '1E3', '1.5', '1.', '.5', '+1'],
  ...['0o7', '07', '0x1F', '0b1', '1_000', '-0', '-.inf', '.INF', '.nan', '.NaN', '=', '<<', '---', '...', '-', '?'],
  ...['a: b', 'a:', ':a', 'a #b', '#a', '- a', '? a', '&a', '*a', '!a', '!!str a', '%a', '@a', '`a', '|', '>', '[a]'],
  ...['{a}', 'a, b', "'a'", '"a"', 'a"b', 'a\\b', '\\u0041', ' a', 'a ', 'a  b', '\ta', 'a\tb', 'a\nb', 'a\n\nb', '\n'],
  ...[
    'a\r\nb',
    'a\rkey: true',
    'a\u0085key: true',
    'a\u2028key: true',
    'a\u2029key: true',
    '\ufeffa',
    'a\u202eb\u2066c',
  ],
  ...['\uffff', '😀', '語', 'é', `${'word '.repeat(50)}\nkey: true`, '"""', "''' + exit(1) #", '\\'],
  String.fromCodePoint(...codes(0, 31), ...codes(0x7f, 0x9f)),
]

/** An axolotl config in which every string that comes from outside is the same one. */
export function axolotlConfigOf(text: string): string {
  return formatAxolotlConfig(trainingOf(text))
}

export function trainingOf(text: string): Training {
  return {
    schema: SCHEMAS.recipe,
    model: text,
    data: { from: 'hub', id: text, config: text, split: text, column: text },
    settings: chooseSettings('llama', 1e9, null),
    epochs: null,
    targets: { modules: [text], parameters: [text] },
    output: text,
    padToken: text,
  }
}
