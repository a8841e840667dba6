/** The JSON documents of layerprune by the `schema` that each states; `schemas/NAME.json` describes it. */
export const SCHEMAS = {
  similarity: 'layerprune.similarity/1',
  evaluation: 'layerprune.evaluation/1',
  tasks: 'layerprune.tasks/1',
  plan: 'layerprune.plan/1',
  prune: 'layerprune.prune/1',
  inspect: 'layerprune.inspect/1',
  recipe: 'layerprune.recipe/1',
  heal: 'layerprune.heal/1',
  sweep: 'layerprune.sweep/1',
  texts: 'layerprune.texts/1',
  export: 'layerprune.export/1',
} as const

export type SchemaName = keyof typeof SCHEMAS
