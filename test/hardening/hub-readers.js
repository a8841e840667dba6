// Hubs, mirrors and dataset cards that are wrong.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDataset } from '../../dist/texts/data/dataset.js'
import { mutateAnswer, withHub } from './hostile-hub.js'
import { measure } from './measure.js'
import { mutateDatasetCard } from './mutate-card.js'
import { datasetFiles, llama, readFixture } from './sound-files.js'

const MODEL = { type: 'model', id: 'org/model', files: llama }
const DATASET = { type: 'dataset', id: 'org/texts', files: datasetFiles }
const EXPORTED = { ...DATASET, exported: readFixture('data/snappy.parquet') }

async function readDataset(options = {}) {
  const dataset = await openDataset({ dataset: DATASET.id, ...options })
  for await (const row of dataset.rows()) if (typeof row.text !== 'string') throw new TypeError('no text')
}

/** What is damaged is the description of what the Hub does. */
function answersReader(repo, action) {
  const read = async (folder) => withHub(repo, JSON.parse(await readFile(join(folder, 'answer.json'))), action)
  return {
    variants: { sound: { files: { 'answer.json': Buffer.from('{}') }, damaged: 'answer.json' } },
    mutate: mutateAnswer,
    read,
  }
}

export function makeHubReaders() {
  return {
    "a Hub's answers, of a model": answersReader(MODEL, async () => void (await measure(MODEL.id))),
    "a Hub's answers, of a dataset": answersReader(DATASET, () => readDataset()),
    "a Hub's answers, of its parquet files": answersReader(EXPORTED, () => readDataset()),
    'dataset card': {
      variants: {
        train: { files: datasetFiles, damaged: 'README.md' },
        test: { files: datasetFiles, damaged: 'README.md' },
      },
      mutate: mutateDatasetCard,
      async read(folder, split) {
        const files = { ...datasetFiles, 'README.md': await readFile(join(folder, 'README.md')) }
        await withHub({ ...DATASET, files }, {}, () => readDataset({ datasetSplit: split, datasetConfig: 'default' }))
      },
    },
  }
}
