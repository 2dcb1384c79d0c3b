/** What a variable of a container says about a database: a password, an address with one, or that none is needed. */
export type Claim = 'password' | 'address' | 'open' | undefined

const passwordName =
  /^(?:.*_)?(?:POSTGRES(?:QL)?|PG|MYSQL|MARIADB|MONGO(?:DB)?|REDIS|VALKEY|DB|DATABASE|MSSQL|SA|ORACLE|NEO4J|INFLUXDB|CLICKHOUSE|COUCHDB|RABBITMQ|CASSANDRA|ELASTIC(?:SEARCH)?|SQL|TYPEORM|DATASOURCE)(?:_[A-Z0-9]+)*?_?(?:PASSWORD|PASSWD|PASS|PWD|AUTH)$/i
const addressName = /(?:URL|URI|DSN|CONN(?:ECTION)?(?:_?STR(?:ING)?)?|DATABASE|DB|BROKER|BACKEND)$/i
const openName = /^(?:(?:MYSQL|MARIADB)_ALLOW_EMPTY(?:_ROOT)?_PASSWORD|ALLOW_EMPTY_PASSWORD)$/i
const databaseScheme =
  /(?:^|[\s"'=])((?:jdbc:)?(?:postgres(?:ql)?|pgsql|mysql2?|mariadb|mongodb|rediss?|valkeys?|mssql|sqlserver|amqps?|clickhouse|cockroachdb|nats|influxdb|couchdb|bolt|neo4j)(?:\+[a-z0-9]+)?):\/\/([^\s"'/@:]*):([^\s"'@]*)@/i

export function claimOf(name: string, value: string): Claim {
  if (name.length > 200) return undefined
  if (/_FILE$/i.test(name)) return undefined
  if (/^POSTGRES_HOST_AUTH_METHOD$/i.test(name)) return value.trim().toLowerCase() === 'trust' ? 'open' : undefined
  if (openName.test(name)) return /^(?:|0|no|false|off)$/i.test(value.trim()) ? undefined : 'open'
  if (passwordName.test(name)) return 'password'
  return addressName.test(name) || value.includes('://') ? 'address' : undefined
}

/** The password in the address of a database, as it is written; undefined without one. */
export function passwordIn(address: string): string | undefined {
  const text = address.slice(0, 4096)
  const [, , , password] = databaseScheme.exec(text) ?? []
  if (password !== undefined && password !== '') return password
  // As libpq, ADO.NET and JDBC write it.
  const [, keyed] = /(?:^|[;?&\s])(?:password|pwd)\s{0,4}=\s{0,4}([^;&\s]+)/i.exec(text) ?? []
  return keyed
}
