import type { Report } from './report.ts'

// The formats that few runs ask for: each is loaded when it is written, so that the others start without it.

export async function sarifReport(report: Report): Promise<string> {
  return (await import('./sarif.ts')).sarifReport(report)
}

export async function junitReport(report: Report): Promise<string> {
  return (await import('./junit.ts')).junitReport(report)
}

export async function markdownReport(report: Report): Promise<string> {
  return (await import('./markdown.ts')).markdownReport(report)
}

export async function htmlReport(report: Report): Promise<string> {
  return (await import('./html.ts')).htmlReport(report)
}
