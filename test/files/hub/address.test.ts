import { afterEach, describe, expect, it, vi } from 'vitest'
import { readModelName } from '../../../src/files/checkpoint/model-source.js'
import { parseRepoAddress } from '../../../src/files/hub/address.js'
import { findHubDataset } from '../../../src/texts/data/hub-dataset.js'

afterEach(() => vi.unstubAllEnvs())

describe('parseRepoAddress', () => {
  it.each([
    ['model', 'https://huggingface.co/org/name', { id: 'org/name' }],
    ['model', 'https://huggingface.co/org/name/', { id: 'org/name' }],
    ['model', 'https://hf.co/org/name/tree/main', { id: 'org/name', revision: 'main' }],
    ['model', 'https://huggingface.co/org/name/tree/refs%2Fpr%2F3?x=1#top', { id: 'org/name', revision: 'refs/pr/3' }],
    ['dataset', 'https://huggingface.co/datasets/org/name', { id: 'org/name' }],
    ['dataset', 'https://huggingface.co/datasets/org/name/tree/v1', { id: 'org/name', revision: 'v1' }],
    ['dataset', 'https://huggingface.co/datasets/org/name/viewer', { id: 'org/name' }],
    ['dataset', 'https://huggingface.co/datasets/org/name/viewer/en', { id: 'org/name', config: 'en' }],
    [
      'dataset',
      'https://huggingface.co/datasets/org/name/viewer/en/test?row=3',
      { id: 'org/name', config: 'en', split: 'test' },
    ],
    ['model', 'https://huggingface.co/gpt2/tree/main', { id: 'gpt2', revision: 'main' }],
    ['dataset', 'https://huggingface.co/datasets/imdb', { id: 'imdb' }],
    ['model', 'org/name', undefined],
    ['model', 'https://example.org/org/name', undefined],
    ['dataset', './https/file.jsonl', undefined],
  ] as const)('%s %s', (type, text, expected) => {
    expect(parseRepoAddress(text, type)).toEqual(expected)
  })

  it.each([
    ['model', 'https://huggingface.co/datasets/org/name', /is the page of a dataset, expected a model$/],
    ['dataset', 'https://huggingface.co/org/name', /is the page of a model, expected a dataset$/],
    ['model', 'https://huggingface.co/', /names no model$/],
    ['model', 'https://huggingface.co/spaces/org/name', /names no model$/],
    ['model', 'https://huggingface.co/org/name/blob/main/x.gguf', /is not the page of a model but one below it$/],
    ['dataset', 'https://huggingface.co/datasets/org/name/tree/main/data', /not the page of a dataset but one below/],
  ] as const)('refuses as %s %s', (type, text, message) => {
    expect(() => parseRepoAddress(text, type)).toThrow(message)
  })

  it('knows the host that HF_ENDPOINT names', () => {
    vi.stubEnv('HF_ENDPOINT', 'http://mirror.example:8080/hub')
    expect(parseRepoAddress('http://mirror.example:8080/hub/org/name', 'model')).toEqual({ id: 'org/name' })
  })
})

it('an address and the options agree, or are refused', async () => {
  const model = 'https://huggingface.co/org/name/tree/v1'
  expect(readModelName({ model })).toEqual({ model: 'org/name', revision: 'v1', isAddress: true })
  expect(() => readModelName({ model, revision: 'v2' })).toThrow('`revision` v2 was given, and the address names v1')
  const dataset = 'https://huggingface.co/datasets/org/name/viewer/en/test'
  // train is the command line's default
  expect(await findHubDataset({ dataset, datasetSplit: 'train' })).toMatchObject({
    id: 'org/name',
    datasetConfig: 'en',
    datasetSplit: 'test',
  })
  await expect(findHubDataset({ dataset, datasetConfig: 'de' })).rejects.toThrow(
    '`datasetConfig` de was given, and the address names en',
  )
})
