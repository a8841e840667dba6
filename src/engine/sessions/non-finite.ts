/** What to do about a value that is no finite number, in a run of any type. */
export const NON_FINITE_HINT = 'the weights may be damaged, or too large for half precision: try `dtype: fp32`'
