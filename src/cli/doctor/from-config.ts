import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import type { Config } from '#config'
import { fine, unknown, wrong, type Finding } from './ailments.ts'

const dayMs = 86_400_000
const soonDays = 14
const keyDaysMax = 365
const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What the settings and the files they name say by themselves, on this machine (SPEC O7). Never rejects. */
export async function fromConfig(config: Config, nowMs: number): Promise<readonly Finding[]> {
  return [certificates(config, nowMs), masterKey(config, nowMs), await disk(config)]
}

function certificates({ tls, database, authority }: Config, nowMs: number): Finding {
  const files = [tls.certFile, tls.clientCaFile, database.tls.caFile, authority.caFile].filter(
    (file) => file !== undefined,
  )
  if (files.length === 0) return fine('certificates.expiry', 'the settings name no certificates')
  const notes: string[] = []
  let soonest = Number.POSITIVE_INFINITY
  for (const file of files) {
    try {
      for (const pem of readFileSync(file, 'utf8').match(pemPattern) ?? []) {
        const daysLeft = Math.floor((Date.parse(new X509Certificate(pem).validTo) - nowMs) / dayMs)
        soonest = Math.min(soonest, daysLeft)
        if (daysLeft < soonDays) notes.push(`${file}: ${daysLeft < 0 ? 'has expired' : `${daysLeft} days left`}`)
      }
    } catch (error) {
      return unknown('certificates.expiry', `${file} cannot be read: ${codeOf(error)}`)
    }
  }
  return notes.length > 0
    ? wrong('certificates.expiry', notes.join(', '))
    : fine('certificates.expiry', `the first to expire has ${soonest} days left`)
}

function masterKey({ secrets }: Config, nowMs: number): Finding {
  const { keyFile } = secrets
  if (keyFile === undefined)
    return unknown('keys.age', `no key file is configured (provider ${secrets.provider ?? 'none'})`)
  try {
    const days = Math.floor((nowMs - statSync(keyFile).mtimeMs) / dayMs)
    const found = `${keyFile} was changed ${days} days ago`
    return days > keyDaysMax ? wrong('keys.age', found) : fine('keys.age', found)
  } catch (error) {
    return unknown('keys.age', `${keyFile} cannot be looked at: ${codeOf(error)}`)
  }
}

async function disk({ database, limits }: Config): Promise<Finding> {
  const dir = database.embedded?.dir
  if (dir === undefined) return unknown('disk.space', 'the database is not on this machine, as far as the settings say')
  try {
    const { bavail, bsize } = await statfs(dir)
    const free = bavail * bsize
    const found = `${Math.floor(free / 1024 / 1024)} MiB are free at ${dir}`
    return free < 2 * limits.freeBytesMin ? wrong('disk.space', found) : fine('disk.space', found)
  } catch (error) {
    return unknown('disk.space', `${dir} cannot be looked at: ${codeOf(error)}`)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
}
