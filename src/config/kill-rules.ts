import { problem, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'

/** Each rule of the kill switch has a name of its own and a threshold that can be reached (SPEC K6). */
export function killRulesAreSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const names = config.kill.auto.map(({ name }) => name)
  return config.kill.auto.flatMap(({ name, on, threshold }, index) => {
    const path = `kill.auto.${index}`
    const value = Number(threshold)
    const found: Problem[] = []
    if (names.indexOf(name) !== index)
      found.push(problem(`${path}.name`, showValue(name), 'Two rules have that name.', 'Give each a name of its own.'))
    if (on === 'spend_rate' ? !(value > 0) : !(value > 0 && value <= 1))
      found.push(
        problem(
          `${path}.threshold`,
          showValue(threshold),
          on === 'spend_rate' ? 'It is no amount of dollars.' : 'It is no share of the calls.',
          on === 'spend_rate'
            ? 'Write dollars in the window, such as 20.'
            : 'Write a share above 0 and up to 1, such as 0.5.',
        ),
      )
    return found
  })
}
