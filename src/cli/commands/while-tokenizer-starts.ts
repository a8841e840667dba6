/**
 * Loads a job that reads texts. The thread that tokenises them takes as long to start as the job to load: both begin at
 * once.
 */
export async function whileTokenizerStarts<Job>(load: () => Promise<Job>): Promise<Job> {
  const { startTokenizerProcess } = await import('../../texts/tokens/tokenizer-process.js')
  startTokenizerProcess()
  return load()
}
