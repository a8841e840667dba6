import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EvaluationResult } from '../../../src/results/documents/evaluation-result.js'
import type { Plan } from '../../../src/results/documents/plan.js'
import type { SweepResult } from '../../../src/results/documents/sweep-result.js'
import type { TextRecord, TextUses } from '../../../src/results/documents/text-uses.js'
import { EXAMPLES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { writeTaskData } from '../../support/task-data.js'
import { makeTempFolder } from '../../support/temp-folder.js'

// every command that the program prints to go on with is pasted, and must be the same experiment

const cwd = makeTempFolder()
const TEXTS = ['--dataset', "it's texts.jsonl", '--dataset-column', 'body', '--shuffle', '3', '--dataset-skip', '2']
const READ = ['--model', 'my model', ...TEXTS, '--max-length', '16', '--batch-size', '4', '--threads', '1']
const SIZE = ['--dataset-size', '6']
const READING = { column: 'body', skip: 2, shuffle: 3, maxLength: 16 }

interface Pasted {
  title: string
  words: string[]
  document: { plan: Plan; texts: TextUses } & Omit<EvaluationResult, 'chosenOn'> & Pick<SweepResult, 'chosenOn'>
}

/** Runs a command, and then all that it prints to go on with; of those, the titles, words and what they print as JSON. */
async function runAndPaste(...args: string[]): Promise<Pasted[]> {
  const first = await runProgram(args, { cwd })
  expect(first.exitCode, first.stderr).toBe(0)
  const pasted: Pasted[] = []
  for (const [, title, command] of first.stdout.matchAll(/^(.*):\n {2}layerprune (.*)$/gm)) {
    const words = splitAsShell(command!)
    const faster = FASTER[words[0]!] ?? []
    const { exitCode, stdout, stderr } = await runProgram([...words, '--json', ...faster], { cwd })
    expect(exitCode, `${command}\n${stderr}`).toBe(0)
    pasted.push({ title: title!, words, document: JSON.parse(stdout) })
  }
  return pasted
}

function splitAsShell(command: string): string[] {
  return execFileSync('sh', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1)
}

/** Flags that make a pasted command take less time. */
const FASTER: Record<string, string[]> = {
  prune: ['--no-speed'],
  heal: ['--steps', '1', '--max-length', '16', '--evaluate-size', '4'],
  sweep: ['--sizes', '1', '--strategy', 'angular', '--verify-size', '4'],
}

/** For the next model that is cut from the same one. */
const makeRoom = () => rmSync(join(cwd, 'my model-pruned'), { recursive: true, force: true })

const readSaved = (file: string) => JSON.parse(readFileSync(join(cwd, file), 'utf8'))

/** What a measurement read, by its document. */
function readingOf({ dataset, settings }: Pick<EvaluationResult, 'dataset' | 'settings'>) {
  const { datasetSkip: skip, datasetSize: size, shuffle, maxLength } = settings
  return { column: dataset.column, skip, size, shuffle, maxLength }
}

const describePosix = process.platform === 'win32' ? describe.skip : describe

describePosix('a printed command, pasted', () => {
  beforeAll(() => {
    cpSync(join(EXAMPLES, 'model'), join(cwd, 'my model'), { recursive: true })
    const lines = readFileSync(join(EXAMPLES, 'texts.jsonl'), 'utf8').split('\n').slice(0, 60)
    const renamed = lines.map((line) => JSON.stringify({ body: JSON.parse(line).text }))
    writeFileSync(join(cwd, "it's texts.jsonl"), renamed.join('\n'))
  })

  beforeEach(makeRoom)

  it('of similarity for every size measures cuts of the same texts', async () => {
    const [sweep, ...others] = await runAndPaste(
      'similarity',
      ...READ,
      ...SIZE,
      '-o',
      'all sizes',
      '--max-memory',
      '2GB',
    )
    expect(others).toEqual([])
    expect(sweep!.words).toEqual(expect.arrayContaining(['--max-memory', '2GB', '--threads', '1']))
    const { chosenOn } = sweep!.document
    expect(readingOf(sweep!.document)).toMatchObject({ ...READING, skip: 8 })
    expect(chosenOn).toMatchObject({ dataset: "it's texts.jsonl", start: 2, end: 8, shuffle: 3 })
  }, 60_000)

  it('of similarity makes the cut, and records the texts that it was chosen on', async () => {
    const [cut] = await runAndPaste('similarity', ...READ, ...SIZE, '--layers-to-skip', '4', '-o', 'my results')
    const saved = readSaved('my results/similarity.json')
    const { removed, texts } = cut!.document.plan
    expect(removed).toEqual([{ start: saved.best.start, end: saved.best.end }])
    expect(texts!.chosen).toMatchObject([{ start: 2, end: 8, shuffle: 3, hashes: saved.dataset.hashes }])
  }, 60_000)

  it('of a plan checks it on other texts, read in the same way', async () => {
    const plan = ['plan', ...READ, ...SIZE, '--layers-to-skip', '2']
    const [saved, cut] = await runAndPaste(...plan, '-o', 'my plan.json')
    expect(readingOf(saved!.document)).toEqual({ ...READING, size: 6 })
    expect(saved!.document.dataset).toMatchObject({ leftOut: 6, texts: 6 })
    expect(cut!.document.plan.texts).toEqual(readSaved('my plan.json').texts)
    makeRoom()
    const [unsaved] = await runAndPaste(...plan)
    expect(readingOf(unsaved!.document)).toEqual({ ...READING, skip: 8, size: 6 })
    expect(unsaved!.document.perplexity).toBeCloseTo(saved!.document.perplexity, 6)
  }, 60_000)

  it('of a plan for a repair fits it on the same texts', async () => {
    const [cut] = await runAndPaste(
      ...['plan', ...READ, ...SIZE, '--layers-to-skip', '1', '--strategy', 'repaired', '-o', 'repaired.json'],
    )
    const { chosen, fitted, measured } = cut!.document.plan.texts!
    expect(fitted![0]).toMatchObject({ start: 2, shuffle: 3, hashes: chosen![0]!.hashes })
    expect(measured).toMatchObject({ maxLength: 16, start: 8 })
  }, 60_000)

  it('of a sweep repairs as the sweep did, also if it was measured in parts', async () => {
    const sweep = ['sweep', ...READ, ...SIZE, '--sizes', '2', '--verify-size', '4']
    const [repaired] = await runAndPaste(...sweep, '--repair', '--max-perplexity-ratio', '1000', '-o', 'sweep')
    const { fitted, measured } = repaired!.document.plan.texts!
    expect(fitted).toMatchObject([{ start: 2, shuffle: 3, hashes: readSaved('sweep/sweep.json').chosenOn.hashes }])
    expect(measured!.maxLength).toBe(16)
    makeRoom()
    const { exitCode } = await runProgram([...sweep, '--shard', '1/1', '-o', 'part'], { cwd })
    expect(exitCode).toBe(0)
    const merge = ['merge', 'part/sweep.shard-1-of-1.json', '--max-perplexity-ratio', '1000', '-o', 'merged']
    const [merged] = await runAndPaste(...merge)
    expect(merged!.words).toEqual(expect.arrayContaining(TEXTS))
    expect(merged!.document.plan.texts!.chosen).toEqual(readSaved('merged/plan.json').texts.chosen)
  }, 60_000)

  it('of an evaluation makes the cut by what was saved of it', async () => {
    await runProgram(['plan', ...READ, ...SIZE, '--layers-to-skip', '2', '-o', 'p.json'], { cwd })
    const evaluate = ['evaluate', ...READ, '--dataset-size', '4']
    const [ofPlan] = await runAndPaste(...evaluate, '--from', 'p.json')
    expect(ofPlan!.words).toEqual(expect.arrayContaining(['--from', 'p.json']))
    makeRoom()
    const [lowest] = await runAndPaste(...evaluate, '--drop', '0:2', '--from', 'p.json', '-o', 'my evaluation.json')
    expect(lowest!.words).toEqual(expect.arrayContaining(['--from', 'my evaluation.json']))
    const { removed, texts } = lowest!.document.plan
    expect(removed).toEqual(readSaved('p.json').removed)
    const measured = readSaved('my evaluation.json').dataset.hashes
    expect(texts!.chosen!.map(({ hashes }) => hashes)).toEqual([readSaved('p.json').texts.chosen[0].hashes, measured])
    makeRoom()
    const data = `piqa=${writeTaskData(cwd, 'piqa', 4)}`
    const [ofTask] = await runAndPaste(
      ...['evaluate', '--model', 'my model', '--task', 'piqa', '--task-data', data, '--from', 'p.json'],
    )
    expect(ofTask!.words).toEqual(expect.arrayContaining(['--from', 'p.json']))
  }, 60_000)

  it('of prune measures on the texts that the repair was measured on, and writes after a dry run', async () => {
    const repair = ['--repair', ...SIZE, '--evaluate-size', '5', '-o', 'my repaired']
    const [measured] = await runAndPaste('prune', ...READ, '--drop', '4:6', ...repair, '--no-speed')
    expect(readingOf(measured!.document)).toEqual({ ...READING, size: 5 })
    const { hashes, perplexity } = readSaved('my repaired/layerprune-plan.json').texts.measured
    expect(measured!.document.dataset.hashes).toBe(hashes)
    expect(measured!.document.perplexity).toBeCloseTo(perplexity.repaired, 1)
    const cut = ['--from', 'p.json', '-o', 'my cut']
    const [written] = await runAndPaste('prune', '--model', 'my model', ...cut, '--dry-run')
    expect(written!.words).not.toContain('--dry-run')
    expect(readSaved('my cut/layerprune-plan.json').removed).toEqual(readSaved('p.json').removed)
    rmSync(join(cwd, 'my cut'), { recursive: true })
    // no texts are given, so those of the run that chose the layers
    const [again] = await runAndPaste('prune', '--model', 'my model', ...cut, '--no-speed')
    expect(readingOf(again!.document)).toEqual({ ...READING, size: 64, maxLength: 256 })
  }, 60_000)

  it('of a recipe trains on the same texts', async () => {
    const texts = ['--dataset', "it's texts.jsonl", '--dataset-column', 'body']
    const [trained] = await runAndPaste('recipe', '--model', 'my cut', ...texts, '-o', 'my recipe')
    const [{ dataset, column }] = trained!.document.texts.trained as [TextRecord]
    expect({ dataset, column }).toEqual({ dataset: "it's texts.jsonl", column: 'body' })
  }, 60_000)

  it('of a page makes the cut of each size', async () => {
    const { stdout } = await runProgram(['report', 'my results/similarity.json', 'p.json', '-o', '-'], { cwd })
    const data = JSON.parse(/class="data">(.*?)<\/script>/s.exec(stdout)![1]!)
    const commands: string[] = data.commands
    expect(commands[3]).toBe(
      "layerprune prune --model 'my model' --from 'my results/similarity.json' -o 'my model-pruned'",
    )
    const words = splitAsShell(commands[1]!.replace(/^layerprune /, ''))
    const { exitCode, stdout: pruned, stderr } = await runProgram([...words, '--no-speed', '--json'], { cwd })
    expect(exitCode, stderr).toBe(0)
    const { start, end } = data.verdicts[1]
    expect(JSON.parse(pruned).plan).toMatchObject({ removed: [{ start, end }], texts: { chosen: [{ start: 2 }] } })
    expect(stdout).toContain(`layerprune prune --model 'my model' --from p.json`)
  }, 60_000)
})
