import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { measureSimilarity, type SimilarityResult } from '../../../src/index.js'
import { checkResult } from '../../../src/jobs/similarity/check-result.js'
import type { VerifiedBlock } from '../../../src/results/documents/verification.js'
import { evaluationOf } from '../../support/evaluation-example.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const MODEL = join(FIXTURES, 'families/llama')
let result: SimilarityResult
let nearest: VerifiedBlock
let recommended: VerifiedBlock

/** A result in which perplexity recommends another block than the smallest distance. */
beforeAll(async () => {
  result = await measureSimilarity({ model: MODEL, dataset: TEXTS, layersToSkip: 1 })
  const blocks = result.blocks
    .toSorted((a, b) => a.distance - b.distance)
    .map(({ start, end, distance }, index) => ({
      ...{ start, end, distance, distanceRank: index + 1 },
      ...{ perplexity: 60 + index, standardError: 1, perplexityRank: [3, 1, 2][index]! },
    }))
  ;[nearest, recommended] = blocks as [VerifiedBlock, VerifiedBlock]
  const { dataset, settings } = evaluationOf([])
  const verification = { dataset, settings, perplexity: 5, blocks, recommended }
  writeFileSync(join(cwd, 'similarity.json'), JSON.stringify({ ...result, verification }))
})

describe('--from a result that was verified', () => {
  const note = () =>
    `similarity.json: layer ${recommended.start}, recommended by perplexity; the smallest distance is of layer ${nearest.start}\n`

  it('takes what perplexity recommends in slice-config', async () => {
    const { stdout, stderr } = await runProgram(['slice-config', '--from', 'similarity.json'], { cwd })
    expect(stderr).toBe(note())
    expect(stdout).toContain(`# layerprune: removes layer ${recommended.start} (0-based, 1 of 3)`)
    expect(parse(stdout).slices).toHaveLength(recommended.start === 0 || recommended.end === 3 ? 1 : 2)
  })

  it('takes it in prune, whose plan says how it was chosen', async () => {
    const args = ['prune', '--model', MODEL, '--from', 'similarity.json', '-o', 'pruned']
    const { exitCode, stderr } = await runProgram(args, { cwd })
    expect(exitCode).toBe(0)
    expect(stderr).toContain(note())
    const { start, end, perplexity } = recommended
    expect(JSON.parse(readFileSync(join(cwd, 'pruned/layerprune-plan.json'), 'utf8'))).toMatchObject({
      strategy: 'verified',
      removed: [{ start, end }],
      scores: { perplexity, wholePerplexity: 5 },
    })
  })

  it('takes it in evaluate, silently with --quiet', async () => {
    const args = ['evaluate', '--model', MODEL, '--dataset', TEXTS, '--from', 'similarity.json', '--json']
    const { stdout, stderr } = await runProgram([...args, '--quiet'], { cwd })
    expect(stderr).toBe('')
    const { start, end } = recommended
    expect(JSON.parse(stdout).candidates[0].removed).toEqual([{ start, end }])
  })

  it('checks it in check', async () => {
    const expected = `${recommended.start}..${recommended.end - 1}`
    const { exitCode, stdout, stderr } = await runProgram(
      ['check', '--from', 'similarity.json', '--expect', expected],
      { cwd },
    )
    expect(stdout).toBe(`holds: the best block is layer ${recommended.start}\n`)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  })

  it('takes the smallest distance for another size, and says so', async () => {
    const { stdout, stderr } = await runProgram(
      ['slice-config', '--from', 'similarity.json', '--layers-to-skip', '2'],
      { cwd },
    )
    const distances = result.distances[2]!
    const start = distances.indexOf(Math.min(...distances))
    expect(stdout).toContain(`removes layers ${start}..${start + 1} `)
    expect(stderr).toBe(
      `similarity.json: perplexity checked blocks of 1, so for 2 the smallest distance decides: layers ${start}..${start + 1}\n`,
    )
  })

  it('compares distance with the recommended block and confidence with the nearest', () => {
    const checked = { ...result, verification: { recommended } }
    const [distance, confidence] = checkResult(checked, { maxDistance: nearest.distance, minConfidence: 0 })
    expect(distance).toMatchObject({
      holds: false,
      text: expect.stringContaining(`the distance of layer ${recommended.start} is`),
    })
    expect(confidence!.text).toContain(`the confidence in layer ${nearest.start}, the smallest distance, is`)
  })
})
