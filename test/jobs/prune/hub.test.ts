import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { type HubServer, startHubServer } from '../../support/hub/server.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const root = makeTempFolder()
const ONNX = join(FIXTURES, 'onnx/fused-llama')
const plan = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
let server: HubServer

const filesOf = (folder: string, names: string[]) =>
  Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))]))

beforeAll(async () => {
  server = await startHubServer()
  process.env.HF_ENDPOINT = server.endpoint
  process.env.HF_HOME = join(root, 'cache')
  const common = ['config.json', 'tokenizer.json', 'tokenizer_config.json']
  const shards = readdirSync(fixtureFolder('mistral')).filter((name) => name.includes('safetensors'))
  server.add(
    {
      type: 'model',
      id: 'org/tensors',
      files: {
        ...filesOf(fixtureFolder('mistral'), [...common, ...shards]),
        'README.md': '# The card\n',
        LICENSE: 'free',
        'additional_chat_templates/tools.jinja': '{{ tools }}',
        'optimizer.pt': 'not wanted',
      },
    },
    {
      type: 'model',
      id: 'org/graph',
      files: filesOf(ONNX, [...common, 'onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model_q4.onnx']),
    },
  )
})
afterAll(async () => {
  await server.close()
})

it('a Hub model gives what its folder gives, and its card names it', async () => {
  const local = await pruneModel({ model: fixtureFolder('mistral'), output: join(root, 'local'), plan })
  const remote = await pruneModel({ model: 'org/tensors', output: join(root, 'remote'), plan })
  const weights = local.files.map(({ name }) => name).filter((name) => /safetensors|^config/.test(name))
  expect(weights.length).toBeGreaterThan(3)
  for (const name of weights) {
    expect(readFileSync(join(remote.output, name))).toEqual(readFileSync(join(local.output, name)))
  }
  const names = remote.files.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['LICENSE', 'additional_chat_templates/tools.jinja']))
  expect(names).not.toContain('optimizer.pt')
  expect(server.requests.some(({ url }) => url.includes('optimizer.pt'))).toBe(false)
  const card = readFileSync(join(remote.output, 'README.md'), 'utf8')
  expect(card).toContain('base_model: org/tensors\n')
  expect(card).toContain('This is [org/tensors](https://huggingface.co/org/tensors) without')
  expect(card).toContain('layerprune prune --model org/tensors --from layerprune-plan.json')
  expect(card).toContain('# The card')
})

it('of a Hub model with several graphs the one that is pruned is downloaded', async () => {
  const { files } = await pruneModel({ model: 'org/graph', output: join(root, 'graph'), plan, dtype: 'fp32' })
  expect(files.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['onnx/model.onnx', 'onnx/model.onnx_data', 'config.json', 'tokenizer.json']),
  )
  expect(server.requests.some(({ url }) => url.includes('model_q4'))).toBe(false)
})
