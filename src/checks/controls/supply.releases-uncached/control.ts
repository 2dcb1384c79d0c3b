import type { Control } from '../../check.ts'
import { r33 } from './r33.ts'

export const releasesUncached: Control = {
  id: 'supply.releases-uncached',
  title: 'What is published is built without a shared cache',
  severity: 'high',
  why: 'Whoever gets code to run in any workflow of the default branch can write a poisoned cache entry, and the release job restores it and ships it signed.',
  remediation:
    'Build releases from scratch: remove `actions/cache` and turn the caches of setup actions off (`cache: false`, `enable-cache: false`, `package-manager-cache: false`) in jobs that publish and in those that build what is published.',
  references: [
    'https://docs.zizmor.sh/audits/#cache-poisoning',
    'https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching#restrictions-for-accessing-a-cache',
    'https://adnanthekhan.com/2024/05/06/the-monsters-in-your-build-cache-github-actions-cache-poisoning/',
  ],
  rows: ['R33'],
  checks: [r33],
}
