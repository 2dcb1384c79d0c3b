import {
  audits,
  caddy,
  compose,
  dependabot,
  deployment,
  drop,
  grpc,
  hash,
  hsts,
  keep,
  metrics,
  noise,
  none,
  proto,
  rest,
  run,
  text,
  tornCompose,
  uses,
  weak,
  type Cases,
} from './variants.fixture.ts'

/** The checks that look at other files, by their ids. */
export const fileCases: Readonly<Record<string, Cases>> = {
  R05: {
    holds: { 'renovate.json': '{"extends": ["config:recommended"], "minimumReleaseAge": "3 days"}' },
    broken: [
      { 'renovate.json': '{"extends": ["config:recommended", ":automergeMinor"]}' },
      {
        'renovate.json':
          '{"minimumReleaseAge": "3 days", "automerge": true, "automergeType": "branch", "major": {"automerge": false}}',
      },
      { 'package.json': '{"name": "x", "renovate": {"extends": ["config:recommended"]}}' },
      { 'renovate.json': '{"extends": ["config:recommended"]}' },
      { 'renovate.json': '{"extends": ["config:recommended"], "minimumReleaseAge": "1 day"}' },
      {
        'renovate.json':
          '{"minimumReleaseAge": "3 days", "packageRules": [{"matchUpdateTypes": ["major"], "automerge": true}]}',
      },
    ],
    doubtful: [
      {
        'renovate.json':
          '{"minimumReleaseAge": "3 days", "packageRules": [{"matchPackageNames": ["x"], "minimumReleaseAge": null}]}',
      },
    ],
    unclear: ['ERROR', { 'renovate.json': '{ "extends": [' }],
    absent: none,
  },
  R06: {
    holds: dependabot('    cooldown:\n      default-days: 3\n'),
    broken: [
      { 'yarn.lock': '', '.yarnrc.yml': 'nodeLinker: node-modules\nnpmMinimalAgeGate: 1h\n' },
      { 'bun.lock': '', 'bunfig.toml': '[install]\nminimumReleaseAge = 60\n' },
      dependabot('    cooldown:\n      default-days: 3\n      semver-patch-days: 0\n'),
      dependabot('    cooldown:\n      default-days: 3\n      exclude:\n        - "*"\n'),
      dependabot('    cooldown:\n      default-days: 3\n      include:\n        - lodash\n'),
      dependabot(''),
      dependabot('    cooldown:\n      default-days: 1\n'),
      { 'pnpm-lock.yaml': "lockfileVersion: '9.0'\n", 'pnpm-workspace.yaml': 'minimumReleaseAge: 60\n' },
      { 'package-lock.json': '{}', '.npmrc': 'min-release-age=1\n' },
      { 'uv.lock': 'version = 1\n', 'pyproject.toml': '[tool.uv]\nexclude-newer = "P1D"\n' },
    ],
    unclear: ['ERROR', { '.github/dependabot.yml': 'version: 2\nupdates: {}\n' }],
    absent: none,
  },
  R07: {
    holds: { ...run('pip install -r requirements.txt'), 'requirements.txt': `flask==3.0.0 \\\n    ${hash}\n` },
    broken: [
      { 'Pipfile.lock': '{"default": {"flask": {"version": "==3.0.0"}}}' },
      { 'poetry.lock': '[[package]]\nname = "a"\nfiles = []\n' },
      { ...run('pip install -r requirements.txt'), 'requirements.txt': 'flask==3.0.0\n' },
      { ...run('pip install -r requirements.txt'), 'requirements.txt': `flask==3.0.0 ${hash}\nclick==8.1.7\n` },
    ],
    doubtful: [run('|\n          make\n          pip install -r requirements.txt')],
    unclear: ['ERROR', { 'uv.lock': 'version = 1\nx = [1' }],
    absent: none,
  },
  R08: {
    holds: { ...uses('actions/checkout@v4'), 'renovate.json': '{"extends": ["config:recommended"]}' },
    broken: [
      uses('actions/checkout@v4'),
      {
        ...uses('bufbuild/buf-setup-action@v1', 'version: v1.2.3'),
        '.github/dependabot.yml': 'version: 2\nupdates:\n  - package-ecosystem: github-actions\n    directory: /\n',
      },
    ],
    unclear: ['ERROR', { 'uv.lock': '', 'renovate.json': '{ "a": ' }],
    absent: none,
  },
  R09: {
    holds: text('install.sh', 'set -eu', 'curl -fsSL https://example.test/x.tgz | tar xz'),
    broken: [
      text('install.sh', '#!/bin/sh', 'set -eu', ': "${GITHUB_TOKEN:?set it}"', 'echo "$GITHUB_TOKEN" | gh auth login'),
    ],
    unclear: ['ERROR', { 'install.sh': 'echo ok\nif true; then\n' }],
    absent: none,
  },
  R10: {
    holds: text('src/a.ts', "export const secret = process.env['JWT_SECRET']"),
    broken: [
      text('.env', 'A=1', `JWT_SECRET=${weak}`),
      text('config/.env.production', `JWT_SECRET=${weak}`),
      run('|\n          make\n          echo $T\n', '        env:\n          T: ${{ secrets.T }}\n'),
      text('main.go', 'package a', `const JwtSecret = "${weak}"`),
      text('src/a.ts', 'export const a = 1', `const JWT_SECRET = '${weak}'`),
      text('app/a.py', 'import os', `JWT_SECRET = "${weak}"`),
      run('echo "${{ secrets.TOKEN }}"'),
    ],
    unclear: ['UNKNOWN', text('src/a.ts', `const JWT_SECRET = '${weak}'`, noise)],
    absent: { 'logo.png': 'x' },
  },
  R11: {
    holds: text('Dockerfile', 'FROM node:22', 'USER 10001:10001'),
    broken: [
      {
        'pod.yaml':
          'apiVersion: v1\nkind: Pod\nspec:\n  securityContext:\n    runAsUser: 0\n  containers:\n    - name: a\n      image: a\n',
      },
      deployment(''),
      text('Dockerfile', 'FROM node:22', 'USER root'),
      compose('    user: root\n'),
      deployment('          securityContext:\n            runAsUser: 0\n'),
    ],
    unclear: ['ERROR', { Dockerfile: 'FROM node:22\nUSER node\nRUNN x\n' }],
    absent: none,
  },
  R12: {
    holds: compose('    read_only: true\n'),
    broken: [
      deployment('          securityContext:\n            readOnlyRootFilesystem: false\n'),
      compose('    restart: always\n'),
      compose('    read_only: false\n'),
      deployment('          securityContext:\n            runAsNonRoot: true\n'),
    ],
    unclear: tornCompose,
    absent: none,
  },
  R13: {
    holds: compose('    cap_drop:\n      - ALL\n'),
    broken: [
      compose('    cap_drop:\n      - NET_RAW\n'),
      deployment(
        '          securityContext:\n            capabilities:\n              drop:\n                - ALL\n              add:\n                - SYS_ADMIN\n',
      ),
      compose('    cap_drop:\n      - ALL\n    privileged: true\n'),
      compose('    restart: always\n'),
      compose('    cap_drop:\n      - ALL\n    cap_add:\n      - SYS_ADMIN\n'),
      deployment('          securityContext:\n            runAsNonRoot: true\n'),
    ],
    unclear: tornCompose,
    absent: none,
  },
  R14: {
    holds: compose('    security_opt:\n      - no-new-privileges:true\n'),
    broken: [
      compose('    security_opt:\n      - no-new-privileges:false\n'),
      compose('    restart: always\n'),
      compose('    security_opt:\n      - apparmor=docker-default\n'),
      deployment('          securityContext:\n            allowPrivilegeEscalation: true\n'),
    ],
    unclear: tornCompose,
    absent: none,
  },
  R15: {
    holds: compose('    ports:\n      - 127.0.0.1:8080:80\n'),
    broken: [
      compose('    network_mode: host\n'),
      deployment('          ports:\n            - containerPort: 80\n              hostPort: 8080\n'),
      compose('    ports:\n      - 0.0.0.0:8080:80\n      - 127.0.0.1:1:1\n'),
      compose('    ports:\n      - target: 80\n        published: 8080\n        host_ip: 0.0.0.0\n'),
      compose('    ports:\n      - 8080\n'),
      compose('    ports:\n      - 8080:80\n'),
      compose('    ports:\n      - target: 80\n        published: 8080\n'),
    ],
    unclear: tornCompose,
    absent: none,
  },
  R16: {
    holds: compose('    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/db\n', 'postgres:17'),
    broken: [
      { 'config.yaml': 'apiVersion: v1\nkind: ConfigMap\ndata:\n  DATABASE_URL: postgres://app:hunter2@db/app\n' },
      compose('    environment:\n      - POSTGRES_PASSWORD=hunter2\n', 'postgres:17'),
      compose('    environment:\n      A_URL: redis://:${PW:-hunter2}@redis\n'),
      compose('    environment:\n      POSTGRES_PASSWORD: hunter2\n', 'postgres:17'),
      compose('    environment:\n      - DATABASE_URL=postgres://app:hunter2@db/app\n'),
      deployment('          env:\n            - name: PGPASSWORD\n              value: hunter2\n'),
    ],
    unclear: tornCompose,
    absent: none,
  },
  R17: {
    holds: compose('    expose:\n      - 5432\n', 'postgres:17'),
    broken: [
      compose('    ports:\n      - target: 5432\n        published: 5432\n', 'postgres:17'),
      {
        'db.yaml':
          'apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: db\nspec:\n  template:\n    metadata:\n      labels:\n        app: db\n    spec:\n      containers:\n        - name: db\n          image: postgres:17\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: db\nspec:\n  type: NodePort\n  selector:\n    app: db\n  ports:\n    - port: 5432\n',
      },
      compose('    ports:\n      - 5432:5432\n', 'postgres:17'),
      compose('    network_mode: host\n', 'postgres:17'),
    ],
    unclear: tornCompose,
    absent: none,
  },
  R18: {
    holds: caddy(...grpc, ...rest),
    broken: [
      caddy('\treverse_proxy h2c://app:50051'),
      caddy('\ttls {', '\t\tprotocols tls1.0', '\t}', ...grpc, ...rest),
    ],
    unclear: ['ERROR', { Caddyfile: 'a.test {\n\trespond 404\n' }],
    absent: none,
  },
  R19: {
    holds: caddy(hsts),
    broken: [caddy('\theader Strict-Transport-Security "max-age=3600"'), caddy('\treverse_proxy app:8080')],
    unclear: ['ERROR', { Caddyfile: 'a.test{\n}\n' }],
    absent: none,
  },
  R20: {
    holds: text('src/server.ts', "await pool.query('select 1')"),
    broken: [
      text('src/server.ts', 'const a = 1', 'await pool.query(`create table if not exists t (id int)`)'),
      text('app/main.py', 'from db import Base, engine', 'Base.metadata.create_all(bind=engine)'),
      text('cmd/server/main.go', 'package main', 'func main() {', '\tdb.AutoMigrate(&User{})', '}'),
    ],
    unclear: ['UNKNOWN', text('src/server.ts', 'await pool.query(`create table t (id int)`)', noise)],
    absent: none,
  },
  R21: {
    holds: text('migrations/1.sql', ...audits, ...keep),
    broken: [
      text('migrations/1.sql', ...audits),
      text('migrations/1.sql', ...audits, ...keep, 'grant update on audits.events to app;'),
    ],
    unclear: ['ERROR', text('migrations/1.sql', ...audits, ...keep, 'select $tag$ never closed')],
    absent: none,
  },
  R22: {
    holds: text(
      'db/1.sql',
      ...metrics,
      "select add_retention_policy('metrics', interval '90 days');",
      "select add_compression_policy('metrics', interval '7 days');",
    ),
    broken: [text('db/1.sql', ...metrics)],
    unclear: ['ERROR', text('db/1.sql', "select create_hypertable('metrics', 'at') froom x y z;")],
    absent: none,
  },
  R23: {
    holds: text('src/a.ts', 'export const a = 1'),
    broken: [text('src/a.ts', 'const a = 1', "localStorage.setItem('token', data.accessToken)")],
    unclear: ['UNKNOWN', text('src/a.ts', 'localStorage.token = accessToken', noise)],
    absent: none,
  },
  R24: {
    holds: text('scripts/build.sh', '#!/bin/sh', `${drop} dist`),
    broken: [text('scripts/purge.sh', '#!/bin/sh', 'set -eu', `${drop} "$1"`)],
    unclear: ['ERROR', text('scripts/purge.sh', 'if true; then', '  echo x')],
    absent: none,
  },
  R34: {
    holds: proto(
      'service Tasks { rpc CreateTask(CreateTaskRequest) returns (Task); }',
      'message CreateTaskRequest { string title = 1; }',
    ),
    broken: [
      proto(
        'service Tasks { rpc CreateTask(CreateTaskRequest) returns (Task); }',
        'message CreateTaskRequest {',
        '  google.protobuf.Struct details = 1;',
        '}',
      ),
    ],
    unclear: ['ERROR', proto('message A { string a = 1;')],
    absent: none,
  },
}
