// What sources mean by their counts is known to the command line, too.
export { excludesCached, fromAnthropic, fromOpenAi, type ReportedUsage, type TokenClasses } from '#core'
