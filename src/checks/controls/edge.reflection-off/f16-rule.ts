import { configRule } from '../../check.ts'
import { settings } from '../../collect/config/settings.ts'
import { judgeSettings } from '../../judge-settings.ts'
import { judgeFlagOff } from '../flag-off.ts'

const reflection = {
  section: 'reflection',
  name: 'reflection',
  variable: 'ENABLE_REFLECTION',
  harm: 'it shows the whole contract to whoever asks',
}

export const f16Rule = configRule({
  needs: { settings },
  judge: ({ settings: parsed }) => judgeSettings(parsed, ['reflection'], (all) => judgeFlagOff(all, reflection)),
})
