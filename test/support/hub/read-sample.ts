import { openDataset } from '../../../src/texts/data/dataset.js'
import type { SampleDataset } from './sample-datasets.js'
import type { HubServer } from './server.js'

/** The texts of a sample dataset as layerprune reads them from a server. */
export async function readSample(
  server: HubServer,
  { repo, id = repo.id, column, config, split, revision }: SampleDataset,
) {
  process.env.HF_ENDPOINT = server.endpoint
  const dataset = await openDataset({
    dataset: id,
    datasetColumn: column,
    datasetConfig: config,
    datasetSplit: split,
    datasetRevision: revision,
  })
  const texts: string[] = []
  for await (const { text } of dataset.rows()) texts.push(text)
  return texts
}
