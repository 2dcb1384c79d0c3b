import type { Logger } from 'pino'
import type { Config } from '#config'
import { AgentsTls } from './agents-tls.ts'

interface Listener {
  readonly address: string
  stop(deadlineMs: number): Promise<void>
}

export interface AgentsAt {
  readonly address: string
  readonly tls: AgentsTls
}

interface AgentsParts {
  readonly config: Config
  readonly log: Logger
  readonly grpc: (agents: AgentsAt) => Promise<Listener>
  readonly http: (agents: AgentsAt) => Promise<Listener>
  /** Told of everything that was started. */
  readonly stops: (() => Promise<void>)[]
  readonly drainMs: number
}

export interface AgentsAddresses {
  readonly agentsGrpc: string | undefined
  readonly agentsHttp: string | undefined
}

/** The listeners for agents with client certificates, where they are set (SPEC G17). They share everything behind the doors. */
export async function listenAgents({ config, log, grpc, http, stops, drainMs }: AgentsParts): Promise<AgentsAddresses> {
  const { agentsGrpc, agentsHttp } = config.listen
  if (agentsGrpc === undefined && agentsHttp === undefined) return { agentsGrpc, agentsHttp }
  const tls = new AgentsTls(config, log)
  stops.push(async () => tls.close())
  const open = async (
    address: string | undefined,
    listen: (agents: AgentsAt) => Promise<Listener>,
  ): Promise<string | undefined> => {
    if (address === undefined) return undefined
    const listener = await listen({ address, tls })
    stops.push(() => listener.stop(drainMs))
    return listener.address
  }
  const at = { agentsGrpc: await open(agentsGrpc, grpc), agentsHttp: await open(agentsHttp, http) }
  log.info({ event: 'agents.listening', ...at }, 'agents with client certificates')
  return at
}
