import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const compose = (text: string): Record<string, string> => ({ 'compose.yaml': `services:\n${text}` })
const ports = (list: string, image = 'a'): Record<string, string> =>
  compose(`  web:\n    image: ${image}\n    ports: ${list}\n`)

describe('R15', () => {
  it.each([
    '["127.0.0.1:8080:80"]',
    '["127.0.0.1::80"]',
    '["127.0.0.1:5000-5010:5000-5010/udp"]',
    '["[::1]:5432:5432"]',
    '["::1:5432:5432"]',
    '["127.0.0.53:53:53/udp"]',
    '["${BIND:-127.0.0.1}:${PORT}:80"]',
    '[{ target: 80, published: "8080", host_ip: 127.0.0.1 }]',
    '[]',
  ])('R15: holds on loopback: %s', async (list) => {
    expect((await judged('R15', ports(list))).outcome).toBe('PASS')
  })

  it('R15: holds where ports are only exposed', async () => {
    expect(
      (await judged('R15', compose('  web:\n    image: a\n    expose: ["80"]\n    network_mode: bridge\n'))).outcome,
    ).toBe('PASS')
  })

  it.each([
    ['short', '["8080:80"]', 'compose.yaml:4:13 FAIL'],
    ['block style', '\n      - 8080:80', 'compose.yaml:5:9 FAIL'],
    ['CRLF', '\r\n      - "8080:80"', 'compose.yaml:5:9 FAIL'],
    ['a number', '\n      - 8080', 'compose.yaml:5:9 FAIL'],
    ['all addresses', "['0.0.0.0:8080:80']", 'compose.yaml:4:13 FAIL'],
    ['all addresses of IPv6', '["[::]:8080:80"]', 'compose.yaml:4:13 FAIL'],
    ['another network', '["192.168.1.2:80:80"]', 'compose.yaml:4:13 FAIL'],
    ['ranges', '["3000-3005:3000-3005"]', 'compose.yaml:4:13 FAIL'],
    ['long', '[{ target: 80, published: 8080 }]', 'compose.yaml:4:13 FAIL'],
    ['long, block style', '\n      - target: 80\n        published: 8080', 'compose.yaml:5:9 FAIL'],
    ['a default', '["${PORT:-8080}:80"]', 'compose.yaml:4:13 FAIL'],
    ['a port from outside', '["${PORT}:80"]', 'compose.yaml:4:13 FAIL'],
  ])('R15: is broken, and repaired where that is asked for (%s)', async (_, list, place) => {
    const files = ports(list)
    const result = await judged('R15', files)
    expect(places(result)).toEqual([place])
    expect((await judged('R15', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it('R15: an anchored list is one finding', async () => {
    const files = compose('  a:\n    image: a\n    ports: &ports ["80:80"]\n  b:\n    image: b\n    ports: *ports\n')
    expect(places(await judged('R15', files))).toEqual(['compose.yaml:4:20 FAIL'])
  })

  it('R15: what a variable decides is worth a look', async () => {
    expect((await judged('R15', ports('["${BIND}:8080:80"]'))).outcome).toBe('WARN')
    expect((await judged('R15', { ...ports('["${BIND}:8080:80"]'), '.env': 'BIND=127.0.0.1\n' })).outcome).toBe('PASS')
    expect(
      (await judged('R15', { ...ports('["${BIND:-127.0.0.1}:8080:80"]'), '.env': 'BIND=0.0.0.0\n' })).outcome,
    ).toBe('FAIL')
  })

  it('R15: a proxy on the ports of the web is worth a look, on others it is broken', async () => {
    expect((await judged('R15', ports('["80:80", "443:443/udp"]', 'caddy:2'))).outcome).toBe('WARN')
    expect((await judged('R15', ports('["2019:2019"]', 'caddy:2'))).outcome).toBe('FAIL')
  })

  it('R15: the network of the host is broken', async () => {
    expect(places(await judged('R15', compose('  web:\n    image: a\n    network_mode: host\n')))).toEqual([
      'compose.yaml:4:19 FAIL',
    ])
  })

  it('R15: an override file adds ports', async () => {
    const files = {
      ...ports('["127.0.0.1:80:80"]'),
      'compose.override.yaml': 'services:\n  web:\n    ports: ["81:80"]\n',
    }
    expect(places(await judged('R15', files))).toEqual(['compose.override.yaml:3:13 FAIL'])
    const replaced = {
      ...ports('["80:80"]'),
      'compose.override.yaml': 'services:\n  web:\n    ports: !override ["127.0.0.1:80:80"]\n',
    }
    expect((await judged('R15', replaced)).outcome).toBe('PASS')
  })

  it.each([
    [
      'a port of the node',
      '  containers:\n    - image: a\n      ports: [{ containerPort: 80, hostPort: 8080 }]\n',
      ['pod.yaml:6:46 FAIL'],
    ],
    [
      'on loopback',
      '  containers:\n    - image: a\n      ports: [{ containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1 }]\n',
      [],
    ],
    ['the network of the node', '  hostNetwork: true\n  containers:\n    - image: a\n', ['pod.yaml:4:16 FAIL']],
    ['only named', '  containers:\n    - image: a\n      ports: [{ containerPort: 80 }]\n', []],
  ])('R15: a pod (%s)', async (_, spec, found) => {
    expect(places(await judged('R15', { 'pod.yaml': `apiVersion: v1\nkind: Pod\nspec:\n${spec}` }))).toEqual(found)
  })

  it('R15: a service that leaves the cluster is worth a look', async () => {
    const service = (type: string): Record<string, string> => ({
      's.yaml': `apiVersion: v1\nkind: Service\nspec:\n  type: ${type}\n  ports: [{ port: 80 }]\n`,
    })
    expect((await judged('R15', service('NodePort'))).outcome).toBe('WARN')
    expect((await judged('R15', service('ClusterIP'))).outcome).toBe('PASS')
  })

  it('R15: what cannot be read is said', async () => {
    expect((await judged('R15', { 'compose.yaml': 'services: [\n' })).outcome).toBe('ERROR')
    expect((await judged('R15', ports('["example:80:80"]'))).outcome).toBe('ERROR')
    expect((await judged('R15', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })

  it.each(['true', 'True', 'yes', 'on'])(
    'R15: the network of the node is shared where Kubernetes reads %s',
    async (said) => {
      const pod = `apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: ${said}\n  containers: [{ name: a, image: b }]\n`
      expect((await judged('R15', { 'pod.yaml': pod })).outcome).toBe('FAIL')
    },
  )

  it('R15: external addresses of a service are worth a look', async () => {
    const service = 'apiVersion: v1\nkind: Service\nspec:\n  externalIPs: [192.0.2.1]\n  ports: [{ port: 80 }]\n'
    expect(places(await judged('R15', { 'service.yaml': service }))).toEqual(['service.yaml:4:17 WARN'])
  })
})
