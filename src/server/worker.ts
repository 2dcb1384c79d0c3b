import { loadConfig, type LoadInput } from '#config'
import type { ConnectionSettings } from '#store'
import { startInstance, type Instance } from './instance.ts'
import { makeLog } from './log.ts'
import type { AgentsAddresses } from './mtls/compose.ts'
import { StartError } from './start-error.ts'

export interface Addresses extends AgentsAddresses {
  readonly grpc: string
  readonly http: string
  readonly management: string
}

export type ToWorker =
  | { readonly type: 'start'; readonly load: LoadInput; readonly connection: ConnectionSettings }
  | { readonly type: 'moved'; readonly connection: ConnectionSettings }
  | { readonly type: 'stop' }

/** The process of one worker; everything it is told comes from the process that forked it. */
let instance: Instance | undefined
let settings: ConnectionSettings | undefined

// Ctrl-C reaches the whole group; the parent drains and stops in order.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
process.on('disconnect', () => process.exit(1))
process.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'start':
      void start(message.load, message.connection)
      return
    case 'moved':
      if (settings !== undefined) Object.assign(settings.client, message.connection.client)
      return
    case 'stop':
      void stop()
  }
})

async function start(load: LoadInput, connection: ConnectionSettings): Promise<void> {
  try {
    const loaded = loadConfig(load)
    if (!loaded.ok) throw new StartError('the settings are not usable any more')
    settings = connection
    instance = await startInstance(loaded.config, connection, makeLog(loaded.config.log))
    const { grpc, http, management, agentsGrpc, agentsHttp } = instance
    process.send?.({ ready: { grpc, http, management, agentsGrpc, agentsHttp } })
  } catch (error) {
    const problems = error instanceof StartError ? error.problems : []
    const text = error instanceof Error ? error.message : String(error)
    process.send?.({ failed: [text, ...problems].join('; ') }, undefined, undefined, () => process.exit(1))
  }
}

async function stop(): Promise<void> {
  await instance?.stop()
  process.exit(0)
}
