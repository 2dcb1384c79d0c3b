import type { Control } from '../../check.ts'
import { r28 } from './r28.ts'

export const imagesPinned: Control = {
  id: 'supply.images-pinned',
  title: 'Images are named by digest',
  severity: 'medium',
  why: 'Whoever may push to the registry puts another image under the same tag, and the next build or start runs it.',
  remediation:
    'Write the digest behind the tag, as in `postgres:17.2@sha256:<64 hex digits>` (`docker buildx imagetools inspect IMAGE` shows it), and let Renovate or Dependabot move both.',
  references: [
    'https://docs.docker.com/build/building/best-practices/#pin-base-image-versions',
    'https://kubernetes.io/docs/concepts/containers/images/#image-names',
    'https://docs.zizmor.sh/audits/#unpinned-images',
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#pinned-dependencies',
  ],
  rows: ['R28'],
  checks: [r28],
}
