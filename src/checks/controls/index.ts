import type { Control } from '../check.ts'
import { checkoutCredentials } from './supply.checkout-credentials/control.ts'

/** Every control, in the order of `verify list`. */
export const controls: readonly Control[] = [checkoutCredentials]
