import * as z from 'zod'
import { filePath, flag, integer, section, type FieldMeta } from './fields.ts'

const knownKeysMax = 32

/** Who signs the ledger, and what has to be known outside before a change of keys takes effect (SPEC L7, L8, L11). */
export const checkpoints = section('Signed checkpoints of the ledger: what shows later that nothing was taken back.', {
  keyFile: filePath(
    'The private key that signs them: Ed25519, PEM, mode 0600. `portcullis ledger key make FILE` makes one. `up` has its own; without one `serve` signs nothing.',
  ),
  knownKeys: z
    .array(
      z
        .string()
        .regex(
          /^[^+\s]+\+[0-9a-f]{8}\+\S+$/,
          'This is not a verifier key: name, key id and key, joined by plus signs.',
        ),
    )
    .max(knownKeysMax)
    .default([])
    .meta({
      description:
        'Verifier keys of keys that signed before this one, as `portcullis ledger key show` printed them; the name in them does not matter.',
      form: 'a list of verifier keys',
    } satisfies FieldMeta),
  dir: filePath(
    'A folder beside the database, not in it, that keeps the newest checkpoint of each log: a database restored from an older backup is found by it. `up` has its own.',
  ),
  everySeconds: integer(10, 1, 3600, 'How often a log that has grown is signed.'),
  acknowledgements: integer(
    1,
    0,
    16,
    'How many sinks must have a checkpoint over the intent before keys, agents and tenants are changed. 0 asks for none, which is recorded; so do no sinks.',
  ),
  public: flag(false, 'Let anybody read checkpoints and tiles of hashes under `/tlog/`; entries stay private.'),
})
