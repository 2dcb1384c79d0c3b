import { cidrContains, parseCidr, type Cidr } from '#core'

/** The proxies whose forwarded headers are believed; by default nobody's (SPEC G12). Changes while the server runs. */
export class TrustedProxies {
  #networks: readonly Cidr[]

  constructor(networks: readonly string[]) {
    this.#networks = networks.map(parseCidr)
  }

  set(networks: readonly string[]): void {
    this.#networks = networks.map(parseCidr)
  }

  trusts(address: string): boolean {
    return this.#networks.some((network) => cidrContains(network, address))
  }
}
