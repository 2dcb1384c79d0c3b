interface ImageName {
  /** With registry, without tag and digest, in small letters. */
  readonly repository: string
  /** The last part of the repository: `postgres` of `docker.io/library/postgres`. */
  readonly name: string
  readonly tag: string
}

function imageName(image: string): ImageName {
  const [named = ''] = image.trim().toLowerCase().split('@')
  const slash = named.lastIndexOf('/')
  const colon = named.indexOf(':', slash + 1)
  const repository = (colon === -1 ? named : named.slice(0, colon)).replace(/^(?:docker\.io\/|index\.docker\.io\/)/, '')
  const plain = repository.replace(/^library\//, '')
  return {
    repository: plain,
    name: plain.slice(plain.lastIndexOf('/') + 1),
    tag: colon === -1 ? '' : named.slice(colon + 1),
  }
}

const databases = new Set(
  `postgres postgresql postgresql-repmgr postgis timescaledb timescaledb-ha pgvector cloudnative-pg mysql mysql-server mariadb mariadb-galera percona
  percona-server mongo mongodb mongodb-community-server redis redis-stack redis-stack-server redis-cluster valkey keydb dragonfly memcached cassandra
  scylla cockroach cockroachdb clickhouse clickhouse-server elasticsearch opensearch neo4j influxdb couchdb couchbase arangodb rethinkdb rabbitmq nats
  etcd oracle-free oracle-xe mssql azure-sql-edge surrealdb questdb qdrant milvus weaviate questdb victoria-metrics tidb yugabyte`.split(
    /\s+/,
  ),
)

/** It keeps data or passes messages, and is meant for the services beside it alone. */
export function isDatabase(image: string): boolean {
  const { name, repository } = imageName(image)
  return (
    databases.has(name) || repository.startsWith('mcr.microsoft.com/mssql/') || /^supabase\/postgres$/.test(repository)
  )
}

/** Ports that databases listen on by custom, with their names. */
export const databasePorts: ReadonlyMap<number, string> = new Map([
  [1433, 'SQL Server'],
  [1521, 'Oracle'],
  [3306, 'MySQL'],
  [5432, 'PostgreSQL'],
  [5433, 'PostgreSQL'],
  [6379, 'Redis'],
  [6432, 'PgBouncer'],
  [9042, 'Cassandra'],
  [27017, 'MongoDB'],
])

// Their entrypoint starts as root, sets things up, and goes on as a user of its own.
const dropping = new Set(
  `postgres postgis timescaledb pgvector mysql mariadb percona mongo redis valkey rabbitmq cassandra clickhouse-server couchdb influxdb neo4j`.split(
    /\s+/,
  ),
)

export function startsAsRootAndDrops(image: string): boolean {
  const { name, repository } = imageName(image)
  return dropping.has(name) && !repository.startsWith('bitnami')
}

const unprivileged: readonly RegExp[] = [
  /^cgr\.dev\/chainguard\//,
  /^(?:docker\.io\/)?bitnami(?:legacy|secure)?\//,
  /^(?:ghcr\.io\/)?nginxinc\/nginx-unprivileged$/,
  /^nginx\/nginx-unprivileged$/,
  /^grafana\/(?:grafana|grafana-oss|grafana-enterprise|loki|tempo|mimir)$/,
  /^(?:quay\.io\/prometheus|prom)\/(?:prometheus|alertmanager|node-exporter|blackbox-exporter|pushgateway)$/,
  /^docker\.elastic\.co\//,
  /^(?:quay\.io\/)?keycloak\/keycloak$/,
  /^jenkins\/jenkins$/,
  /^otel\/opentelemetry-collector(?:-contrib)?$/,
  /^memcached$/,
  /^elasticsearch$/,
  /^opensearchproject\//,
]

/** It is published with a user other than root. */
export function runsUnprivileged(image: string): boolean {
  const { repository, tag } = imageName(image)
  if (repository.startsWith('gcr.io/distroless/')) return /(?:^|-)nonroot(?:-|$)/.test(tag)
  if (repository.startsWith('mcr.microsoft.com/dotnet/')) return tag.includes('chiseled') || tag.includes('distroless')
  return unprivileged.some((pattern) => pattern.test(repository))
}

const systems = new Set(
  `scratch alpine ubuntu debian busybox fedora centos rockylinux almalinux amazonlinux archlinux python node golang rust ruby php perl openjdk
  eclipse-temurin nginx httpd caddy traefik haproxy gcc maven gradle swift elixir erlang haskell bash buildpack-deps docker composer`.split(
    /\s+/,
  ),
)

/** A published image of a system or a language, whose user is root. */
export function runsAsRoot(image: string): boolean {
  const { repository } = imageName(image)
  return systems.has(repository)
}

// What is meant to be reached from everywhere, by its ports for the web.
const proxies = new Set('caddy nginx traefik haproxy envoy kong nginx-unprivileged apache httpd'.split(' '))

export function isProxy(image: string): boolean {
  return proxies.has(imageName(image).name)
}
