export { digestProblem } from './digest.ts'
export { claimOf } from './judge.ts'
export { hasSignature, type SignedMessage } from './message.ts'
export { signatureIsRight } from './verify.ts'
