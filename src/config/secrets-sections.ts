import * as z from 'zod'
import { choice, filePath, integer, optionalSection, parsedText, requiredText, secretFile, section } from './fields.ts'
import type { FieldMeta } from './fields.ts'

const previousMax = 20

/** What stored secrets are encrypted under; the keys themselves are never settings, only where they are. */
export const secrets = section('Who holds the master keys that stored secrets are encrypted under.', {
  provider: choice(
    ['file', 'vault', 'kms'],
    'file',
    'A file on this machine, the transit engine of HashiCorp Vault or OpenBao, or AWS KMS.',
  ),
  keyFile: secretFile(
    'A file of master keys, as `portcullis secrets generate-key` makes it; for the provider `file`. Without one nothing that needs a stored secret is on.',
  ),
  vault: optionalSection(
    'The transit engine; for the provider `vault`. Either `tokenFile`, or `roleId` and `secretIdFile`.',
    {
      address: parsedText(parseAddressOfVault).meta({
        description: 'Where it is; http only on this machine.',
        form: 'a URL such as https://vault.internal:8200',
      } satisfies FieldMeta),
      mount: pathOf('transit', 'Where the transit engine is mounted.'),
      keyName: parsedText(parseKeyName).meta({
        description: 'The name of the key, of type aes256-gcm96.',
        form: 'a name such as portcullis',
      } satisfies FieldMeta),
      namespace: requiredText('Its namespace, where it has them.').optional(),
      tokenFile: filePath('A file that holds the token, such as an agent of Vault keeps fresh. Read for each use.'),
      roleId: requiredText('The role of the AppRole; no secret.').optional(),
      secretIdFile: filePath('A file that holds the secret id of the AppRole. Read at each login.'),
      roleMount: pathOf('approle', 'Where the AppRole login is mounted.'),
      caFile: filePath('Certificates (PEM) of the authorities to trust instead of those of Node.'),
      timeoutMs: integer(2_000, 100, 30_000, 'Time for one exchange.'),
    },
  ),
  kms: optionalSection(
    'AWS KMS; for the provider `kms`. Credentials come from the environment, as for every AWS client.',
    {
      keyId: requiredText('The symmetric key that wraps: its id, ARN or alias.'),
      previousKeyIds: z
        .array(z.string().regex(/\S/))
        .max(previousMax)
        .default([])
        .meta({
          description: 'ARNs of keys that wrapped before; they unwrap until `portcullis secrets rotate` is done.',
          form: 'a list of ARNs',
        } satisfies FieldMeta),
      region: requiredText('Its region.'),
      endpoint: parsedText(parseAddressOfVault)
        .optional()
        .meta({
          description: 'In the place of the endpoint of the region; http only on this machine.',
          form: 'a URL such as https://kms.internal',
        } satisfies FieldMeta),
      timeoutMs: integer(2_000, 100, 30_000, 'Time for one exchange.'),
    },
  ),
  cacheSeconds: integer(300, 0, 3_600, 'How long a data key that Vault or KMS unwrapped is used without asking again.'),
  outageSeconds: integer(3_600, 0, 86_400, 'How long it is used while Vault or KMS cannot be reached.'),
})

function pathOf(value: string, description: string) {
  return parsedText(parsePath)
    .default(value)
    .meta({ description, form: 'a path such as transit' } satisfies FieldMeta)
}

/** It becomes a part of URLs. */
function parsePath(text: string): void {
  if (!/^\w[\w-]*(?:\/\w[\w-]*)*$/.test(text))
    throw new Error('A path here is words of letters, digits, dashes and underscores, joined by slashes.')
}

function parseKeyName(text: string): void {
  if (!/^\w[\w.-]{0,99}$/.test(text)) throw new Error('A name here is letters, digits, dots, dashes and underscores.')
}

function parseAddressOfVault(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new Error('This is not an http or https URL.')
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new Error('A URL here carries no user, password, ? or #.')
}
