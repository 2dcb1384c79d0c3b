import { liveRule } from '../../check.ts'
import { grpcStatus } from '../../collect/wire/grpc.ts'
import { reflection, type ReflectionAnswer } from '../../collect/wire/reflection.ts'
import { doorProblem, grpcDoor, target, type GrpcDoor } from '../../collect/wire/target.ts'
import { stated, type Evidence } from '../../evidence.ts'
import type { Outcome } from '../../outcome.ts'

export const w09Rule = liveRule({
  needs: { target, grpcDoor, reflection },
  judge: ({ target: found, grpcDoor: door, reflection: answers }) => {
    const problem = doorProblem(found, door)
    if (problem !== undefined) return [stated('live', 'UNKNOWN', problem, { subject: 'target' })]
    return answers.map((answer) => judgeAnswer(answer, door))
  },
})

const shownMax = 5

function judgeAnswer({ version, answer, services }: ReflectionAnswer, { grpc, absent }: GrpcDoor): Evidence {
  const service = `grpc.reflection.${version}`
  const say = (outcome: Outcome, detail: string): Evidence =>
    stated('live', outcome, `${grpc.address}: ${detail}`, { subject: service })
  if (services !== undefined && services.length > 0) {
    const shown = services.slice(0, shownMax).join(', ')
    const more = services.length > shownMax ? ` and ${services.length - shownMax} more` : ''
    return say('FAIL', `${service} lists the services to a caller without credential: ${printable(shown)}${more}.`)
  }
  if (answer.code === grpcStatus.ok && answer.message !== undefined)
    return say('FAIL', `${service} is served: it answered, though without a list of services.`)
  switch (answer.code) {
    case grpcStatus.unimplemented:
      return say('PASS', `${service} is not served, while the health method is.`)
    case grpcStatus.unauthenticated:
    case grpcStatus.permissionDenied:
      // Where a method that does not exist is refused in the same way, the refusal says nothing about this one.
      return absent.code === grpcStatus.unimplemented
        ? say('WARN', `${service} is served, and asks for a credential first (${answer.status}).`)
        : say('UNKNOWN', `${service} and methods that do not exist are refused alike (${answer.status}).`)
    default:
      return say('UNKNOWN', `${service} gave no answer that tells (${answer.status}).`)
  }
}

/** Names from the wire go into reports: they are names or they are not shown. */
function printable(text: string): string {
  return text.replaceAll(/[^\w., /-]/g, '?').slice(0, 400)
}
