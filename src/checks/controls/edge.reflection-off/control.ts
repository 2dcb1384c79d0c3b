import type { Control } from '../../check.ts'
import { f16 } from './f16.ts'
import { w09 } from './w09.ts'

export const reflectionOff: Control = {
  id: 'edge.reflection-off',
  title: 'gRPC reflection is off',
  severity: 'high',
  why: 'Reflection hands the whole contract, every method and every field, to whoever asks, and saves an attacker the search for what to call.',
  remediation:
    'Set `reflection.enabled: false` (ENABLE_REFLECTION=false) and restart; give clients the .proto files instead. Where it must be on in production, write the dated `reflection.waiver`.',
  references: [
    'https://github.com/grpc/grpc/blob/master/doc/server-reflection.md',
    'https://cheatsheetseries.owasp.org/cheatsheets/gRPC_Security_Cheat_Sheet.html',
  ],
  rows: ['F16', 'W09'],
  checks: [f16, w09],
}
