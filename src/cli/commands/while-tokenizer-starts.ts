import { existsSync, readdirSync } from 'node:fs'

interface Inputs {
  model: string
  dataset?: string | string[] | undefined
}

/**
 * Loads a job that reads texts while the process that tokenizes them starts, which takes as long. That process starts
 * later, with the tokenizer, if an input is not on this machine: it may not exist, and the job finds that out.
 */
export async function whileTokenizerStarts<Job>(inputs: Inputs, load: () => Promise<Job>): Promise<Job> {
  if (await areHere(inputs)) {
    const { startTokenizerProcess } = await import('../../texts/tokens/tokenizer-process.js')
    startTokenizerProcess()
  }
  return load()
}

async function areHere({ model, dataset = [] }: Inputs): Promise<boolean> {
  const { splitShare } = await import('../../texts/data/split-share.js')
  return isModel(model) && [dataset].flat().every((path) => isDataset(splitShare(path)?.id ?? path))
}

/** Whether a path is a GGUF file, or a folder with one or with a config. */
function isModel(path: string): boolean {
  const isPart = (name: string) => /config\.json$|\.gguf$/i.test(name)
  try {
    return isPart(path) ? existsSync(path) : readdirSync(path).some(isPart)
  } catch {
    // no such folder, or one that cannot be read, which the job explains
    return false
  }
}

/** Standard input and addresses cannot be looked at. */
function isDataset(path: string): boolean {
  return path === '-' || path.includes('://') || existsSync(path)
}
