import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.ts'

// Nothing that talks to anybody but the server under test. The sandbox needs rights that a container or root does not have.
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Debian's Chromium with a profile of its own, which keeps its cookies from one page to the next. */
export class Chromium {
  readonly #profile: string

  private constructor(profile: string) {
    this.#profile = profile
  }

  static async fresh(): Promise<Chromium> {
    return new Chromium(await mkdtemp(join(tmpdir(), 'portcullis-chromium-')))
  }

  /** The document after the page was loaded. */
  dom(url: string): Promise<string> {
    return this.#run('--dump-dom', url)
  }

  async screenshot(
    url: string,
    file: string,
    look: { readonly width: number; readonly height: number; readonly dark?: boolean },
  ): Promise<void> {
    const scheme = look.dark === true ? ['--blink-settings=preferredColorScheme=0'] : []
    await this.#run(
      `--screenshot=${file}`,
      '--hide-scrollbars',
      `--window-size=${look.width},${look.height}`,
      ...scheme,
      url,
    )
  }

  async close(): Promise<void> {
    await rm(this.#profile, { recursive: true, force: true })
  }

  #run(...args: readonly string[]): Promise<string> {
    return run('/usr/bin/chromium', [...flags, `--user-data-dir=${this.#profile}`, ...args])
  }
}
