import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { FIXTURES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MISTRAL = join(FIXTURES, 'families/mistral')

describe('recipe', () => {
  it('takes what lies behind a file for no dataset of the Hub', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'texts'), '')
    const args = ['recipe', '--model', MISTRAL, '--dataset', 'texts/more']
    const { exitCode, stderr } = await runProgram(args, { cwd })
    expect(stderr).toContain('error: no dataset file or folder at texts/more')
    expect(exitCode).toBe(1)
  })

  it('writes an axolotl config and a script for a pruned model and local texts', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'texts.jsonl'), '{"body": "a text"}')
    await runProgram(['prune', '--model', MISTRAL, '--drop', '1', '-o', 'pruned'], { cwd })
    const args = ['recipe', '--model', 'pruned', '--dataset', 'texts.jsonl', '--dataset-column', 'body']
    const { exitCode, stdout, stderr } = await runProgram(args, { cwd })
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toContain('changes gate_proj, up_proj, down_proj\n')
    // 5000 steps of 16 sequences of 128 tokens, of 4 bytes each
    expect(stdout).toContain('\nabout 2,275,556 epochs of the texts, too many: give more texts, or --steps 1 for 3\n')
    expect(stdout).toContain('\n  axolotl train layerprune-recipe/axolotl.yaml\n')
    expect(stdout).toMatch(
      /\nOr train it on this machine, 200 steps of 4 x 128 tokens in about [\d.]+ s \([\d,]+ tokens\/s; .*\):\n {2}layerprune heal --model pruned --dataset texts\.jsonl --dataset-column body -o pruned-healed\n$/,
    )
    expect(readdirSync(join(cwd, 'layerprune-recipe')).sort()).toEqual(['axolotl.yaml', 'heal.py'])
    expect(parse(readFileSync(join(cwd, 'layerprune-recipe/axolotl.yaml'), 'utf8'))).toMatchObject({
      base_model: 'pruned',
      adapter: 'qlora',
      load_in_4bit: true,
      datasets: [{ path: 'texts.jsonl', ds_type: 'json', type: 'completion', field: 'body' }],
      lora_target_modules: ['gate_proj', 'up_proj', 'down_proj'],
      lora_r: 64,
      lora_alpha: 64,
      max_steps: 5000,
      micro_batch_size: 8,
      gradient_accumulation_steps: 2,
      learning_rate: 0.0003,
      lr_scheduler: 'cosine',
      warmup_steps: 100,
      output_dir: 'pruned-healed',
    })
    const script = readFileSync(join(cwd, 'layerprune-recipe/heal.py'), 'utf8')
    expect(script).toContain('load_dataset("json", data_files=["texts.jsonl"], split="train")')
    expect(script).toContain('COLUMN = "body"')
  })

  it('says why a model cannot be trained on this machine', async () => {
    const cwd = makeTempFolder()
    writeFileSync(join(cwd, 'texts.jsonl'), '{"text": "a text"}')
    const args = ['recipe', '--model', join(FIXTURES, 'families/mixtral'), '--dataset', 'texts.jsonl']
    const { stdout } = await runProgram(args, { cwd })
    expect(stdout).toMatch(/\nlayerprune heal cannot train it here: models with experts cannot be trained/)
  })

  it('streams a dataset of the Hub', async () => {
    const cwd = makeTempFolder()
    const args = [
      '--dataset',
      'org/texts',
      '--dataset-config',
      'en',
      '--max-length',
      '64',
      '-o',
      'out',
      '--steps',
      '300',
      '--json',
    ]
    const { stdout } = await runProgram(['recipe', '--model', MISTRAL, ...args], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'layerprune.recipe/1',
      data: { from: 'hub', id: 'org/texts', config: 'en', split: 'train', column: 'text' },
      settings: { maxLength: 64, steps: 300, warmupSteps: 30 },
      epochs: null,
    })
    expect(parse(readFileSync(join(cwd, 'out/axolotl.yaml'), 'utf8'))).toMatchObject({
      streaming: true,
      pretraining_dataset: [{ path: 'org/texts', name: 'en', split: 'train', text_column: 'text' }],
      sequence_len: 64,
    })
    expect(readFileSync(join(cwd, 'out/heal.py'), 'utf8')).toContain(
      'load_dataset("org/texts", "en", split="train", streaming=True)',
    )
  })

  it.each<[string[], number, string]>([
    [['--dataset', 'missing.jsonl'], 1, 'no dataset file or folder at missing.jsonl'],
    [['--dataset', 'a.jsonl', 'b.csv'], 2, 'must be of one kind'],
    [['--dataset', 'c.tsv'], 2, 'must be of one kind'],
    [['--dataset', 'a.jsonl', '--max-length', '100000'], 1, 'positions of the model'],
  ])('refuses %j', async (args, exitCode, message) => {
    const cwd = makeTempFolder()
    for (const name of ['a.jsonl', 'b.csv', 'c.tsv']) writeFileSync(join(cwd, name), 'text\n')
    const outcome = await runProgram(['recipe', '--model', MISTRAL, ...args], { cwd })
    expect(outcome).toMatchObject({ exitCode, stdout: '' })
    expect(outcome.stderr).toContain(message)
    expect(readdirSync(cwd).sort()).toEqual(['a.jsonl', 'b.csv', 'c.tsv'])
  })
})
