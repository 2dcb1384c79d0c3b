import type { Control } from '../../check.ts'
import { r22 } from './r22.ts'

export const retentionSet: Control = {
  id: 'audit.retention-set',
  title: 'Time-series tables have retention and compression policies',
  severity: 'medium',
  why: 'Whoever can write events fills the disk until the database stops and with it everything that it decides, and what a leak takes away is years, not weeks.',
  remediation:
    "For each hypertable call add_retention_policy('table', interval '…') and add_compression_policy('table', interval '…') (add_columnstore_policy in newer versions); for pg_partman set retention in part_config.",
  references: [
    'https://docs.timescale.com/api/latest/data-retention/add_retention_policy/',
    'https://docs.timescale.com/api/latest/compression/add_compression_policy/',
    'https://github.com/pgpartman/pg_partman/blob/master/doc/pg_partman.md',
  ],
  rows: ['R22'],
  checks: [r22],
}
