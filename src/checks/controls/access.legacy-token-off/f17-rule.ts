import { configRule } from '../../check.ts'
import { settings } from '../../collect/config/settings.ts'
import { judgeSettings } from '../../judge-settings.ts'
import { judgeFlagOff } from '../flag-off.ts'

const legacyToken = {
  section: 'legacyToken',
  name: 'the legacy token',
  variable: 'ALLOW_LEGACY_AUTH_TOKEN',
  harm: 'whoever has it is everybody who has it, and nobody can be locked out alone',
}

export const f17Rule = configRule({
  needs: { settings },
  judge: ({ settings: parsed }) => judgeSettings(parsed, ['legacyToken'], (all) => judgeFlagOff(all, legacyToken)),
})
