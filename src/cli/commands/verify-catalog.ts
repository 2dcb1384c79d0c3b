import { Command } from 'commander'
import type { Check, Control } from '#checks'
import type { Io } from '../io.ts'
import { withExamples, withJson, type JsonOption } from '../options.ts'
import { paint, printable, table, wrapped } from '../print.ts'
import { knownId } from './verify-values.ts'

export function listCommand(io: Io): Command {
  const command = withJson(new Command('list'))
    .description('Lists every check, what it looks at and how bad it is where it does not hold.')
    .action(async ({ json }: JsonOption) => {
      const { controls } = await import('#checks')
      if (json === true) {
        const checks = controls.flatMap((control) => control.checks.map((check) => checkJson(check, control)))
        io.out.write(`${JSON.stringify({ checks, controls: controls.map(controlJson) })}\n`)
        return
      }
      const rows = controls.flatMap((control) =>
        control.checks.map((check) => [
          check.id,
          check.source,
          control.severity,
          fixOf(check),
          control.id,
          check.title,
        ]),
      )
      const inOrder = rows.toSorted(([a = ''], [b = '']) => a.localeCompare(b, 'en', { numeric: true }))
      io.out.write(
        table(['CHECK', 'LOOKS AT', 'SEVERITY', 'FIX', 'CONTROL', 'HOLDS WHERE'], inOrder, paint(io.out.colours)),
      )
      io.err.write('portcullis verify explain ID tells more about one.\n')
    })
  return withExamples(command, 'portcullis verify list', 'portcullis verify list --json')
}

export function explainCommand(io: Io): Command {
  const command = withJson(new Command('explain'))
    .description('Tells what a check or a control is about, which attack it stops, and what to do.')
    .argument('<id>', 'a check, such as R01, or a control, such as supply.no-checkout-credentials')
    .action(async (word: string, { json }: JsonOption) => {
      const { controls } = await import('#checks')
      const id = await knownId(controls, word)
      const own = controls.filter((control) => control.id === id || control.checks.some((check) => check.id === id))
      if (json === true) {
        const checks = own.flatMap((control) => control.checks.map((check) => checkJson(check, control)))
        io.out.write(`${JSON.stringify({ controls: own.map(controlJson), checks })}\n`)
        return
      }
      io.out.write(wrapped(own.map((control) => controlText(control, io)).join('\n'), io.out.columns))
    })
  return withExamples(command, 'portcullis verify explain R01')
}

function controlText(control: Control, io: Io): string {
  const { bold, dim } = paint(io.out.colours)
  const lines = [
    bold(control.title),
    `${control.id} · ${control.severity}${control.rows.length === 0 ? '' : ` · ${control.rows.join(' ')}`}`,
    '',
    `${dim('why:')} ${control.why}`,
    `${dim('to do:')} ${control.remediation}`,
    '',
    ...control.checks.flatMap((check) => checkLines(check, bold)),
    '',
    ...control.references.map((reference) => `  ${reference}`),
  ]
  return `${lines.join('\n')}\n`
}

function checkLines(check: Check, bold: (text: string) => string): readonly string[] {
  const looks = { repo: 'files of the repository', config: 'settings and environment', live: 'the running instance' }
  return [
    `${bold(check.id)} ${check.title}`,
    `  looks at: ${looks[check.source]}${check.source === 'live' ? `, from ${check.vantage}; ${check.safety}` : ''}`,
    ...(check.fixes === undefined ? [] : [`  --fix: ${fixOf(check)}`]),
    ...Object.entries(check.parameters ?? {}).map(
      ([name, { means, default: usual }]) =>
        `  --param ${check.id}.${name}=…: ${means} (default: ${usual.length === 0 ? 'none' : printable(usual.join(','))})`,
    ),
  ]
}

function checkJson(
  { id, title, source, fixes, parameters, ...rest }: Check,
  { id: control, severity }: Control,
): object {
  const live = source === 'live' && 'vantage' in rest ? { vantage: rest.vantage, safety: rest.safety } : {}
  return { id, title, source, severity, control, fixes, parameters, ...live }
}

function controlJson({ id, title, severity, why, remediation, references, rows, checks }: Control): object {
  return { id, title, severity, why, remediation, references, rows, checks: checks.map((check) => check.id) }
}

function fixOf({ fixes }: Check): string {
  return fixes === undefined ? '-' : fixes === 'both' ? 'safe, unsafe' : fixes
}
