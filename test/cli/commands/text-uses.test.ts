import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Plan } from '../../../src/results/documents/plan.js'
import type { TextRecord } from '../../../src/results/documents/text-uses.js'
import { hashText, splitHashes } from '../../../src/texts/data/text-hashes.js'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = join(EXAMPLES, 'model')
const SMALL = join(FIXTURES, 'families/llama')
const LINES = readFileSync(join(EXAMPLES, 'texts.jsonl'), 'utf8').split('\n').slice(0, 40)
const TEXTS = LINES.map((line): string => JSON.parse(line).text)
const ALL = ['--dataset', 'texts.jsonl', '--max-length', '24']

describe('from similarity to a healed model', () => {
  let cwd: string
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await runProgram([...args, '--json'], { cwd })
    expect([exitCode, stderr.match(/^error.*/m)?.[0]]).toEqual([0, undefined])
    return { result: JSON.parse(stdout), stderr }
  }
  const planOf = (folder: string): Plan => JSON.parse(readFileSync(join(cwd, folder, 'layerprune-plan.json'), 'utf8'))
  /** Places of recorded texts in the dataset. */
  const placesOf = (...records: TextRecord[]) =>
    records
      .flatMap(({ hashes }) => splitHashes(hashes))
      .map((hash) => TEXTS.findIndex((text) => hashText(text) === hash))
      .sort((a, b) => a - b)
  const range = (start: number, end: number) => Array.from({ length: end - start }, (_, index) => start + index)

  beforeAll(async () => {
    cwd = makeTempFolder()
    writeFileSync(join(cwd, 'texts.jsonl'), LINES.join('\n'))
    const checked = [
      '--layers-to-skip',
      '1',
      '--dataset-size',
      '6',
      '--verify',
      '2',
      '--verify-size',
      '4',
      '-o',
      'found',
    ]
    await run('similarity', '--model', MODEL, ...ALL, ...checked)
    const repaired = ['--repair', '--dataset-size', '8', '--evaluate-size', '5', '-o', 'pruned']
    await run('prune', '--model', MODEL, '--from', 'found/similarity.json', ...ALL, ...repaired)
  }, 60_000)

  it('prune measures on none of the texts that the layers were chosen or the repair fitted on', () => {
    const { chosen, fitted, measured } = planOf('pruned').texts!
    expect(placesOf(...chosen!)).toEqual(range(0, 10))
    expect(placesOf(...fitted!)).toEqual(range(0, 8))
    expect(placesOf(measured!)).toEqual(range(10, 15))
    expect(chosen!.map(({ dataset, start, end }) => [dataset, start, end])).toEqual([
      ['texts.jsonl', 0, 6],
      ['texts.jsonl', 6, 10],
    ])
  })

  it('heal measures on the same texts, beside the whole model, and evaluate finds the same figures', async () => {
    const before = planOf('pruned').texts!.measured!
    const { result } = await run('heal', '--model', 'pruned', ...ALL, '--steps', '2', '-o', 'healed')
    const { trained, measured } = planOf('healed').texts!
    expect(measured!.hashes).toBe(before.hashes)
    expect(placesOf(...trained!).filter((place) => placesOf(measured!).includes(place))).toEqual([])
    expect(result.perplexity.whole).toBe(before.perplexity.whole)
    expect(result.perplexity.before).toBeCloseTo(before.perplexity.repaired!, 2)
    expect(measured!.perplexity).toEqual({ ...before.perplexity, healed: result.perplexity.after })
    const again = await run('evaluate', '--model', 'healed', ...ALL, '--dataset-size', '5')
    const used = new Set(placesOf(...planOf('healed').texts!.chosen!, ...trained!)).size
    const first = Math.min(
      ...range(0, 40).filter((place) => again.result.dataset.hashes.startsWith(hashText(TEXTS[place]!))),
    )
    expect(placesOf(...planOf('healed').texts!.chosen!, ...trained!)).not.toContain(first)
    expect(again.stderr).toContain(`left out ${again.result.dataset.leftOut} texts of texts.jsonl`)
    expect(again.result.dataset.leftOut).toBeLessThanOrEqual(used)
    const whole = await run('evaluate', '--model', MODEL, ...ALL, '--dataset-skip', '10', '--dataset-size', '5')
    expect(whole.result.perplexity).toBeCloseTo(before.perplexity.whole!, 4)
  }, 60_000)

  it('evaluate leaves out what a result was chosen on, and says so if nothing is left', async () => {
    const { result } = await run('evaluate', '--model', MODEL, ...ALL, '--from', 'found/similarity.json')
    expect([result.dataset.leftOut, result.dataset.texts]).toEqual([10, 30])
    writeFileSync(join(cwd, 'few.jsonl'), LINES.slice(0, 6).join('\n'))
    const few = await run('evaluate', '--model', MODEL, '--dataset', 'few.jsonl', '--from', 'found/similarity.json')
    expect(few.stderr).toContain('the layers were chosen on all texts of few.jsonl')
    expect(few.result.dataset.texts).toBe(6)
    const fitted = await runProgram(['evaluate', '--model', 'pruned', '--dataset', 'few.jsonl'], { cwd })
    expect([fitted.exitCode, fitted.stdout]).toEqual([1, ''])
    expect(fitted.stderr).toContain('6 texts that layers were chosen or weights fitted on')
  }, 60_000)

  it('heal of a model without a plan records its texts, and evaluate leaves those out', async () => {
    const texts = ['--dataset-size', '20', '--evaluate-size', '4', '--steps', '2']
    const { result } = await run('heal', '--model', SMALL, ...ALL, ...texts, '-o', 'trained')
    const record = JSON.parse(readFileSync(join(cwd, 'trained/layerprune-texts.json'), 'utf8'))
    expect(record).toMatchObject({ schema: 'layerprune.texts/1', texts: result.texts })
    const { trained, measured } = record.texts
    expect(placesOf(measured)).toEqual(range(0, 4))
    expect(readFileSync(join(cwd, 'trained/README.md'), 'utf8')).toContain(
      `among those from 0 to ${trained[0].end} of the dataset. \`layerprune-texts.json\` has a hash of each`,
    )
    const evaluated = await run('evaluate', '--model', 'trained', ...ALL)
    expect(evaluated.result.dataset).toMatchObject({ leftOut: placesOf(...trained).length })
    const again = await run('heal', '--model', 'trained', ...ALL, ...texts, '-o', 'again', '--adapter')
    expect(again.result.texts.measured.hashes).toBe(measured.hashes)
    const kept = JSON.parse(readFileSync(join(cwd, 'again/layerprune-texts.json'), 'utf8'))
    expect(kept.texts.trained).toEqual([...trained, ...again.result.texts.trained])
    const cut = await run('prune', '--model', 'trained', '--drop', '1', '-o', 'cut', '--no-speed')
    expect(cut.result.files.map(({ name }: { name: string }) => name)).not.toContain('layerprune-texts.json')
    expect(planOf('cut').texts).toEqual(record.texts)
  }, 60_000)

  it('every command skips the first texts of a dataset', async () => {
    const skip = [...ALL, '--dataset-skip', '20', '--dataset-size', '6']
    writeFileSync(join(cwd, 'late.jsonl'), LINES.slice(20).join('\n'))
    const late = ['--dataset', 'late.jsonl', '--max-length', '24', '--dataset-size', '6']
    const similarity = ['similarity', '--model', SMALL, '--layers-to-skip', '1']
    const [skipped, cut] = [await run(...similarity, ...skip, '-o', 'a'), await run(...similarity, ...late, '-o', 'b')]
    expect(skipped.result.distances).toEqual(cut.result.distances)
    expect([skipped.result.dataset.end, cut.result.dataset.end]).toEqual([26, 6])
    const sweep = ['sweep', '--model', SMALL, '--sizes', '1', '--verify-size', '4']
    const [swept, other] = [await run(...sweep, ...skip, '-o', 'c'), await run(...sweep, ...late, '-o', 'd')]
    expect(swept.result.candidates[0].perplexity).toBe(other.result.candidates[0].perplexity)
    expect(swept.result.chosenOn).toMatchObject({ start: 20, end: 26 })
    const plan = ['plan', '--model', SMALL, '--layers-to-skip', '1', '--strategy', 'greedy-perplexity']
    const [planned, same] = [await run(...plan, ...skip), await run(...plan, ...late)]
    expect(planned.result.scores).toEqual(same.result.scores)
    expect(planned.result.texts.chosen).toMatchObject([{ start: 20, end: 26 }])
  }, 60_000)
})
