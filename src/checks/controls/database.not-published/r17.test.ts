import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const compose = (text: string): Record<string, string> => ({ 'compose.yaml': `services:\n${text}` })

describe('R17', () => {
  it.each([
    ['no ports', '  db:\n    image: postgres:17\n'],
    ['exposed only', '  db:\n    image: postgres:17\n    expose: [5432]\n'],
    ['the ports of a web server', '  web:\n    image: acme/web\n    ports: ["8080:80"]\n'],
    ['a tool for a database', '  ui:\n    image: mongo-express:1\n    ports: ["127.0.0.1:8081:8081"]\n'],
  ])('R17: holds (%s)', async (_, text) => {
    expect((await judged('R17', compose(text))).outcome).toBe('PASS')
  })

  it.each([
    ['block style', '  db:\n    image: postgres:17\n    ports:\n      - "5432:5432"\n', '5:9 FAIL'],
    ['flow style', '  db: { image: postgres, ports: ["5432:5432"] }\n', '2:34 FAIL'],
    ['quoted', '  "db":\n    "image": "docker.io/library/postgres"\n    "ports": ["5432:5432"]\n', '4:15 FAIL'],
    ['CRLF', '  db:\r\n    image: mysql:8\r\n    ports:\r\n      - 3306:3306\r\n', '5:9 FAIL'],
    ['anchored', '  db: &db\n    image: redis:7\n    ports: ["6379:6379"]\n  db2: *db\n', '4:13 FAIL'],
    ['another port', '  db:\n    image: ghcr.io/acme/valkey:8\n    ports: ["9999:7000"]\n', '4:13 FAIL'],
    ['long', '  db:\n    image: mongo\n    ports: [{ target: 27017, published: 27017 }]\n', '4:13 FAIL'],
    ['built here', '  db:\n    build: ./db\n    ports: ["15432:5432"]\n', '4:13 FAIL'],
    ['the network of the host', '  db:\n    image: mariadb\n    network_mode: host\n', '4:19 FAIL'],
    ['loopback', '  db:\n    image: postgres\n    ports: ["127.0.0.1:5432:5432"]\n', '4:13 WARN'],
    ['a variable', '  db:\n    image: postgres\n    ports: ["${BIND}:5432:5432"]\n', '4:13 WARN'],
  ])('R17: is broken (%s)', async (_, text, place) => {
    expect(places(await judged('R17', compose(text)))).toEqual([`compose.yaml:${place}`])
  })

  it('R17: a service of a cluster does not lead outsiders to a database', async () => {
    const files = (type: string): Record<string, string> => ({
      'db.yaml':
        'apiVersion: apps/v1\nkind: StatefulSet\nspec:\n  template:\n    metadata: { labels: { app: db } }\n    spec:\n      containers: [{ name: db, image: "postgres:17" }]\n',
      'service.yaml': `apiVersion: v1\nkind: Service\nspec:\n  type: ${type}\n  selector: { app: db }\n  ports: [{ port: 80 }]\n`,
    })
    expect(places(await judged('R17', files('NodePort')))).toEqual(['service.yaml:4:9 FAIL'])
    expect((await judged('R17', files('ClusterIP'))).outcome).toBe('PASS')
  })

  it('R17: what cannot be read is said', async () => {
    expect(places(await judged('R17', compose('  db: {\n')))).toEqual(['compose.yaml:3:1 ERROR'])
    expect((await judged('R17', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R17: the network of the node is shared where Kubernetes reads yes', async () => {
    const pod =
      'apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: yes\n  containers: [{ name: a, image: postgres:17 }]\n'
    expect((await judged('R17', { 'pod.yaml': pod })).outcome).toBe('FAIL')
  })
})
