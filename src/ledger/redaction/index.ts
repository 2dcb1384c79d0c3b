export { maskText, redactText, type Redacted } from './redact.ts'
export { maskJsonText } from './mask-json.ts'
export { pseudonymWith, type Pseudonym } from './pseudonym.ts'
