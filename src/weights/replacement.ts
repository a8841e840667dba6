/** Values that take the place of a tensor's own; they are written in the type in which it is stored. */
export interface Replacement {
  shape: number[]
  data: Float32Array
}
