export { RedisBuckets } from './redis-buckets.ts'
export { SharedRates } from './shared-rates.ts'
