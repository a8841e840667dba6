import { expect, it } from 'vitest'
import { wrapHelp } from '../../../src/cli/terminal/wrap-help.js'

it('leaves lines that fit', () => {
  expect(wrapHelp('Usage: a b\n\nOptions:\n  -o  a file\n', 40)).toBe('Usage: a b\n\nOptions:\n  -o  a file\n')
})

it('fills a paragraph, however its lines were broken', () => {
  expect(wrapHelp('Texts are taken from the start of\nthe dataset.\nOthers are not.', 20)).toBe(
    'Texts are taken from\nthe start of the\ndataset.\nOthers are not.',
  )
})

it('continues a list under its words', () => {
  expect(wrapHelp('Strategies:\n  angular  the block that turns least', 25)).toBe(
    'Strategies:\n  angular  the block that\n           turns least',
  )
})

it('breaks an example so that a shell reads it as one line', () => {
  const example = '  layerprune prune --model ./a --drop 11:19 -o ./pruned'
  const wrapped = wrapHelp(`Examples:\n${example}`, 30)
  expect(wrapped).toBe(
    'Examples:\n  layerprune prune \\\n      --model ./a \\\n      --drop 11:19 \\\n      -o ./pruned',
  )
  expect(wrapped.replace(/ \\\n +/g, ' ')).toBe(`Examples:\n${example}`)
})

it('keeps a word that is longer than a line', () => {
  expect(wrapHelp(`see ${'x'.repeat(30)} there`, 20)).toBe(`see\n${'x'.repeat(30)}\nthere`)
})
