import { registerHooks } from 'node:module'

/**
 * Spares Node the search for what a relative import of ours names: it is the TypeScript file of that very name. `verify` loads some
 * hundreds of small files, and starts a sixth faster so (SPEC P7).
 */
export function importQuickly(): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL } = context
      const isOurs = specifier.startsWith('.') && specifier.endsWith('.ts') && parentURL?.endsWith('.ts') === true
      if (!isOurs) return next(specifier, context)
      return { url: new URL(specifier, parentURL).href, format: 'module-typescript', shortCircuit: true }
    },
  })
}
