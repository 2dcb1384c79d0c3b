/**
 * Where the synthetic work gets its sizes and pauses from: quantiles of the two traces of the Azure LLM inference dataset 2023
 * (github.com/Azure/AzurePublicDataset at b469a113, CC-BY 4.0), described in Patel et al., "Splitwise: Efficient Generative LLM
 * Inference Using Phase Splitting", ISCA 2024. Computed from 8,819 calls of a coding service and 19,366 calls of a
 * conversation service, about an hour each. The calls themselves are not part of this project.
 */
export interface TraceQuantiles {
  /** Milliseconds from one call to the next. */
  readonly gapMs: Quantiles
  readonly contextTokens: Quantiles
  readonly generatedTokens: Quantiles
}

/** The values at the levels of `quantileLevels`, ascending. */
export type Quantiles = readonly number[]

export const quantileLevels: readonly number[] = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1]

// prettier-ignore
export const codeTrace: TraceQuantiles = {
  gapMs: [0.006, 0.022, 0.088, 0.209, 2.077, 63.798, 103.996, 272.856, 400.776, 2205.07, 217168.952],
  contextTokens: [3, 17, 75, 147, 578, 1469, 2745, 5188, 7303, 7436, 7437],
  generatedTokens: [6, 6, 6, 7, 9, 13, 24, 55, 90, 251, 1899],
}

// prettier-ignore
export const conversationTrace: TraceQuantiles = {
  gapMs: [0.002, 0.546, 6.32, 16.144, 48.272, 118.424, 246.733, 420.656, 565.194, 889.671, 4314.579],
  contextTokens: [2, 29, 181, 207, 396, 1020, 1189, 2735, 4083, 4142, 14050],
  generatedTokens: [7, 16, 41, 54, 85, 129, 395, 424, 451, 601, 1000],
}
