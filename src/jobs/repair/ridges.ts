/** Ridge strengths to try, see `solveRidge`. */
export const STRENGTHS = [1e-6, 1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]
/** Where the search for a strength starts. */
export const FIRST_TRIED = 0.1

/** Ridges that are tried at most: from the first to the strongest. */
export const MOST_TRIES = STRENGTHS.length - STRENGTHS.indexOf(FIRST_TRIED)
