import { isLoopback, Secret } from '#core'
import { readBoundedFile } from './bounded-read.ts'
import { findTls, type ClientTls, type TlsOptions } from './client-tls.ts'
import { usage } from './errors.ts'
import type { Io } from './io.ts'
import type { ClientOptions } from './options.ts'

export interface Target {
  /** Without a slash at its end. */
  readonly url: string
  readonly key: Secret | undefined
  /** Where certificates were named. */
  readonly tls: ClientTls | undefined
}

const urlDefault = 'http://127.0.0.1:8080'
const keyFileBytesMax = 64 * 1024

/** Which server, with which credential: options go before variables. */
export function findTarget(options: ClientOptions & TlsOptions, io: Io, urlOption = '--url'): Target {
  const source = options.url === undefined ? 'PORTCULLIS_URL' : urlOption
  const url = parseUrl(options.url ?? (io.env['PORTCULLIS_URL'] || urlDefault), source)
  const key = findKey(options, io)
  if (key !== undefined && url.protocol === 'http:' && !isLoopback(url.hostname)) {
    io.err.write(`warning: the key goes to ${url.host} unencrypted; use https there.\n`)
  }
  return { url: url.href.replace(/\/+$/, ''), key, tls: findTls(options, io, url) }
}

function parseUrl(text: string, source: string): URL {
  const url = URL.parse(text)
  const todo = 'Write http:// or https://, a host and a port, such as http://127.0.0.1:8080.'
  // The text is not repeated: a URL in the wrong place may hold a password.
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usage(`${source} is not the URL of a server.`, todo)
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw usage(`${source} holds more than a server's URL: no user, password, ? or # belongs there.`, todo)
  }
  return url
}

function findKey(options: ClientOptions, io: Io): Secret | undefined {
  if (options.key !== undefined) {
    // Until here the key stood in the list of processes; from here on it does not.
    process.title = 'portcullis'
    return parseKeyText(options.key, '--key')
  }
  if (options.keyFile !== undefined) {
    return parseKeyText(readBoundedFile(options.keyFile, keyFileBytesMax).trim(), `The file ${options.keyFile}`)
  }
  const text = io.env['PORTCULLIS_KEY']
  return text ? parseKeyText(text.trim(), 'PORTCULLIS_KEY') : undefined
}

function parseKeyText(text: string, source: string): Secret {
  if (!/^[\x21-\x7e]{1,4096}$/.test(text)) {
    throw usage(`${source} holds no key.`, 'A key is one word, such as pc_…, without spaces or line breaks inside.')
  }
  return new Secret(text)
}
