/** Values that replace those of a tensor; they are written in the type in which the tensor is stored. */
export interface Replacement {
  shape: number[]
  data: Float32Array
}
