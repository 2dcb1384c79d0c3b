import { liveRule } from '../../check.ts'
import { listeners, type Listener } from '../../collect/wire/sockets.ts'
import { doorProblem, grpcDoor, management, target } from '../../collect/wire/target.ts'
import { stated, type Evidence } from '../../evidence.ts'

export const w01Rule = liveRule({
  needs: { target, grpcDoor, management, listeners },
  judge: ({ target: found, grpcDoor: door, management: health, listeners: sockets }) => {
    if ('unreadable' in sockets) return [unknown(sockets.unreadable, 'sockets')]
    if (found.is === 'no') return [unknown(found.why, 'target')]
    const ofHttp = judgePort('HTTP', found.port, sockets.listeners)
    const problem = doorProblem(found, door)
    const ofGrpc =
      problem === undefined ? judgePort('gRPC', door.grpc.port, sockets.listeners) : [unknown(problem, 'gRPC')]
    // Its usual port may belong to somebody else, and it may listen on another one.
    const isOurs = health.version === found.version && sockets.listeners.some(({ port }) => port === health.port)
    return [...ofHttp, ...ofGrpc, ...(isOurs ? judgePort('Management', health.port, sockets.listeners) : [])]
  },
})

function judgePort(called: string, port: number, all: readonly Listener[]): readonly Evidence[] {
  const bound = all.filter((each) => each.port === port)
  if (bound.length === 0) {
    const why = `${called} answers on port ${port}, and no socket of this machine listens there: it is in a container, behind a proxy or on another machine.`
    return [unknown(why, called)]
  }
  // Several processes may share one address.
  const loopback = new Map(bound.map((each) => [each.address, each.loopback]))
  return [...loopback].map(([address, isLoopback]) => {
    const subject = `${called} ${address}`
    return isLoopback
      ? stated('live', 'PASS', `${called} is bound to ${address}.`, { subject })
      : stated('live', 'FAIL', `${called} is bound to ${address}, which is not loopback.`, { subject })
  })
}

function unknown(why: string, subject: string): Evidence {
  return stated('live', 'UNKNOWN', why, { subject })
}
