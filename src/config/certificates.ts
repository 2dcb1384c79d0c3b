import { X509Certificate } from 'node:crypto'
import { problem, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'

const bytesMax = 1024 * 1024
const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What is wrong with a file of certificates in PEM. */
export function certificates(path: string, file: string | undefined): Problem[] {
  if (file === undefined) return []
  const read = readTextFile(file, bytesMax)
  const todo = 'Name a PEM file of certificates that this user can read.'
  if (!read.ok) return [problem(path, showValue(file), read.why, todo)]
  const pems = read.text.match(pemPattern) ?? []
  if (pems.length === 0) return [problem(path, showValue(file), 'The file holds no certificate.', todo)]
  const unreadable = [problem(path, showValue(file), 'A certificate in the file cannot be read.', todo)]
  try {
    return pems.every((pem) => new X509Certificate(pem).serialNumber !== '') ? [] : unreadable
  } catch {
    return unreadable
  }
}
