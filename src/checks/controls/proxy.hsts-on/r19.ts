import { judgeEach, repoCheck } from '../../check.ts'
import { isDynamic } from '../../collect/caddy/environment.ts'
import type { CaddyStructure, Directive, Site, Word } from '../../collect/caddy/structure.ts'
import { caddyfiles } from '../../collect/caddy/caddyfiles.ts'
import { isReadable } from '../../collect/source-file.ts'
import { doubtful, failing, stated, type Evidence, type Fix } from '../../evidence.ts'
import { addressesOf, holders, matcherOf, onlyRedirects, valuesOf, type SiteAddress } from '../caddy-site.ts'
import { absentCaddyfile, unseenImports } from '../proxy.grpc-over-tls/r18.ts'

const secondsMin = 63_072_000

export const r19 = repoCheck({
  id: 'R19',
  title: 'HSTS holds for two years and for subdomains',
  fixes: 'unsafe',
  needs: { caddyfiles },
  judge: ({ caddyfiles: { caddyfiles: files, others } }) => {
    const evidence = judgeEach(files, absentCaddyfile(others), judge)
    const https = files.some((each) => isReadable(each) && each.value.sites.some((site) => overHttps(site).length > 0))
    return https || evidence.length > 0
      ? evidence
      : [stated('repo', 'NOT_APPLICABLE', 'No site of a Caddyfile is served over HTTPS to others.')]
  },
})

// Over plain HTTP browsers must ignore it (RFC 6797, section 8.1), and it means nothing for this machine.
function overHttps(site: Site): readonly SiteAddress[] {
  return addressesOf(site).filter(({ plain, local }) => !plain && !local)
}

function judge(structure: CaddyStructure): readonly Evidence[] {
  return [...structure.sites.flatMap(siteEvidence), ...unseenImports(structure)]
}

interface Setting {
  readonly word: Word
  /** Undefined where the header is taken away. */
  readonly value: Word | undefined
  /** Not every answer of the site has it. */
  readonly partial: boolean
}

function siteEvidence(site: Site): readonly Evidence[] {
  const [first] = overHttps(site)
  if (first === undefined) return []
  const settings = settingsOf(site.directives, false)
  if (settings.length > 0) {
    const whole = settings.filter(({ partial }) => !partial)
    const [partial] = settings
    const judged = settings.flatMap(valueEvidence)
    if (whole.length > 0 || partial === undefined || judged.length > 0) return judged
    return [
      doubtful(partial.word, 'Only some answers of the site carry it.', {
        confidence: 'medium',
        subject: `partly at ${first.word.text}`,
      }),
    ]
  }
  const subject = `no HSTS at ${first.word.text}`
  if (onlyRedirects(site))
    return [
      doubtful(first.word, 'The redirects of this site carry no Strict-Transport-Security.', {
        confidence: 'medium',
        subject,
      }),
    ]
  return [
    failing(first.word, 'Nothing sets Strict-Transport-Security for this site.', {
      confidence: first.dynamic ? 'medium' : 'high',
      subject,
    }),
  ]
}

function settingsOf(directives: readonly Directive[], partial: boolean): readonly Setting[] {
  const several = directives.filter(({ name }) => name.text === 'handle' || name.text === 'handle_path').length > 1
  return directives.flatMap((directive) => {
    const { name, block = [] } = directive
    const some = partial || matcherOf(directive) !== undefined
    if (name.text === 'header') return headerSettings(directive, some)
    if (holders.has(name.text)) return settingsOf(block, some || (name.text !== 'route' && several))
    if (name.text !== 'reverse_proxy') return []
    // What the proxy itself answers, an error or a redirect, has no headers of an upstream.
    return block.flatMap((each) => (each.name.text === 'header_down' ? fieldSetting(each.args, some) : []))
  })
}

function headerSettings(directive: Directive, partial: boolean): readonly Setting[] {
  const values = valuesOf(directive)
  if (values.length > 0) return fieldSetting(values, partial)
  return (directive.block ?? []).flatMap(({ name, args }) => fieldSetting([name, ...args], partial))
}

function fieldSetting([field, value, replacement]: readonly Word[], partial: boolean): readonly Setting[] {
  if (field === undefined) return []
  const [, prefix = '', name = ''] = /^([-+?>]?)(.*?):?$/.exec(field.text) ?? []
  if (name.toLowerCase() !== 'strict-transport-security') return []
  if (prefix === '-') return [{ word: field, value: undefined, partial }]
  // With a third word the second one is looked for in the value that there is, and replaced.
  return [{ word: field, value: replacement ?? value, partial }]
}

function valueEvidence({ word, value }: Setting): readonly Evidence[] {
  if (value === undefined)
    return [failing(word, 'Strict-Transport-Security is taken away here.', { subject: 'removed HSTS' })]
  if (isDynamic(value.text)) return [doubtful(value, 'A variable decides what it says.', { confidence: 'low' })]
  const fields = fieldsOf(value.text)
  const age = fields.get('max-age')
  const problems: string[] = []
  if (age === undefined || !/^\d+$/.test(age)) problems.push('it has no max-age')
  else if (Number(age) < secondsMin) problems.push(`max-age is ${age} seconds, less than ${secondsMin}`)
  if (!fields.has('includesubdomains')) problems.push('subdomains are left out')
  if (problems.length === 0) return []
  const detail = `Strict-Transport-Security does not hold for two years and all subdomains: ${problems.join(', and ')}.`
  return [failing(value, detail, { fix: stronger(value, fields.has('preload')) })]
}

/** The directives of the value by their name in small letters (RFC 6797, section 6.1). */
function fieldsOf(value: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const part of value.split(';')) {
    const [name = '', ...rest] = part.split('=')
    const plain = rest
      .join('=')
      .trim()
      .replace(/^"(.*)"$/, '$1')
    const key = name.trim().toLowerCase()
    if (key !== '' && !fields.has(key)) fields.set(key, plain)
  }
  return fields
}

function stronger(value: Word, preload: boolean): Fix | undefined {
  const { file, start, end } = value
  // What a variable or an argument of an import gives is changed where that is.
  if (file.text.slice(start, end).includes('{') || file.text.slice(start, end).startsWith('<<')) return undefined
  const text = `"max-age=${secondsMin}; includeSubDomains${preload ? '; preload' : ''}"`
  return {
    safety: 'unsafe',
    description: 'Hold for two years and all subdomains',
    risk: 'Browsers refuse subdomains that have no valid certificate, until the two years are over.',
    edits: [{ path: file.path, start, end, text }],
  }
}
