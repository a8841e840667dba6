import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { makePlan } from '../../../src/results/documents/plan.js'
import { FIXTURES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const CARD = `---
license: apache-2.0
base_model: org/older  # where it came from
tags:
- text-generation
---

# A model

Words that stay: 100 %.
`

/** What the card of a pruned model adds to that of its base. */
const HUB_KEYS = 'library_name: transformers\npipeline_tag: text-generation\n'

/** A folder with a model named `m`, its own card and what else models have beside their weights. */
function makeModel(): string {
  const cwd = makeTempFolder()
  const model = join(cwd, 'm')
  // what our own tests have beside a model is left behind
  const filter = (path: string) => !/(reference|perplexity)\.json$/.test(path)
  cpSync(join(FIXTURES, 'families/mistral'), model, { recursive: true, filter })
  const files = {
    'README.md': CARD,
    LICENSE: 'do what you like',
    'generation_config.json': '{"do_sample": true}',
    'chat_template.jinja': '{{ messages }}',
    'modeling.py': 'pass',
    'training_args.bin': 'x',
    'trainer_state.json': '{}',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(model, name), text)
  mkdirSync(join(model, 'additional_chat_templates'))
  writeFileSync(join(model, 'additional_chat_templates/tools.jinja'), '{{ tools }}')
  return cwd
}

const prune = (cwd: string, ...args: string[]) => runProgram(['prune', '--model', 'm', ...args], { cwd })

describe('prune', () => {
  it('writes a folder with all that a model needs, and says what', async () => {
    const cwd = makeModel()
    const { exitCode, stdout, stderr } = await prune(cwd, '--drop', '1', '-o', 'pruned')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/^m without layer 1 \(0-based, 1 of 3\): 2 layers\n/)
    expect(stdout).toMatch(/\n {2}config\.json +\d+ B\n/)
    expect(stdout).toMatch(/\nWrote \d+ files, \d+ kB to pruned\.\n/)
    expect(stdout).toMatch(/\n {2}parameters +[\d,]+ +[\d,]+ {2}-\d+ %\n {2}weights +\d+ kB +\d+ kB {2}-\d+ %\n/)
    expect(stdout).toMatch(/\n {2}tokens\/s\* +[\d,]+ +[\d,]+ {2}[+-]?\d+ %\n/)
    expect(stdout).toMatch(
      /\nTo measure it:\n {2}layerprune evaluate --model pruned --dataset YOUR_TEXTS --dataset-size 64 --max-length 256\nTo publish it:\n {2}hf upload YOUR_NAME\/pruned pruned\n$/,
    )
    expect(readdirSync(cwd).sort()).toEqual(['m', 'pruned'])
    expect(readdirSync(join(cwd, 'pruned')).sort()).toEqual([
      'LICENSE',
      'README.md',
      'additional_chat_templates',
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'layerprune-plan.json',
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
      'model.safetensors.index.json',
      'modeling.py',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    expect(readFileSync(join(cwd, 'pruned/additional_chat_templates/tools.jinja'), 'utf8')).toBe('{{ tools }}')
    const index = JSON.parse(readFileSync(join(cwd, 'pruned/model.safetensors.index.json'), 'utf8'))
    const sizes = Object.keys(index.weight_map).length
    expect(sizes).toBeGreaterThan(10)
    expect(new Set(Object.values(index.weight_map)).size).toBe(3)
  })

  it('omits shards that are empty, and the index if one shard is left', async () => {
    const cwd = makeModel()
    const two = await prune(cwd, '--drop', '0:2', '-o', 'pruned', '--json')
    const names = JSON.parse(two.stdout).files.map(({ name }: { name: string }) => name)
    const shards = names.filter((name: string) => name.endsWith('.safetensors'))
    expect(shards).toEqual(shards.length === 1 ? ['model.safetensors'] : shards)
    for (const [position, name] of shards.entries()) {
      if (shards.length > 1) expect(name).toBe(`model-0000${position + 1}-of-0000${shards.length}.safetensors`)
    }
    expect(names.includes('model.safetensors.index.json')).toBe(shards.length > 1)
  })

  it.each([
    ['an anchor of the tags', 'tags: &t [a]\nmore: *t\n', `tags: &t [ a, layerprune ]\nmore: *t\n${HUB_KEYS}`],
    ['an alias that leads nowhere', 'tags: [a]\nmore: *t\n', 'tags: [a]\nmore: *t\n'],
    ['the end of a document', '...\n', `${HUB_KEYS}tags:\n  - layerprune\n...\n`],
    ['one tag that is no list', 'tags: a\n', `tags:\n  - a\n  - layerprune\n${HUB_KEYS}`],
    ['text that is no YAML', 'tags: [a\n', 'tags: [a\n'],
  ])('keeps front matter with %s', async (_, frontMatter, expected) => {
    const cwd = makeModel()
    writeFileSync(join(cwd, 'm/README.md'), `---\n${frontMatter}---\nText.\n`)
    const { exitCode } = await prune(cwd, '--drop', '1', '-o', 'pruned')
    expect(exitCode).toBe(0)
    expect(readFileSync(join(cwd, 'pruned/README.md'), 'utf8')).toMatch(`---\n${expected}---\n\n# Pruned`)
  })

  it('keeps the card of the model under a section of its own', async () => {
    const cwd = makeModel()
    await prune(cwd, '--drop', '1', '-o', 'pruned')
    const card = readFileSync(join(cwd, 'pruned/README.md'), 'utf8')
    const [, frontMatter, body] = card.split('---\n')
    expect(parse(frontMatter!)).toEqual({
      license: 'apache-2.0',
      base_model: 'org/older',
      base_model_relation: 'finetune',
      library_name: 'transformers',
      pipeline_tag: 'text-generation',
      tags: ['text-generation', 'layerprune'],
    })
    expect(frontMatter).toContain('# where it came from')
    expect(body).toContain('```sh\nlayerprune prune --model m --drop 1 -o pruned\n```')
    expect(body).toContain('lm_eval --model hf --model_args pretrained=pruned --tasks arc_easy,hellaswag')
    expect(body).toContain('<!-- To publish this folder: hf upload YOUR_NAME/pruned pruned -->')
    expect(body).toContain('# Pruned with layerprune\n\nThis is `m` without layer 1 (0-based, 1 of 3)')
    expect(card.endsWith('\n---\n\n# A model\n\nWords that stay: 100 %.\n')).toBe(true)
  })

  it('names a folder without its path, and never as a model of the Hub', async () => {
    const cwd = makeModel()
    mkdirSync(join(cwd, 'work'))
    renameSync(join(cwd, 'm'), join(cwd, 'work/m'))
    rmSync(join(cwd, 'work/m/README.md'))
    await runProgram(['prune', '--model', 'work/m', '--drop', '1', '-o', 'pruned'], { cwd })
    const card = readFileSync(join(cwd, 'pruned/README.md'), 'utf8')
    expect(card).toContain('This is `m` without layer 1')
    expect(card).not.toMatch(/work|huggingface\.co|base_model/)
    expect(readFileSync(join(cwd, 'pruned/layerprune-plan.json'), 'utf8')).not.toContain('work')
  })

  it('takes a plan, and writes it with what the plan measured', async () => {
    const cwd = makeModel()
    const plan = makePlan({
      model: { id: 'elsewhere', layers: 3 },
      strategy: 'block-influence',
      removed: [{ start: 2, end: 3 }],
      scores: { influence: 0.125 },
      dataset: { id: '/data/texts.jsonl', samples: 12 },
    })
    writeFileSync(join(cwd, 'plan.json'), JSON.stringify(plan))
    const { exitCode } = await prune(cwd, '--plan', 'plan.json', '-o', 'pruned')
    expect(exitCode).toBe(0)
    const written = JSON.parse(readFileSync(join(cwd, 'pruned/layerprune-plan.json'), 'utf8'))
    const dataset = { id: 'texts.jsonl', samples: 12 }
    expect(written).toEqual({ ...plan, model: { id: 'm', layers: 3, family: 'mistral' }, dataset })
    const card = readFileSync(join(cwd, 'pruned/README.md'), 'utf8')
    expect(card).toContain('chosen by the strategy `block-influence`')
    expect(card).toContain('- influence: 0.125')
    expect(card).toContain('Measured on `texts.jsonl` (12 texts).')
  })

  it('says what it would write, with the sizes that it would have', async () => {
    const cwd = makeModel()
    const dry = await prune(cwd, '--drop', '1', '-o', 'pruned', '--dry-run', '--json')
    expect(readdirSync(cwd)).toEqual(['m'])
    const wet = await prune(cwd, '--drop', '1', '-o', 'pruned', '--json')
    const { dryRun, ...would } = JSON.parse(dry.stdout)
    expect(dryRun).toBe(true)
    const { tokensPerSecond, ...written } = JSON.parse(wet.stdout)
    expect(would).toEqual(written)
    expect(tokensPerSecond).toMatchObject({ whole: expect.any(Number), pruned: expect.any(Number) })
    for (const { name, sizeBytes } of would.files) {
      expect(readFileSync(join(cwd, 'pruned', name)).byteLength).toBe(sizeBytes)
    }
    const spoken = await prune(cwd, '--drop', '1', '-o', 'other', '--dry-run')
    expect(spoken.stdout).toMatch(/Would write \d+ files, \d+ kB to other\.\n/)
  })

  it('refuses a family that is not proven; --unproven writes it and the card says so', async () => {
    const cwd = makeModel()
    const path = join(cwd, 'm/config.json')
    const config = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...config, model_type: 'never_seen' }))
    const refused = await prune(cwd, '--drop', '1', '-o', 'pruned', '--format', 'safetensors')
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toBe(
      'error: a pruned model cannot be shown to be right: cuts of never_seen models were not compared with the whole model\n' +
        'hint: --unproven writes it anyway: compare its logits with those of the whole model before you use it\n',
    )
    expect(readdirSync(cwd)).toEqual(['m'])
    const written = await prune(cwd, '--drop', '1', '-o', 'pruned', '--unproven', '--json')
    expect(written.exitCode).toBe(0)
    expect(JSON.parse(written.stdout).unproven).toContain('never_seen')
    expect(readFileSync(join(cwd, 'pruned/README.md'), 'utf8')).toContain(
      '**Not proven to be right** (`--unproven`): cuts of never_seen models',
    )
  })

  it.each([
    ['a key that nobody knows', { transformers_version: '6.0.0', next_layer_gate: 2 }, 'next_layer_gate = 2'],
    ['a count that the files do not hold', { head_dim: 1e9 }, 'head_dim'],
  ])('refuses a known family whose config has %s', async (_, change, name) => {
    const cwd = makeModel()
    const path = join(cwd, 'm/config.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }))
    const args = ['--drop', '1', '-o', 'pruned', '--format', 'safetensors']
    const refused = await prune(cwd, ...args)
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toContain('error: a pruned model cannot be shown to be right: ')
    expect(refused.stderr).toContain(name)
    expect(readdirSync(cwd)).toEqual(['m'])
    expect((await prune(cwd, ...args, '--unproven')).exitCode).toBe(0)
  })

  it('copies quantised weights of a known family without doubt', async () => {
    const cwd = makeModel()
    const path = join(cwd, 'm/config.json')
    const quantization_config = { quant_method: 'fp8', modules_to_not_convert: ['model.layers.0.mlp'] }
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), quantization_config }))
    const written = await prune(cwd, '--drop', '1', '-o', 'pruned', '--format', 'safetensors', '--json')
    expect(written.exitCode).toBe(0)
    expect(JSON.parse(written.stdout)).not.toHaveProperty('unproven')
  })

  it('replaces a model with --force only', async () => {
    const cwd = makeModel()
    mkdirSync(join(cwd, 'pruned'))
    expect((await prune(cwd, '--drop', '1', '-o', 'pruned')).exitCode).toBe(0)
    writeFileSync(join(cwd, 'pruned/model-00009-of-00009.safetensors'), '')
    const refused = await prune(cwd, '--drop', '0', '-o', 'pruned')
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toBe(
      'error: pruned already exists\nhint: name another folder with --output, or replace this one with --force\n',
    )
    expect((await prune(cwd, '--drop', '0', '-o', 'pruned', '--force')).exitCode).toBe(0)
    expect(existsSync(join(cwd, 'pruned/model-00009-of-00009.safetensors'))).toBe(false)
    expect(readdirSync(cwd).sort()).toEqual(['m', 'pruned'])
  })

  it('prunes a model that it pruned before', async () => {
    const cwd = makeModel()
    await prune(cwd, '--drop', '0', '-o', 'once')
    const twice = await runProgram(['prune', '--model', 'once', '--drop', '1', '-o', 'twice', '--json'], {
      cwd,
    })
    const once = await prune(cwd, '--drop', '0,2', '-o', 'both', '--json')
    const weights = (text: string) =>
      JSON.parse(text).files.filter(({ name }: { name: string }) => /safetensors|^config/.test(name))
    expect(weights(twice.stdout)).toEqual(weights(once.stdout))
  })

  it.each<[string[], number, string]>([
    [['-o', 'out'], 2, 'no layers are named'],
    [['--drop', '1'], 2, '--output is required'],
    [['--drop', '0:3', '-o', 'out'], 2, 'no layer would be kept'],
    [['--drop', '2:4', '-o', 'out'], 2, 'cannot be removed from it'],
    [['--drop', '1', '-o', '/proc/x'], 1, 'cannot write /proc/x: permission denied'],
    [['--drop', '1', '-o', '/proc/x', '--dry-run'], 1, 'cannot write /proc/x: permission denied'],
    [['--drop', '1', '-o', 'm'], 2, 'the output m and the model'],
    [['--drop', '1', '-o', 'm/inside', '--force'], 2, 'overlap'],
    [['--drop', '1', '-o', '.', '--force'], 2, 'overlap'],
    [['--drop', '1', '-o', 'm/config.json/x'], 2, 'overlap'],
    [['--drop', '1', '-o', 'file'], 1, 'file is a file'],
    [['--drop', '1', '-o', 'home', '--force'], 1, 'home holds no model'],
    [['--drop', '1', '-o', 'out', '--format', 'onnx'], 1, 'has no .onnx graph'],
    [['--drop', '1', '-o', 'out', '--format', 'safetensors', '--dtype', 'q4'], 2, '--dtype q4'],
  ])('refuses %j', async (args, exitCode, message) => {
    const cwd = makeModel()
    writeFileSync(join(cwd, 'file'), '')
    mkdirSync(join(cwd, 'home'))
    writeFileSync(join(cwd, 'home/letters.txt'), '')
    const outcome = await prune(cwd, ...args)
    expect(outcome).toMatchObject({ exitCode, stdout: '' })
    expect(outcome.stderr).toContain(message)
    expect(outcome.stderr).toMatch(/^error: .*\n(hint: .*\n)?$/)
    expect(readdirSync(cwd).sort()).toEqual(['file', 'home', 'm'])
    expect(readdirSync(join(cwd, 'home'))).toEqual(['letters.txt'])
  })
})
