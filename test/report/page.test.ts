import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makePlan } from '../../src/documents/plan.js'
import { readSavedDocuments } from '../../src/documents/read-saved.js'
import type { ReportedResult } from '../../src/documents/verification.js'
import { frameHeatMap } from '../../src/report/heatmap-svg.js'
import { renderPage } from '../../src/report/page.js'
import { reachVerdict } from '../../src/report/verdict.js'
import { evaluationOf } from '../support/evaluation-example.js'
import { allSizesResult } from '../support/similarity-example.js'
import { makeTempFolder } from '../support/temp-folder.js'

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
      headline: 'Remove layers 6..9',
      detail: '4 of 12 layers, 0-based · angular distance 0.0400 ± 0.0010',
      sureness: 'sure',
      badge: 'Sure: 99.3%',
      reason: 'That confident after 128 texts that no other block rotates the stream less.',
    })
  })

  it('names the blocks that may be as good', () => {
    const certainty = { ...sure, confidence: 0.8, indistinguishable: [nextBest] }
    expect(reachVerdict({ ...valley(), certainty }, 4)).toMatchObject({
      sureness: 'unsure',
      badge: 'Not sure yet',
      reason:
        'After 128 texts layers 5..8 may be as good or better (at 95% confidence). More texts may settle it.',
    })
  })

  it('is as sure of another size as that was measured to be', () => {
    const certainty = { ...sure, indistinguishable: [] }
    const certaintyBySize = {
      1: { confidence: 0.9612, runnerUp: null, indistinguishable: [] },
      2: { confidence: 0.5, runnerUp: null, indistinguishable: [5, 7] },
    }
    expect(reachVerdict({ ...valley(), certainty, certaintyBySize }, 1)).toMatchObject({
      headline: 'Remove layer 6',
      sureness: 'sure',
      badge: 'Sure: 96.1%',
    })
    expect(reachVerdict({ ...valley(), certainty, certaintyBySize }, 2)).toMatchObject({
      sureness: 'unsure',
      reason:
        'After 128 texts layers 5..6 and 7..8 may be as good or better (at 95% confidence). More texts may settle it.',
    })
  })

  it('claims nothing for a size that certainty was not measured of', () => {
    const certainty = { ...sure, indistinguishable: [] }
    expect(reachVerdict({ ...valley(), certainty }, 1)).toMatchObject({
      headline: 'Remove layer 6',
      sureness: 'unknown',
      reason:
        'Next best: layer 5, 0.0100 more. How sure it is was not measured for blocks of 1: --layers-to-skip 1 measures it.',
    })
    expect(reachVerdict({ ...valley(), certainty: null }, 4).reason).toBe('Only one text was measured.')
  })

  it('is never sure of an interrupted run', () => {
    const verdict = reachVerdict(
      { ...valley(), certainty: { ...sure, indistinguishable: [] }, partial: true },
      4,
    )
    expect(verdict).toMatchObject({ sureness: 'unsure', badge: 'Interrupted run' })
  })
})

const noProblem = () => undefined

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
      noProblem,
    )
    expect(page).toContain('<p class="headline" aria-live="polite">Remove layers 4..7</p>')
    const marked = [...page.matchAll(/<tr class="best"><td>(.*?)<\/td><td>(.*?)<\/td>/g)].map((row) =>
      row.slice(1),
    )
    expect(marked).toEqual([
      ['perplexity', '4..7'],
      ['4..7', '4'],
      ['4..7', '0.0600'],
    ])
    expect(page.match(/decides<\/td>/g)).toHaveLength(1)
    expect(page.match(/<td>≠ other<\/td>/g)).toHaveLength(2)
    const { left, cellWidth } = frameHeatMap(12, { width: 580, heading: false })
    expect(page).toContain(
      `<g class="lp-chosen" fill="none" transform="translate(${Math.round((left + 4 * cellWidth - 1.5) * 10) / 10} `,
    )
  })

  it('shows a result with its slices, and every name as text', async () => {
    const result = valley()
    result.model.id = '</script><b>org/model'
    const page = await renderPage({ results: [result], evaluations: [], plans: [] }, noProblem)
    expect(page).not.toContain('<b>')
    expect(page).toContain('Remove layers 6..9')
    expect(page).toContain('layer_range: [0, 6]\n')
    expect(page.match(/<i class="goes">/g)).toHaveLength(4)
    expect(page).not.toMatch(/(src|href)="(?!#|data:,)/)
    expect(page).not.toMatch(/@import|url\((?!#)/)
  })

  it('says in the slices of every size and of a plan that mergekit would not make them', async () => {
    const removed = [{ start: 2, end: 3 }]
    const plan = makePlan({ model: { id: 'm', layers: 12 }, strategy: 'explicit', removed })
    const asked: unknown[] = []
    const page = await renderPage(
      { results: [valley()], evaluations: [], plans: [plan] },
      ({ id, layers }, removed) => {
        asked.push([id, layers, removed])
        return 'mergekit omits <some> tensors'
      },
    )
    expect(asked).toHaveLength(12)
    expect(asked.at(-1)).toEqual(['m', 12, removed])
    expect(
      page.match(/# mergekit omits &lt;some&gt; tensors\n# layerprune prune makes this cut/g),
    ).toHaveLength(2)
    expect(page.match(/# mergekit omits \\u003csome> tensors\\n/g)).toHaveLength(11)
  })

  it('sets several results side by side, and says if all agree', async () => {
    const agreeing = await renderPage(
      { results: [valley(), valley()], evaluations: [], plans: [] },
      noProblem,
    )
    expect(agreeing).toContain('All 2 results say: remove layers 6..9')
    const other = allSizesResult(12, 4, (start) => Math.abs(start - 2))
    const differing = await renderPage({ results: [valley(), other], evaluations: [], plans: [] }, noProblem)
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
    [
      'model.json',
      { ...valley(), model: { id: 'm', layers: 12 } },
      "/model must have required property 'revision'",
    ],
    ['best.json', { ...valley(), best: { ...valley().best, start: 1 } }, 'best is none of the blocks'],
    [
      'blocks.json',
      { ...valley(), blocks: valley().blocks.slice(1) },
      'blocks are not those of distances["4"]',
    ],
    ['errors.json', { ...valley(), standardErrors: {} }, 'standardErrors["1"] must have 12 entries'],
  ])('refuses %s', async (name, value, message) => {
    await expect(readSavedDocuments([save(name, value)])).rejects.toThrow(message)
  })
})
