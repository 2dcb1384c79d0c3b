import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const dockerfile = (text: string): Record<string, string> => ({ Dockerfile: text })
const compose = (text: string): Record<string, string> => ({ 'compose.yaml': `services:\n${text}` })
const pod = (text: string): Record<string, string> => ({ 'pod.yaml': `apiVersion: v1\nkind: Pod\nspec:\n${text}` })

describe('R11', () => {
  it.each([
    ['a number', 'FROM node:22\nUSER 10001:10001\n'],
    ['a name', 'FROM node:22\nuser node\n'],
    ['an argument with a default', 'FROM node:22\nARG UID=1000\nUSER ${UID}\n'],
    ['an argument of the whole file', 'ARG UID=1000\nFROM node:22\nARG UID\nUSER $UID\n'],
    ['a base that is not root', 'FROM gcr.io/distroless/static-debian12:nonroot\nCOPY app /app\n'],
    ['the stage that it goes on from', 'FROM node:22 AS base\nUSER node\nFROM base\nCMD ["x"]\n'],
    [
      'root only while it builds',
      'FROM node:22 AS build\nUSER root\nRUN make\nFROM node:22\nUSER root\nRUN x\nUSER node\n',
    ],
  ])('R11: an image runs as another user than root (%s)', async (_, text) => {
    expect((await judged('R11', dockerfile(text))).outcome).toBe('PASS')
  })

  it.each([
    ['no USER', 'FROM node:22\nCMD ["x"]\n', 'Dockerfile:1:6 FAIL'],
    ['root', 'FROM node:22\nUSER root\n', 'Dockerfile:2:1 FAIL'],
    ['zero', 'FROM node:22\nUSER 0:1000\n', 'Dockerfile:2:1 FAIL'],
    ['quoted', 'FROM node:22\nUSER "root"\n', 'Dockerfile:2:1 FAIL'],
    ['CRLF', 'FROM node:22\r\nUSER root\r\n', 'Dockerfile:2:1 FAIL'],
    ['a user of a stage that is left', 'FROM node:22 AS build\nUSER node\nFROM node:22\n', 'Dockerfile:3:6 FAIL'],
    ['an argument whose default is root', 'FROM node:22\nARG U=root\nUSER $U\n', 'Dockerfile:3:1 FAIL'],
    ['an argument without default', 'FROM node:22\nARG U\nUSER $U\n', 'Dockerfile:3:1 WARN'],
    ['a base that is an argument', 'ARG BASE\nFROM $BASE\n', 'Dockerfile:2:6 WARN'],
    ['an entrypoint that drops root', 'FROM node:22\nENTRYPOINT ["gosu", "node", "x"]\n', 'Dockerfile:1:6 WARN'],
  ])('R11: an image runs as root, or might (%s)', async (_, text, place) => {
    expect(places(await judged('R11', dockerfile(text)))).toEqual([place])
  })

  it('R11: a Dockerfile that cannot be read is an error at its place', async () => {
    expect(places(await judged('R11', dockerfile('FROM node:22\nUSER node\nRUNN x\n')))).toEqual([
      'Dockerfile:3:1 ERROR',
    ])
    expect(places(await judged('R11', dockerfile('services:\n')))).toEqual(['Dockerfile:1:1 ERROR'])
    expect((await judged('R11', { 'Dockerfile.j2': 'FROM {{ base }}\n' })).outcome).toBe('UNKNOWN')
  })

  it('R11: does not apply without containers', async () => {
    expect((await judged('R11', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })

  it.each([
    ['block style', '  web:\n    image: node:22\n    user: root\n', '4:11'],
    ['flow style', '  web: { image: node:22, user: root }\n', '2:32'],
    ['quoted', '  web:\n    image: node:22\n    "user": "0:0"\n', '4:13'],
    ['CRLF', '  web:\r\n    image: node:22\r\n    user: root\r\n', '4:11'],
    ['anchored', '  web: &web\n    image: node:22\n    user: root\n  again:\n    <<: *web\n', '4:11'],
    ['a variable with a default', '  web:\n    image: node:22\n    user: ${WHO:-root}\n', '4:11'],
    ['no user', '  web:\n    image: node:22\n', '2:3'],
  ])('R11: a service runs as root (%s)', async (_, text, place) => {
    expect(places(await judged('R11', compose(text)))).toEqual([`compose.yaml:${place} FAIL`])
  })

  it('R11: service and Dockerfile are judged together', async () => {
    const files = { Dockerfile: 'FROM node:22\n', ...compose('  web:\n    build: .\n    user: "1000"\n') }
    expect((await judged('R11', files)).outcome).toBe('PASS')
    const bare = {
      'api/Dockerfile': 'FROM node:22\nUSER node\n',
      ...compose('  web:\n    build:\n      context: ./api\n'),
    }
    expect((await judged('R11', bare)).outcome).toBe('PASS')
    expect((await judged('R11', compose('  web:\n    build: ./gone\n'))).outcome).toBe('UNKNOWN')
    const target = {
      Dockerfile: 'FROM node:22 AS dev\nFROM node:22\nUSER node\n',
      ...compose('  web:\n    build: { context: ., target: dev }\n'),
    }
    expect(places(await judged('R11', target))).toEqual(['Dockerfile:1:6 FAIL'])
  })

  it('R11: an image that drops root by itself is worth a look', async () => {
    expect((await judged('R11', compose('  db:\n    image: postgres:17\n'))).outcome).toBe('WARN')
    expect((await judged('R11', compose('  db:\n    image: grafana/grafana:12\n'))).outcome).toBe('PASS')
  })

  it.each([
    [
      'the pod says so',
      '  securityContext: { runAsNonRoot: true }\n  containers:\n    - name: a\n      image: a\n',
      [],
    ],
    [
      'a user by number',
      '  containers:\n    - name: a\n      image: a\n      securityContext: { runAsUser: 1000 }\n',
      [],
    ],
    ['nothing says so', '  containers:\n    - name: a\n      image: a\n', ['pod.yaml:5:13 FAIL']],
    [
      'the container takes it back',
      '  securityContext:\n    runAsNonRoot: true\n  containers:\n    - name: a\n      image: a\n      securityContext:\n        runAsNonRoot: false\n',
      ['pod.yaml:10:23 FAIL'],
    ],
    ['number zero', '  containers:\n    - image: a\n      securityContext: { runAsUser: 0 }\n', ['pod.yaml:6:37 FAIL']],
  ])('R11: a pod (%s)', async (_, text, found) => {
    expect(places(await judged('R11', pod(text)))).toEqual(found)
  })

  it('R11: templates of a chart are unknown, once', async () => {
    const template = 'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n'
    const files = {
      'chart/Chart.yaml': 'name: x\n',
      'chart/templates/a.yaml': template,
      'chart/templates/b.yaml': template,
    }
    expect(places(await judged('R11', files))).toEqual(['chart/templates/a.yaml:1:1 UNKNOWN'])
  })
})
