import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EXAMPLES } from '../support/paths.js'
import { describeWithPython, python } from './needs.js'

const textsOf = (lines: string) =>
  lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).text as string)

describeWithPython('the grammar of the example model', () => {
  it('writes the texts of examples/texts.jsonl, with the count and the seed of train.py', () => {
    const script = join(EXAMPLES, 'train/make_text.py')
    const stories = textsOf(execFileSync(python, [script, '2000', '2'], { encoding: 'utf8' }))
    const texts = textsOf(readFileSync(join(EXAMPLES, 'texts.jsonl'), 'utf8'))
    const places = texts.map((text) => stories.indexOf(text))
    expect(places).not.toContain(-1)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
  })
})
