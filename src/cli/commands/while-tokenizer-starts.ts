/** Loads a job that reads texts while the thread that tokenizes them starts, which takes as long. */
export async function whileTokenizerStarts<Job>(load: () => Promise<Job>): Promise<Job> {
  const { startTokenizerThread } = await import('../../texts/tokens/tokenizer-thread.js')
  startTokenizerThread()
  return load()
}
