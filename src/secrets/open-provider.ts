import { CachedProvider } from './cached-provider.ts'
import { FileProvider } from './file-provider.ts'
import { KmsProvider, type KmsSettings } from './kms.ts'
import type { KeyProvider } from './provider.ts'
import { VaultProvider, type VaultSettings } from './vault.ts'
import type { WrapBudget } from './wrap-budget.ts'

type Without<Settings> = Omit<Settings, 'monotonic'>

/** Who holds the master keys, as the settings say. */
export type ProviderChoice =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'vault'; readonly vault: Without<VaultSettings> }
  | { readonly kind: 'kms'; readonly kms: Without<KmsSettings> }

export interface ProviderParts {
  readonly monotonic: () => number
  readonly budget?: WrapBudget | undefined
  readonly broken?: (error: unknown) => void
  /** Of unwrapped data keys, for providers in the network. */
  readonly freshMs: number
  readonly outageMs: number
}

export interface OpenProvider {
  readonly provider: KeyProvider
  /** Makes or promotes a key where the provider can be told to; undefined where that is done elsewhere. */
  readonly rotate: (() => Promise<void>) | undefined
  close(): Promise<void>
}

/** @throws KeyFileError */
export function openProvider(choice: ProviderChoice, parts: ProviderParts): OpenProvider {
  const { monotonic, budget, broken } = parts
  switch (choice.kind) {
    case 'file': {
      const provider = new FileProvider({ file: choice.file, budget, monotonic, ...(broken && { broken }) })
      return { provider, rotate: undefined, close: () => Promise.resolve() }
    }
    case 'vault': {
      const vault = new VaultProvider({ ...choice.vault, monotonic })
      return { provider: new CachedProvider(vault, parts), rotate: () => vault.rotate(), close: () => vault.close() }
    }
    case 'kms': {
      const kms = new KmsProvider({ ...choice.kms, monotonic })
      return { provider: new CachedProvider(kms, parts), rotate: undefined, close: () => kms.close() }
    }
    default:
      return choice satisfies never
  }
}
