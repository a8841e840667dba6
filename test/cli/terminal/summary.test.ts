import { describe, expect, it } from 'vitest'
import { formatConclusion, formatSummary } from '../../../src/cli/terminal/summary.js'
import type { ComparedBlock } from '../../../src/results/documents/certainty.js'
import { exampleResult } from '../../support/similarity-example.js'

const linesOf = (result: Parameters<typeof formatSummary>[0]) => formatSummary(result).split('\n')

describe('formatSummary', () => {
  it('is the whole report, from what was measured to the nearest block', () => {
    const result = exampleResult([0.5, 0.1876, 0.1936], { layersToSkip: 2 })
    expect(formatSummary(result, { width: 66 })).toBe(`\
model    models/small (llama, 4 layers, hidden size 64), fp32 from onnx/model.onnx
dataset  data/texts.jsonl (text): 128 texts, 32,768 tokens, at most 256 per text
measure  angular distance across 2 layers, last token of each text

| start | end | layers removed | distance | ± std err |         |
| ----: | --: | -------------: | -------: | --------: | ------- |
|     0 |   2 |           0..1 |   0.5000 |    0.0009 |         |
|     1 |   3 |           1..2 |   0.1876 |    0.0009 | nearest |
|     2 |   4 |           2..3 |   0.1936 |    0.0009 |         |

angular distance by first layer removed
0.5 ┤⠒⠤⣀⡀
    │   ⠈⠑⠢⠤⣀
0.4 ┤        ⠉⠑⠢⠤⣀
    │             ⠉⠑⠢⢄⣀
0.3 ┤                  ⠉⠒⠢⢄⣀
    │                       ⠉⠒⠢⢄⡀
0.2 ┤                           ⠈⠉⠒●⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
    │
0.1 ┤
    └┬─────────────────────────────┬─────────────────────────────┬
     0                             1                             2
     ● layers 1..2: 0.1876 ± 0.0009

Second nearest: layers 2..3, 0.1936 ± 0.0009, 0.0060 more.
Nearest block: layers 1..2 (0-based, 2 of 4), angular distance 0.1876 ± 0.0009 over 128 texts.`)
  })

  it('says what a block is worth if a layer is only a mixer or an MLP', () => {
    const result = exampleResult([0.5, 0.1876, 0.1936], { layersToSkip: 2 })
    const model = { ...result.model, family: 'nemotron_h' }
    expect(linesOf({ ...result, model })[3]).toBe(
      'layers   each is a mixer or an MLP, so 2 of them are about one usual layer',
    )
  })

  it('says that an interrupted run is partial, and what was skipped', () => {
    const result = exampleResult([0.5, 0.2])
    result.partial = true
    result.tokens = 'all'
    result.dataset.samples = 1
    result.dataset.skipped = { empty: 1, notText: 2 }
    const lines = linesOf(result)
    expect(lines[1]).toBe(
      'dataset  data/texts.jsonl (text): 1 text, 32,768 tokens, at most 256 per text; ' +
        'skipped 1 empty row and 2 rows without text',
    )
    expect(lines[2]).toBe('measure  angular distance across 8 layers, all tokens of each text')
    expect(lines.slice(-2)).toEqual([
      'PARTIAL: interrupted after 1 text.',
      'Nearest block: layers 1..8 (0-based, 8 of 9), angular distance 0.2000 ± 0.0009 over 1 text, all tokens of each.',
    ])
  })

  describe('with paired comparisons', () => {
    const rival = (start: number, difference: number, p: number): ComparedBlock => ({
      start,
      end: start + 8,
      difference,
      standardError: 0.0004,
      p,
    })
    const lastLines = (confidence: number, indistinguishable: ComparedBlock[], level = 0.95) => {
      const result = exampleResult([0.5, 0.2, 0.203])
      result.certainty = {
        confidence,
        texts: 212,
        test: 'fixed',
        level,
        runnerUp: rival(2, 0.003, 0.02),
        indistinguishable,
      }
      return linesOf(result).slice(-3, -1)
    }

    it('says how sure it is, rounded down', () => {
      expect(lastLines(0.99369, [])).toEqual([
        'Second nearest: layers 2..9, 0.2030 ± 0.0009, 0.0030 ± 0.0004 more over the same texts.',
        'Nearest with 99.3% confidence after 212 texts.',
      ])
      expect(lastLines(0.95, []).at(-1)).toBe('Nearest with 95% confidence after 212 texts.')
      expect(lastLines(0.9999999, []).at(-1)).toBe('Nearest with over 99.9% confidence after 212 texts.')
    })

    it('names the blocks that cannot be told apart', () => {
      expect(lastLines(0.5, [rival(2, 0.001, 0.5)]).at(-1)).toBe(
        'Cannot be told apart from layers 2..9 at 95% confidence after 212 texts; more texts can, --tokens tail:32 sooner.',
      )
      const many = Array.from({ length: 7 }, (_, index) => rival(2 + index, 0.001, 1))
      expect(lastLines(0, many, 0.99).at(-1)).toContain(
        'from layers 2..9, layers 3..10, layers 4..11, layers 5..12, layers 6..13 and 2 more at 99% confidence',
      )
    })
  })

  it('knows only the gap of a single text', () => {
    const lines = linesOf(exampleResult([0.5, 0.2, 0.202], { standardError: null }))
    expect(lines.at(-2)).toBe('Second nearest: layers 2..9, 0.2020, 0.0020 more.')
  })

  it('says that a shard is one', () => {
    const result = exampleResult([0.5, 0.2])
    result.shard = { index: 2, count: 4 }
    expect(linesOf(result).at(-2)).toBe('SHARD 2 of 4: layerprune merge combines the shards.')
  })

  it('has no second nearest if there is one block', () => {
    expect(formatSummary(exampleResult([0.2]))).not.toContain('Second nearest')
  })

  it('carries escapes only in colour', () => {
    expect(formatSummary(exampleResult([0.5, 0.2]))).not.toContain('\u001b')
    const colored = formatSummary(exampleResult([0.5, 0.2]), { color: true })
    expect(colored).toContain('\u001b[1mNearest block: layers 1..8')
  })
})

it('concludes in one sentence', () => {
  const result = exampleResult([0.5, 0.2], { layersToSkip: 1, standardError: null })
  expect(formatConclusion(result)).toBe(
    'Nearest block: layer 1 (0-based, 1 of 2), angular distance 0.2000 over 128 texts.',
  )
  expect(formatConclusion({ ...result, tokens: 'tail:32' })).toBe(
    'Nearest block: layer 1 (0-based, 1 of 2), angular distance 0.2000 over 128 texts, last 32 tokens of each.',
  )
})
