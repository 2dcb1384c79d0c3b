type Files = Readonly<Record<string, string>>

/** A compose file with these services. */
export const compose = (text: string): Files => ({ 'compose.yaml': `services:\n${text}` })

/** A manifest with a Deployment of one container, which these lines belong to. */
export const deployment = (security: string): Files => ({
  'deploy.yaml': `apiVersion: v1\nkind: Service\nmetadata: { name: a }\n---\napiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          image: a\n${security}`,
})

/** Containers that say nothing but their image, in every way of writing, and the place of each. */
/** The same Deployment in JSON. */
const inJson = JSON.stringify(
  {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        spec: { template: { spec: { containers: [{ name: 'a', image: 'a' }] } } },
      },
    ],
  },
  undefined,
  2,
)

export const bareContainers: readonly (readonly [name: string, files: Files, place: string])[] = [
  ['block style', compose('  web:\n    image: a\n'), 'compose.yaml:2:3'],
  ['flow style', compose('  web: { image: a }\n'), 'compose.yaml:2:3'],
  ['quoted', compose('  "web":\n    "image": "a"\n'), 'compose.yaml:2:3'],
  ['CRLF', compose('  web:\r\n    image: a\r\n'), 'compose.yaml:2:3'],
  ['anchored', { 'compose.yaml': 'x-web: &web\n  image: a\nservices:\n  web:\n    <<: *web\n' }, 'compose.yaml:4:3'],
  ['manifest', deployment(''), 'deploy.yaml:11:17'],
  [
    'manifest in CRLF',
    { 'deploy.yaml': deployment('')['deploy.yaml']?.replaceAll('\n', '\r\n') ?? '' },
    'deploy.yaml:11:17',
  ],
  ['manifest in JSON', { 'deploy.json': inJson }, 'deploy.json:13:25'],
  ['manifest in JSON in one line', { 'deploy.json': JSON.stringify(JSON.parse(inJson)) }, 'deploy.json:1:137'],
  [
    'manifest in JSON with an empty context',
    { 'deploy.json': inJson.replace('"image": "a"', '"image": "a", "securityContext": {}') },
    'deploy.json:13:25',
  ],
  ['compose file under another name', { 'stack.yml': 'services:\n  web:\n    image: a\n' }, 'stack.yml:2:3'],
]
