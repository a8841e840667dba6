import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatPerplexity } from '../../../src/base/format-numbers.js'
import type { EvaluationResult } from '../../../src/results/documents/evaluation-result.js'
import { makePlan } from '../../../src/results/documents/plan.js'
import type { PruneResult } from '../../../src/results/documents/prune-result.js'
import { readSavedDocuments } from '../../../src/results/documents/read-saved.js'
import type { SweepCandidate, SweepResult } from '../../../src/results/documents/sweep-result.js'
import type { TaskResult } from '../../../src/results/documents/task-result.js'
import type { ReportedResult } from '../../../src/results/documents/verification.js'
import { frameHeatMap } from '../../../src/results/report/heatmap-svg.js'
import { renderPage } from '../../../src/results/report/page.js'
import { reachVerdict } from '../../../src/results/report/verdict.js'
import { evaluationOf } from '../../support/evaluation-example.js'
import { allSizesResult } from '../../support/similarity-example.js'
import { sweepOf } from '../../support/sweep-example.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const folder = makeTempFolder()
const valley = (): ReportedResult => allSizesResult(12, 4, (start) => Math.abs(start - 6))
const nextBest = { start: 5, end: 9, difference: 0.01, standardError: 0.002, p: 0.01 }
const sure = {
  confidence: 0.9931,
  texts: 128,
  test: 'fixed',
  level: 0.95,
  runnerUp: nextBest,
  indistinguishable: [],
} as const

function save(name: string, value: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(value))
  return path
}

describe('reachVerdict', () => {
  it('names the layers, and how sure it is if that was measured', () => {
    const verdict = reachVerdict({ ...valley(), certainty: { ...sure, indistinguishable: [] } }, 4)
    expect(verdict).toEqual({
      start: 6,
      end: 10,
      headline: 'Nearest block: layers 6..9',
      detail: '4 of 12 layers, 0-based · angular distance 0.0400 ± 0.0010',
      standing: 'nearest',
      badge: 'Nearest block',
      reason:
        '99.3% confident after 128 texts that no other block rotates the stream less. Not checked: --verify 8 checks the nearest by perplexity.',
    })
  })

  it('names the blocks that may be as good', () => {
    const certainty = { ...sure, confidence: 0.8, indistinguishable: [nextBest] }
    expect(reachVerdict({ ...valley(), certainty }, 4)).toMatchObject({
      standing: 'nearest',
      reason: expect.stringContaining(
        'After 128 texts layers 5..8 may be as near or nearer (at 95% confidence); more texts may settle it.',
      ),
    })
  })

  it('is as sure of another size as that was measured to be', () => {
    const certainty = { ...sure, indistinguishable: [] }
    const certaintyBySize = {
      1: { confidence: 0.9612, runnerUp: null, indistinguishable: [] },
      2: { confidence: 0.5, runnerUp: null, indistinguishable: [5, 7] },
    }
    expect(reachVerdict({ ...valley(), certainty, certaintyBySize }, 1)).toMatchObject({
      headline: 'Nearest block: layer 6',
      reason: expect.stringMatching(/^96\.1% confident/),
    })
    expect(reachVerdict({ ...valley(), certainty, certaintyBySize }, 2)).toMatchObject({
      reason: expect.stringContaining(
        'After 128 texts layers 5..6 and 7..8 may be as near or nearer (at 95% confidence); more texts may settle it.',
      ),
    })
  })

  it('claims nothing for a size that certainty was not measured of', () => {
    const certainty = { ...sure, indistinguishable: [] }
    expect(reachVerdict({ ...valley(), certainty }, 1)).toMatchObject({
      headline: 'Nearest block: layer 6',
      reason: expect.stringContaining(
        'Next nearest: layer 5, 0.0100 more. How sure it is was not measured for blocks of 1: --layers-to-skip 1 measures it.',
      ),
    })
    expect(reachVerdict({ ...valley(), certainty: null }, 4).reason).toMatch(/^Only one text was measured\./)
  })

  const checksOf = (candidates: EvaluationResult['candidates'], more: Partial<EvaluationResult> = {}) => ({
    evaluations: [{ number: 1, document: { ...evaluationOf([]), candidates, ...more } }],
    tasks: [],
    sweeps: [],
  })
  const cut = (start: number, perplexity: number) => ({
    ...{ removed: [{ start, end: start + 4 }], perplexity, standardError: 1, bitsPerByte: 1 },
    ...{ excess: { difference: 1, standardError: 0.1 }, kl: 0.5, agreement: 0.5 },
  })

  it('is one to remove once an evaluation ran its cut and none of its size is better', () => {
    expect(reachVerdict(valley(), 4, checksOf([cut(6, 30), cut(5, 40)]))).toMatchObject({
      headline: 'Remove layers 6..9',
      ...{ standing: 'checked', badge: 'Checked by perplexity' },
      reason: expect.stringMatching(/^Perplexity 30\.00 on 32 texts, whole model 20\.00\. /),
    })
    expect(reachVerdict(valley(), 4, checksOf([cut(6, 30), cut(5, 25)]))).toMatchObject({
      headline: 'Nearest block: layers 6..9',
      ...{ standing: 'nearest', badge: 'Nearest block' },
      reason: expect.stringContaining('whole model 20.00; without layers 5..8 it is 25.00.'),
    })
    // another size was not checked
    expect(reachVerdict(valley(), 3, checksOf([cut(6, 30)])).standing).toBe('nearest')
  })

  it('says what tasks it was checked by', () => {
    const figures = (acc: number) => ({ acc, standardError: { acc: 0.01 }, documents: 100, fewshot: 0 })
    const tasks = { arc_easy: { ...figures(0.41), difference: {} } }
    const checks = checksOf([{ ...cut(6, 30), tasks }], { tasks: { arc_easy: figures(0.55) } })
    expect(reachVerdict(valley(), 4, checks)).toMatchObject({
      badge: 'Checked by perplexity and by task',
      reason: expect.stringContaining('arc_easy acc 0.4100 (whole acc 0.5500).'),
    })
  })

  it('is never sure of an interrupted run', () => {
    const verdict = reachVerdict({ ...valley(), certainty: { ...sure, indistinguishable: [] }, partial: true }, 4)
    expect(verdict).toMatchObject({ standing: 'partial', badge: 'Interrupted run' })
  })
})

const noFacts = { findProblem: () => undefined, findStoredDtype: () => null }

describe('renderPage', () => {
  it('contradicts itself nowhere if perplexity recommends another block than the distances', async () => {
    const block = { start: 4, end: 8, distance: 0.06, distanceRank: 4 }
    const recommended = { ...block, perplexity: 61.02, standardError: 2.5, perplexityRank: 1 }
    const { dataset, settings } = evaluationOf([])
    const verification = { dataset, settings, perplexity: 20, blocks: [recommended], recommended }
    const { distances, standardErrors, best } = valley()
    const metrics = { cosine: { distances, standardErrors, best } }
    const page = await renderPage(
      {
        results: [{ ...valley(), metrics, verification }],
        evaluations: [],
        plans: [],
      },
      noFacts,
    )
    expect(page).toContain('<p class="headline" aria-live="polite">Remove layers 4..7</p>')
    const [shown, cuts] = page.split('<section class="cuts">')
    expect(cuts).toContain('<tr class="best"><td>4..7<small>recommended</small></td>')
    const marked = [...shown!.matchAll(/<tr class="best"><td>(.*?)<\/td><td>(.*?)<\/td>/g)].map((row) => row.slice(1))
    expect(marked).toEqual([
      ['perplexity', '4..7'],
      ['4..7', '4'],
      ['4..7', '0.0600'],
    ])
    expect(page.match(/recommends<\/td>/g)).toHaveLength(1)
    expect(page.match(/<td>≠ other<\/td>/g)).toHaveLength(2)
    const { left, cellWidth } = frameHeatMap(12, { width: 580, heading: false })
    expect(page).toContain(
      `<g class="lp-chosen" fill="none" transform="translate(${Math.round((left + 4 * cellWidth - 1.5) * 10) / 10} `,
    )
  })

  it('shows a result with its slices, and every name as text', async () => {
    const result = valley()
    result.model.id = '</script><b>org/model'
    const page = await renderPage({ results: [result], evaluations: [], plans: [] }, noFacts)
    expect(page).not.toContain('<b>')
    expect(page).toContain('Nearest block: layers 6..9')
    expect(page).toContain('layer_range: [0, 6]\n')
    expect(page.match(/<i class="goes">/g)).toHaveLength(4)
    expect(page).not.toMatch(/(src|href)="(?!#|data:,)/)
    expect(page).not.toMatch(/@import|url\((?!#)/)
  })

  it.each([
    [
      [0.3, 0.1, 0.2, 0.1],
      ['1*', '3', '2', '0'],
    ],
    [[0.3, 0.1, 0.2], []],
    [[0.3, 0.1, 0.2, '<b>'], []],
  ])('lists the layers of a plan by their influence %j, if each has one', async (blockInfluence, expected) => {
    const removed = [{ start: 1, end: 2 }]
    const model = { id: 'm', layers: 4 }
    const plan = makePlan({ model, strategy: 'block-influence', removed, scores: { blockInfluence } })
    const page = await renderPage({ results: [], evaluations: [], plans: [plan] }, noFacts)
    const rows = page.matchAll(/<tr( class="best")?><td>(\d)<\/td><td>0\.\d000<\/td><\/tr>/g)
    expect([...rows].map(([, best, layer]) => `${layer}${best ? '*' : ''}`)).toEqual(expected)
  })

  it('says in the slices of every size and of a plan that mergekit would not make them', async () => {
    const removed = [{ start: 2, end: 3 }]
    const plan = makePlan({ model: { id: 'm', layers: 12 }, strategy: 'explicit', removed })
    const asked: unknown[] = []
    const page = await renderPage(
      { results: [valley()], evaluations: [], plans: [plan] },
      {
        findProblem: ({ id, layers }, removed) => {
          asked.push([id, layers, removed])
          return 'mergekit omits <some> tensors'
        },
        findStoredDtype: ({ id }) => (id === 'm' ? 'bfloat16' : null),
      },
    )
    expect(asked).toHaveLength(12)
    expect(asked.at(-1)).toEqual(['m', 12, removed])
    expect(page).toContain('merge_method: passthrough\ndtype: bfloat16\n</pre>')
    expect(page.match(/# mergekit omits &lt;some&gt; tensors\n# layerprune prune makes this cut/g)).toHaveLength(2)
    expect(page.match(/# mergekit omits \\u003csome> tensors\\n/g)).toHaveLength(11)
  })

  it('tells all documents of a model as one story, whatever its folder is called', async () => {
    const model = { id: './models/small/', layers: 12, family: 'llama' }
    const plan = makePlan({ model, strategy: 'verified', removed: [{ start: 5, end: 9 }] })
    const pruned: PruneResult = {
      ...{ schema: 'layerprune.prune/1', plan, format: 'safetensors', layers: 8, output: '/x' },
      ...{ files: [{ name: 'model.safetensors', sizeBytes: 60 }], sizeBytes: 60 },
      ...{ parameters: { whole: 1000, pruned: 700 }, bytes: { whole: 100, pruned: 60 } },
      tokensPerSecond: { whole: 100, pruned: 130, tokens: 256 },
      samples: [{ origin: 'a.jsonl:1', beginning: 'Once <upon>', whole: ' a time', pruned: '' }],
    }
    const evaluation = evaluationOf([80])
    evaluation.model = { ...evaluation.model, layers: 12 }
    const figures = { acc: 0.5, standardError: { acc: 0.1 }, documents: 9, fewshot: 0 }
    const interval: [number, number] = [-0.5, 0.125]
    const difference = { acc: { difference: -0.25, standardError: 0.1, interval } }
    const tasks: TaskResult = {
      ...{
        schema: 'layerprune.tasks/1',
        model: evaluation.model,
        taskSettings: { maxLength: 9, truncated: 0 },
      },
      tasks: { mine: figures },
      candidates: [{ removed: [{ start: 5, end: 9 }], tasks: { mine: { ...figures, acc: 0.25, difference } } }],
      layerpruneVersion: '0.1.0',
    }
    const swept = sweepOf([[2, 3]])
    const [cut] = swept.candidates as [SweepCandidate, SweepCandidate]
    cut.tasks = { mine: { ...figures, acc: 0.375, difference: {} } }
    const sweep: SweepResult = {
      ...swept,
      model: evaluation.model,
      whole: { ...swept.whole, tasks: { mine: figures } },
      candidates: [cut],
      recommended: { layersToSkip: 1, removed: cut.removed, strategies: cut.strategies },
    }
    const paths = [valley(), evaluation, plan, pruned, tasks, sweep].map((document, i) => save(`${i}.json`, document))
    const page = await renderPage(await readSavedDocuments(paths), noFacts, new Date('2026-03-01'))
    expect(page.match(/<article /g)).toHaveLength(1)
    expect(page).toContain('<h2 id="model-1">models/small</h2><p>llama, 12 layers</p>')
    expect(page).toContain('· 2026-03-01</p>')
    const cuts = /<section class="cuts">[\s\S]*?<\/section>/.exec(page)![0]
    const rows = [...cuts.matchAll(/<tr(?: class="best")?><td>(.*?)<\/tr>/g)].map(([, row]) =>
      row!.replace(/<td class="wide-cell">.*?<\/td>/, '').replace(/<\/td>(<td>)?/g, '|'),
    )
    expect(rows).toEqual([
      `5<small>sweep</small>|0.0200|${formatPerplexity(2 * evaluation.perplexity)}|2.00||acc 0.3750|`,
      '0..7<small></small>|0.1400|80.00|4.00|0.5000||',
      '5..8<small>verified, pruned</small>|0.0500||||acc 0.2500|',
      '6..9<small>nearest</small>|0.0400|||||',
    ])
    expect(page).toContain('<td>tokens/s, reading 256 tokens</td><td>100</td><td>130</td><td>+30 %</td>')
    expect(page).toContain('<td>0.2500 ± 0.1000<br><small>-0.2500 (-0.5000 to +0.1250)</small></td>')
    expect(page).toContain('<title>Accuracy on 1 task of the whole model and 1 cut</title>')
    expect(page).toContain('Once &lt;upon&gt; …')
    expect(page).toContain('<dt>pruned</dt><dd>(nothing)</dd>')
    expect(page).toContain(`layerprune prune --model ./models/small/ --from ${paths[2]} -o small-pruned`)
  })

  it('says for which sizes the nearest block depends on the texts', async () => {
    const on = (id: string, nearest: number): ReportedResult => {
      const result = allSizesResult(12, 4, (start) => Math.abs(start - nearest))
      return { ...result, dataset: { ...result.dataset, id, fingerprint: id, samples: 20 } }
    }
    const write = (...results: ReportedResult[]) => renderPage({ results, evaluations: [], plans: [] }, noFacts)
    const line = 'The nearest block of 4 layers depends on the texts: '
    expect(await write(on('a<b', 6), on('code', 7), on('news', 6))).toContain(
      `${line}layers 6..9 on a&lt;b (20 texts) and news (20 texts); layers 7..10 on code (20 texts).`,
    )
    for (const results of [
      [on('a', 6), on('b', 6)],
      [on('a', 6), on('a', 7)],
      [on('a', 6), { ...on('b', 7), tokens: 'all' as const }],
    ])
      expect(await write(...results)).not.toContain('depends on the texts')
  })

  it('sets several results side by side, and says if all agree', async () => {
    const agreeing = await renderPage({ results: [valley(), valley()], evaluations: [], plans: [] }, noFacts)
    expect(agreeing).toContain('All 2 results name layers 6..9')
    const other = allSizesResult(12, 4, (start) => Math.abs(start - 2))
    const differing = await renderPage({ results: [valley(), other], evaluations: [], plans: [] }, noFacts)
    expect(differing).toContain('2 results side by side')
  })
})

describe('readSavedDocuments', () => {
  it('tells results and plans by their schema', async () => {
    const plan = makePlan({
      model: { id: 'm', layers: 12 },
      strategy: 'explicit',
      removed: [{ start: 2, end: 3 }],
    })
    const { results, plans } = await readSavedDocuments([save('p.json', plan), save('s.json', valley())])
    expect(results).toHaveLength(1)
    expect(plans).toEqual([plan])
  })

  it.each([
    ['other.json', { schema: 'other/1' }, 'is not a saved result: schema is "other/1"'],
    ['null.json', null, 'is not a saved result: expected a JSON object'],
    ['model.json', { ...valley(), model: { id: 'm', layers: 12 } }, "/model must have required property 'revision'"],
    ['best.json', { ...valley(), best: { ...valley().best, start: 1 } }, 'best is none of the blocks'],
    ['blocks.json', { ...valley(), blocks: valley().blocks.slice(1) }, 'blocks are not those of distances["4"]'],
    ['errors.json', { ...valley(), standardErrors: {} }, 'standardErrors["1"] must have 12 entries'],
  ])('refuses %s', async (name, value, message) => {
    await expect(readSavedDocuments([save(name, value)])).rejects.toThrow(message)
  })
})
