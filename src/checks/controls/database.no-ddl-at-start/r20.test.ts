import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

async function found(path: string, text: string): Promise<readonly string[]> {
  return places(await judged('R20', { [path]: text }))
}

describe('R20', () => {
  it.each([
    ['create_all', 'app/main.py', 'from db import Base, engine\n\nBase.metadata.create_all(bind=engine)\n', '3:1'],
    ['create_all of Flask', 'app/__init__.py', 'def create_app():\n    db.create_all()\n', '2:5'],
    ['AutoMigrate', 'cmd/server/main.go', 'package main\nfunc main() {\n\tdb.AutoMigrate(&User{})\n}\n', '3:2'],
    [
      'sequelize.sync',
      'src/server.js',
      "const { Sequelize } = require('sequelize')\nawait sequelize.sync({ alter: true })\n",
      '2:7',
    ],
    [
      'synchronize',
      'src/data-source.ts',
      "import { DataSource } from 'typeorm'\nnew DataSource({ type: 'postgres', synchronize: true })\n",
      '2:36',
    ],
    ['migrations from code', 'src/index.ts', 'await knex.migrate.latest()\n', '1:7'],
    ['SQL', 'src/server.ts', 'await pool.query(`create table if not exists t (id int)`)\n', '1:7'],
    ['SQL behind a name', 'src/db.ts', "const schema = 'CREATE INDEX i ON t (a)'\nawait pool.query(schema)\n", '2:7'],
    ['SQL with something put in', 'src/app.ts', 'await pool.query(`ALTER TABLE ${name} ADD COLUMN x int`)\n', '1:7'],
    ['SQL from Python', 'main.py', 'cur.execute("""\nCREATE TABLE IF NOT EXISTS t (id int);\n""")\n', '1:1'],
    ['SQL from Go', 'main.go', 'package main\nfunc main() { db.Exec(`CREATE TABLE t (id int)`) }\n', '2:15'],
    ['CRLF', 'app/main.py', 'import x\r\nBase.metadata.create_all(engine)\r\n', '2:1'],
  ])('R20: is broken by %s', async (_, path, text, place) => {
    expect(await found(path, text)).toEqual([`${path}:${place} FAIL`])
  })

  it.each([
    ['a migration', 'migrations/versions/1_a.py', 'def upgrade():\n    op.execute("CREATE TABLE t (id int)")\n'],
    ['a tool', 'scripts/create-db.ts', 'await pool.query(`create table t (id int)`)\n'],
    ['a test', 'test/app.test.ts', 'await pool.query(`create table t (id int)`)\n'],
    ['a temporary table', 'src/server.ts', 'await pool.query(`create temp table t (id int)`)\n'],
    ['rows', 'src/server.ts', "await pool.query('insert into alterations values (1)')\n"],
    ['English', 'src/server.ts', "log.query('drop table by the window and create index cards')\n"],
    ['a comment', 'src/server.ts', '// pool.query(`create table t (id int)`)\nawait start()\n'],
    ['another sync', 'src/server.ts', 'await fs.sync({})\nawait cache.sync()\n'],
    [
      'synchronize off',
      'src/data-source.ts',
      "import { DataSource } from 'typeorm'\nnew DataSource({ synchronize: false })\n",
    ],
    ['a file of SQLite', 'src/db.ts', "import Database from 'better-sqlite3'\ndb.exec('create table t (id int)')\n"],
    ['an action named create_all', 'app/main.py', 'reports.create_all()\n'],
  ])('R20: does not mind %s', async (_, path, text) => {
    expect(await found(path, text)).not.toContainEqual(expect.stringMatching(/FAIL|WARN|ERROR/))
  })

  it.each([
    ['asks for its environment', 'app/main.py', "if settings.env == 'dev':\n    Base.metadata.create_all(engine)\n"],
    ['need not run at the start', 'src/reports.ts', 'await pool.query(`create table t (id int)`)\n'],
  ])('R20: cannot be told where it %s', async (_, path, text) => {
    expect((await judged('R20', { [path]: text })).outcome).toBe('WARN')
  })

  it.each([
    ['an entrypoint', 'docker-entrypoint.sh', '#!/bin/sh\nset -e\nalembic upgrade head\nexec "$@"\n', '3:1'],
    ['an image', 'Dockerfile', 'FROM node:24\nCMD npx prisma migrate deploy && node server.js\n', '2:5'],
    [
      'an image in exec form',
      'Dockerfile',
      'FROM node:24\nCMD ["sh", "-c", "npx prisma db push && node server.js"]\n',
      '2:1',
    ],
    [
      'a service',
      'compose.yaml',
      'services:\n  api:\n    image: a\n    command: sh -c "python manage.py migrate && gunicorn app"\n',
      '4:14',
    ],
    ['a package', 'package.json', '{ "scripts": { "start": "knex migrate:latest && node ." } }', '1:26'],
    [
      'what runs before',
      'package.json',
      '{ "scripts": { "prestart": "prisma migrate deploy", "start": "node ." } }',
      '1:29',
    ],
    ['a script of the package', 'start.sh', 'npm run db:migrate\nnode server.js\n', '1:1'],
    ['a Procfile', 'Procfile', 'web: rails db:migrate && puma\n', '1:6'],
  ])('R20: is broken by %s that migrates and starts', async (_, path, text, place) => {
    expect(await found(path, text)).toEqual([`${path}:${place} FAIL`])
  })

  it.each([
    [
      'a service of its own',
      'compose.yaml',
      'services:\n  migrate:\n    image: a\n    command: alembic upgrade head\n',
    ],
    ['a release step', 'Procfile', 'release: rails db:migrate\nweb: puma\n'],
    ['a script for it', 'package.json', '{ "scripts": { "migrate": "knex migrate:latest", "start": "node ." } }'],
    ['an image for it', 'Dockerfile', 'FROM migrate/migrate\nENTRYPOINT ["migrate", "-path", "/m", "up"]\n'],
    [
      'a database that is filled when it is made',
      'docker-entrypoint-initdb.d/start.sh',
      'alembic upgrade head\nexec "$@"\n',
    ],
  ])('R20: holds with %s', async (_, path, text) => {
    expect(await found(path, text)).not.toContainEqual(expect.stringMatching(/FAIL|WARN/))
  })

  it('R20: migrations with a role of their own are doubtful alone', async () => {
    const text = 'DATABASE_URL=$OWNER_DATABASE_URL prisma migrate deploy\nexec node server.js\n'
    expect(await found('entrypoint.sh', text)).toEqual(['entrypoint.sh:1:1 WARN'])
  })

  it('R20: does not apply where nothing is started', async () => {
    expect((await judged('R20', { 'README.md': '' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R20: the texts of a statement are not shown: they may be passwords', async () => {
    const { evidence } = await judged('R20', {
      'src/db.ts': `client.query("create table a (b text default 'open sesame')")\n`,
    })
    expect(evidence.map(({ detail }) => detail).join()).toContain("default '…'")
    expect(JSON.stringify(evidence.map(({ detail }) => detail))).not.toContain('sesame')
  })
})
