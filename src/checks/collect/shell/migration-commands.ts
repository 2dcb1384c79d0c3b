/** What brings a schema up to date, by the name of the program: the words behind it, each by a pattern. */
const tools: Readonly<Record<string, readonly (readonly RegExp[])[]>> = {
  alembic: [[/^upgrade$/]],
  artisan: [[/^migrate/]],
  atlas: [
    [/^migrate$/, /^apply$/],
    [/^schema$/, /^apply$/],
  ],
  dbmate: [[/^(?:up|migrate)$/]],
  diesel: [[/^migration$/, /^run$/], [/^setup$/]],
  'django-admin': [[/^migrate$/]],
  'drizzle-kit': [[/^(?:push|migrate)/]],
  ef: [[/^database$/, /^update$/]],
  flask: [[/^db$/, /^upgrade$/]],
  flyway: [[/^migrate$/]],
  goose: [[/^up/]],
  knex: [[/^migrate:(?:latest|up)$/]],
  liquibase: [[/^update$/]],
  'manage.py': [[/^(?:migrate|syncdb)$/]],
  migrate: [[/^up$/]],
  'mikro-orm': [[/^(?:migration:up|schema:update)$/]],
  'node-pg-migrate': [[/^up$/]],
  prisma: [
    [/^db$/, /^push$/],
    [/^migrate$/, /^(?:deploy|dev|reset)$/],
  ],
  rails: [[/^db:(?:migrate|schema:load|setup|prepare|reset)/]],
  rake: [[/^db:(?:migrate|schema:load|setup|prepare|reset)/]],
  sequelize: [[/^db:(?:migrate|sync)/]],
  'sequelize-cli': [[/^db:(?:migrate|sync)/]],
  sqlx: [
    [/^migrate$/, /^run$/],
    [/^database$/, /^setup$/],
  ],
  typeorm: [[/^(?:migration:run|schema:sync)$/]],
}
const packageRunners = new Set(['npm', 'yarn', 'pnpm', 'bun'])
const migrationScript = /(?:^|[:_-])migrat\w*(?:[:_-]|$)|^(?:db|schema):(?:push|sync|setup)/i

/** Whether the words of a command run migrations, whatever runs the tool: npx, poetry run, python -m. */
export function migrates(words: readonly string[]): boolean {
  const plain = words.map((word) => word.split('/').at(-1)?.toLowerCase() ?? '')
  // Flags and their values may stand between the words.
  const bare = plain.filter((word) => !word.startsWith('-'))
  return bare.some((word, at) => {
    const rest = bare.slice(at + 1, at + 12)
    if (at === 0 && packageRunners.has(word)) {
      const script = rest[0] === 'run' ? rest[1] : rest[0]
      if (migrationScript.test(script ?? '')) return true
    }
    const patterns = Object.hasOwn(tools, word) ? tools[word] : undefined
    return patterns?.some((pattern) => isInOrder(pattern, rest)) ?? false
  })
}

function isInOrder(patterns: readonly RegExp[], words: readonly string[]): boolean {
  let from = 0
  for (const pattern of patterns) {
    const found = words.findIndex((word, at) => at >= from && pattern.test(word))
    if (found === -1) return false
    from = found + 1
  }
  return true
}
