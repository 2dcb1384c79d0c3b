import type { PgBoss } from 'pg-boss'

let calendar: Promise<PgBoss> | undefined

/** When the schedule is due next after that time, in its time zone; undefined where it never is. */
export async function nextOccurrence(schedule: string, timeZone: string, afterMs: number): Promise<number | undefined> {
  calendar ??= import('pg-boss').then(
    ({ PgBoss }) => new PgBoss({ db: { executeSql: () => Promise.reject(new Error('a calendar asks no database')) } }),
  )
  const [next] = (await calendar).previewSchedule(schedule, { tz: timeZone, from: new Date(afterMs), count: 1 })
  return next?.getTime()
}
