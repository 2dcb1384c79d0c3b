import { describe, expect, it } from 'vitest'
import { places } from '../../checks.fixture.ts'
import { judgedSettings } from '../../settings.fixture.ts'

const env = { path: 'service.env' }

describe('F15', () => {
  it.each([
    ['nothing of it set', 'log:\n  level: info\n'],
    ['IPv4', 'listen:\n  grpc: 127.0.0.1:50051\n  http: 127.8.0.1:8080\n'],
    ['IPv6', 'listen:\n  grpc: "[::1]:50051"\n'],
    ['a name', "listen: { grpc: 'localhost:50051' }\n"],
    ['IPv4 inside IPv6', 'listen:\n  grpc: "[::ffff:127.0.0.1]:50051"\n'],
  ])('F15: holds on loopback (%s)', async (_, text) => {
    expect((await judgedSettings('F15', text)).outcome).toBe('PASS')
  })

  it.each([
    ['block style', 'listen:\n  grpc: 0.0.0.0:50051\n', '2:9'],
    ['flow style', 'listen: { grpc: 0.0.0.0:50051 }\n', '1:17'],
    ['quoted', 'listen:\n  "grpc": "0.0.0.0:50051"\n', '2:11'],
    ['CRLF', 'listen:\r\n  grpc: 0.0.0.0:50051\r\n', '2:9'],
    ['anchored', 'listen:\n  management: &a 0.0.0.0:50051\n  grpc: *a\n', '2:18'],
    ['an address of the network', 'listen:\n  grpc: 10.1.2.3:50051\n', '2:9'],
    ['all of IPv6', 'listen:\n  grpc: "[::]:50051"\n', '2:9'],
  ])('F15: is broken beyond loopback (%s)', async (_, text, place) => {
    const result = await judgedSettings('F15', text)
    expect(places(result)).toContain(`portcullis.yaml:${place} FAIL`)
    expect(result.evidence.every(({ source }) => source === 'config')).toBe(true)
  })

  it.each([
    ['GRPC_ADDR=127.0.0.1:50051', 'PASS'],
    ['export GRPC_ADDR="127.0.0.1:50051" # ours', 'PASS'],
    ['HTTP_ADDR=[::1]:8080\r\n', 'PASS'],
    ['HTTP_ADDR=unix:/run/portcullis.sock', 'PASS'],
    ['PORTCULLIS__LISTEN__GRPC=127.0.0.1:50051', 'PASS'],
    ['GRPC_ADDR=:50051', 'FAIL'],
    ['GRPC_ADDR=50051', 'FAIL'],
    ["GRPC_ADDR='0.0.0.0:50051'", 'FAIL'],
    ['GRPC_ADDR=[::]:50051\r\n', 'FAIL'],
    ['GRPC_ADDR=:::50051', 'FAIL'],
    ['GRPC_ADDR=tcp://0.0.0.0:50051', 'FAIL'],
    ['HTTP_ADDR=http://+:8080', 'FAIL'],
    ['HTTP_ADDR=192.168.1.5', 'FAIL'],
    ['export GRPC_ADDR=10.0.0.1:50051', 'FAIL'],
    ['PORTCULLIS__LISTEN__GRPC=0.0.0.0:50051', 'FAIL'],
    ['GRPC_ADDR=127.0.0.1:1\nGRPC_ADDR=:50051', 'FAIL'],
    ['GRPC_ADDR=hub.internal:50051', 'WARN'],
    ['GRPC_ADDR=${BIND}:50051', 'WARN'],
    ['OTHER=1', 'NOT_APPLICABLE'],
    ['GRPC_ADDR=', 'NOT_APPLICABLE'],
    ['PORTCULLIS__LISTN__GRPC=127.0.0.1:50051', 'ERROR'],
  ])('F15: reads env files: %s is %s', async (text, outcome) => {
    expect((await judgedSettings('F15', text, env)).outcome).toBe(outcome)
  })

  it('F15: names the value in an env file', async () => {
    const result = await judgedSettings('F15', '# where\nexport GRPC_ADDR="0.0.0.0:50051"\n', env)
    expect(places(result)).toEqual(['service.env:2:19 FAIL'])
  })

  it('F15: the environment goes before the file, as the server has it, and what it hides is said', async () => {
    const open = 'listen:\n  grpc: 0.0.0.0:50051\n'
    const hidden = await judgedSettings('F15', open, { env: { GRPC_ADDR: '127.0.0.1:50051' } })
    expect(hidden.outcome).toBe('WARN')
    const opened = await judgedSettings('F15', 'listen: {}\n', { env: { PORTCULLIS__LISTEN__HTTP: '0.0.0.0:8080' } })
    expect(opened.outcome).toBe('FAIL')
    expect(opened.evidence.map(({ detail }) => detail).join()).toContain('PORTCULLIS__LISTEN__HTTP')
  })

  it('F15: settings that do not load are an error at their place, and the rest is judged all the same', async () => {
    const result = await judgedSettings('F15', 'listen:\n  grcp: 127.0.0.1:1\n  http: 0.0.0.0:8080\n')
    expect(places(result)).toEqual(['-:0:0 PASS', 'portcullis.yaml:3:9 FAIL', 'portcullis.yaml:2:3 ERROR'])
  })

  it.each([
    ['broken YAML', 'listen: [unclosed\n', 'ERROR'],
    ['a list', '- a\n- b\n', 'ERROR'],
    ['nothing', '', 'ERROR'],
    ['a section that nobody knows', 'listn:\n  grpc: 127.0.0.1:1\n', 'ERROR'],
    ['settings of another program', 'feedser:\n  authority:\n    enabled: true\n', 'NOT_APPLICABLE'],
  ])('F15: %s', async (_, text, outcome) => {
    expect((await judgedSettings('F15', text)).outcome).toBe(outcome)
  })

  it.each([
    ['publishes on loopback', 'env_file: service.env\n    ports: ["127.0.0.1:8080:8080"]', 'NOT_APPLICABLE'],
    ['publishes nothing', 'env_file: [{ path: ./service.env }]', 'NOT_APPLICABLE'],
    ['mounts the folder', 'volumes: ["../deploy:/etc/hub:ro"]', 'NOT_APPLICABLE'],
    ['publishes to everybody', 'env_file: service.env\n    ports: ["8080:8080"]', 'FAIL'],
    ['is on the network of the host', 'env_file: service.env\n    network_mode: host', 'FAIL'],
    ['has another env file', 'env_file: other.env', 'FAIL'],
  ])('F15: what listens inside of a container that %s', async (_, lines, outcome) => {
    const repo = { 'deploy/compose.yaml': `services:\n  hub:\n    image: acme/hub\n    ${lines}\n` }
    const result = await judgedSettings('F15', 'GRPC_ADDR=:50051\n', { path: '/deploy/service.env', repo })
    expect(result.outcome).toBe(outcome)
  })
})
