export { SharedRates } from './shared-rates.ts'
