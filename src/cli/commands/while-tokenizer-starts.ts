/** Loads a job that reads texts while the process that tokenises them starts, which takes as long. */
export async function whileTokenizerStarts<Job>(load: () => Promise<Job>): Promise<Job> {
  const { startTokenizerProcess } = await import('../../texts/tokens/tokenizer-process.js')
  startTokenizerProcess()
  return load()
}
