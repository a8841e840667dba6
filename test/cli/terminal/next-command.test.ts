import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { formatCutOfResult } from '../../../src/cli/terminal/next-command.js'
import { exampleResult } from '../../support/similarity-example.js'

const { model, ...result } = exampleResult([0.4, 0.2, 0.3], { layersToSkip: 2 })
const commandOf = (change: Partial<typeof model>, more = {}) =>
  formatCutOfResult({ ...result, ...more, model: { ...model, ...change } }).replace(/^To .*:\n {2}/, '')

it('names model, layers and a folder', () => {
  expect(commandOf({ id: 'org/model' })).toBe('layerprune prune --model org/model --drop 1:3 -o model-pruned')
  expect(commandOf({ id: 'org/model', askedRevision: 'v2' })).toContain('--model org/model --revision v2 --drop')
})

it('takes what perplexity recommends, and says if nothing was checked', () => {
  const verification = { recommended: { start: 2, end: 4 } }
  expect(formatCutOfResult({ ...result, model, verification })).toMatch(/^To make the cut:\n.* --drop 2:4 /)
  expect(formatCutOfResult({ ...result, model })).toMatch(
    /^To cut the nearest block without that check:\n.* --drop 1:3 /,
  )
})

it.skipIf(process.platform === 'win32').each(["my 'best' $HOME model", '/a b/`id`', 'ünï;rm'])(
  'is what a shell reads for %s',
  (id) => {
    const words = execFileSync('sh', ['-c', `printf '%s\\n' ${commandOf({ id })}`], { encoding: 'utf8' })
    expect(words.split('\n').slice(2, 5)).toEqual(['--model', id, '--drop'])
  },
)
