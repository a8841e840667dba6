/** How a model was made, for its card, beside the plan. */
export interface CardContent {
  /** Name of the model; that of the folder that it is written to if omitted. */
  name?: string | undefined
  /** The command that made it, as a shell reads it. */
  command?: string | undefined
  /** What else was done and measured, each a paragraph, list or table in Markdown. */
  sections?: string[] | undefined
  /** Names of the datasets that weights were fitted to or trained on, on the Hub or files. */
  datasets?: string[] | undefined
  results?: CardResult[] | undefined
}

/** A figure of the model as it is written. */
export interface CardResult {
  /** Name of the dataset, on the Hub or a file. */
  dataset: string
  texts: number
  perplexity: number
}
