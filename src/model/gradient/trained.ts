/** A trained weight: an input of the graph, fed in each step. */
export interface TrainedWeight {
  name: string
  shape: number[]
}

/** Output with the gradient of a trained weight, in the weight's shape. */
export function gradientName(weight: string): string {
  return `${weight}/gradient`
}
