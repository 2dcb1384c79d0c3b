import type { Control } from '../../check.ts'
import { r34 } from './r34.ts'

export const writesTyped: Control = {
  id: 'contract.writes-typed',
  title: 'Methods that write take typed messages',
  severity: 'medium',
  why: 'What has no type is checked by nobody on its way in: a caller puts in what the code behind it believes, as deep and as large as the transport lets through.',
  remediation:
    'Give the request a message with a field for each thing that it may carry, a oneof where it is one of several, instead of google.protobuf.Struct, Value, ListValue or Any.',
  references: [
    'https://protobuf.dev/best-practices/dos-donts/',
    'https://cwe.mitre.org/data/definitions/20.html',
    'https://protobuf.dev/reference/protobuf/google.protobuf/#struct',
  ],
  rows: ['R34'],
  checks: [r34],
}
