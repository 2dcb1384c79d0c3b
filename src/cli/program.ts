import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import * as z from 'zod'
import { agentCommand } from './commands/agent.ts'
import { analyticsCommand, leaderboardCommand } from './commands/analytics.ts'
import { appCommand } from './commands/app.ts'
import { backupCommands } from './commands/backup.ts'
import { budgetCommand } from './commands/budget.ts'
import { callCommand } from './commands/call.ts'
import { certificateCommand } from './commands/certificate.ts'
import { completionCommand } from './commands/completion.ts'
import { configCommand } from './commands/config.ts'
import { costsCommand } from './commands/costs.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { importCommand } from './commands/import.ts'
import { exportCommand } from './commands/export.ts'
import { keyCommand } from './commands/key.ts'
import { jobsCommand } from './commands/jobs.ts'
import { killCommand } from './commands/kill.ts'
import { ledgerCommand } from './commands/ledger.ts'
import { loginCommands } from './commands/login.ts'
import { maintenanceCommands } from './commands/maintenance.ts'
import { opsCommand } from './commands/ops.ts'
import { operatorCommand } from './commands/operator.ts'
import { policyCommand } from './commands/policy.ts'
import { secretsCommand } from './commands/secrets.ts'
import { sessionCommand } from './commands/session.ts'
import { signingKeyCommand } from './commands/signing-key.ts'
import { startCommands } from './commands/start.ts'
import { tenantCommand } from './commands/tenant.ts'
import { tokenCommand } from './commands/token.ts'
import { verifyCommand } from './commands/verify.ts'
import { webhooksCommand } from './commands/webhooks.ts'
import type { Io } from './io.ts'
import { settleAll } from './settle.ts'

/** Every command. Writes to `io` alone, and throws where commander would end the process. */
export function buildProgram(io: Io, json = false): Command {
  const program = new Command('portcullis')
    // What stands behind a command belongs to it; `verify` and `verify list` have options of the same name.
    .enablePositionalOptions()
    .description('A hardened control plane for fleets of AI agents and services.')
    .version(readVersion(), '--version', 'print the version')
    .addHelpText('after', afterHelp)
  const commands = [
    ...startCommands(io),
    ...maintenanceCommands(io),
    ...backupCommands(io),
    tenantCommand(io),
    ...loginCommands(io),
    operatorCommand(io),
    sessionCommand(io),
    agentCommand(io),
    keyCommand(io),
    appCommand(io),
    tokenCommand(io),
    signingKeyCommand(io),
    certificateCommand(io),
    callCommand(io),
    ledgerCommand(io),
    killCommand(io),
    jobsCommand(io),
    opsCommand(io),
    policyCommand(io),
    budgetCommand(io),
    analyticsCommand(io),
    leaderboardCommand(io),
    costsCommand(io),
    exportCommand(io),
    secretsCommand(io),
    webhooksCommand(io),
    verifyCommand(io),
    importCommand(io),
    demoCommand(io),
    configCommand(io),
    doctorCommand(io),
    completionCommand(io, () => program),
  ]
  for (const command of commands) program.addCommand(command)
  return settleAll(program, io, json)
}

const afterHelp = `
Environment:
  PORTCULLIS_URL    the server for client commands (default: http://127.0.0.1:8080)
  PORTCULLIS_GRPC   the gRPC address for the demo (default: 127.0.0.1:50051)
  PORTCULLIS_KEY    the API key for client commands
  PORTCULLIS_CA, PORTCULLIS_CLIENT_CERT, PORTCULLIS_CLIENT_KEY
                    files for https: whom to believe, and a client certificate with its key
  PORTCULLIS_CLIENT_ID, PORTCULLIS_CLIENT_SECRET
                    the app and its secret for portcullis token get
  PORTCULLIS_DEBUG  1 shows where an unexpected fault comes from
  NO_COLOR          anything turns colours off

Exit codes:
  0    done
  1    the server refused
  2    wrong use of a command, or wrong settings
  3    the server cannot be reached, or could not start
  70   an unexpected fault
  130  interrupted

Example:
  $ portcullis up`

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version
}
