export { RedisBuckets, type RedisSettings } from './redis-buckets.ts'
export { SharedRates, type SharedBuckets, type SharedRatesParts } from './shared-rates.ts'
