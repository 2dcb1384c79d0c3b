import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { makeAuthority, makeCertificate } from '../../test/harness/certificates.ts'
import { fakeIo, fakeServer, runLine, type FakeIo } from './fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-cli-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))

const authority = makeAuthority('Test', ['127.0.0.1'])
const agent = makeCertificate(authority, 'researcher')
const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}
const [cert, key, ca] = [put('agent.pem', agent.cert), put('agent.key', agent.key), put('ca.pem', authority.cert)]
const agentId = 'agt_01989af0-0000-7000-8000-000000000000'
const certificate = {
  id: 'crt_01989af0-0000-7000-8000-000000000001',
  agentId,
  thumbprint: 't',
  subjectDn: 'CN=researcher',
  scopes: ['telemetry:write'],
  createdAt: '2026-11-20T12:00:00Z',
  expiresAt: '2026-12-21T12:00:00Z',
}

describe('certificate', () => {
  it('G17: bind sends the certificate and says until when it allows what', async () => {
    await using server = await fakeServer(() => ({ body: { certificate } }))
    const io = fakeIo({ env: { PORTCULLIS_URL: server.url } })
    const line = `certificate bind --agent ${agentId} --file ${cert} --scopes telemetry:write --expires 30d`
    const { code, out } = await runLine(line, io)
    expect([code, out]).toEqual([
      0,
      `Certificate ${certificate.id} of CN=researcher allows telemetry:write. It expires in 30 days, at ${certificate.expiresAt}.\n`,
    ])
    expect(server.seen[0]).toMatchObject({
      path: '/portcullis.v1.IdentityService/BindCertificate',
      message: {
        agentId,
        certificatePem: agent.cert,
        scopes: ['telemetry:write'],
        expiresAt: '2026-12-21T12:00:00.000Z',
      },
    })
  })

  it('G17: bind sends nothing of a file that holds a private key, or no certificate', async () => {
    await using server = await fakeServer(() => ({ body: { certificate } }))
    for (const file of [key, put('both.pem', agent.cert + agent.key), put('none.pem', 'hello'), '/nowhere']) {
      const io = fakeIo({ env: { PORTCULLIS_URL: server.url } })
      const { code, err } = await runLine(
        `certificate bind --agent ${agentId} --file ${file} --scopes telemetry:write`,
        io,
      )
      expect(code).toBe(2)
      expect(err).toMatch(/holds a private key|holds no certificate|cannot be read/)
    }
    expect(server.seen).toEqual([])
  })

  it('G17: list shows what each is good for, and revoke ends one', async () => {
    await using server = await fakeServer(({ path }) =>
      path.endsWith('ListCertificates')
        ? { body: { certificates: [certificate, { ...certificate, revokedAt: '2026-11-21T11:00:00Z' }] } }
        : { body: { certificate } },
    )
    const env = { PORTCULLIS_URL: server.url }
    const { out } = await runLine('certificate list', fakeIo({ env }))
    expect(out).toMatch(/CN=researcher +telemetry:write .*expires in 30 days/)
    expect(out).toMatch(/revoked 1 hour ago/)
    expect((await runLine(`certificate revoke ${certificate.id}`, fakeIo({ env }))).out).toContain('is revoked')
    expect(server.seen.at(-1)?.message).toEqual({ certificateId: certificate.id })
  })
})

describe('a connection with certificates', () => {
  async function serve(): Promise<{ readonly url: string; readonly seen: string[] } & AsyncDisposable> {
    const seen: string[] = []
    const server = createServer(
      { cert: makeServer.cert, key: makeServer.key, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const socket = request.socket as TLSSocket
        seen.push(socket.authorized ? (socket.getPeerX509Certificate()?.subject ?? '') : 'nobody')
        response.end('{"status":"ok"}')
      },
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      url: `https://127.0.0.1:${port}`,
      seen,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }
  const makeServer = makeCertificate(authority, 'server', ['127.0.0.1'])
  const run = (line: string, env: Record<string, string>): ReturnType<typeof runLine> => {
    const io: FakeIo = fakeIo({ env })
    return runLine(line, io)
  }

  it('G17: is made with the client certificate of the options, or of the environment', async () => {
    await using server = await serve()
    const options = `--client-cert ${cert} --client-key ${key} --ca ${ca}`
    expect(await run(`call GetHealth --json --url ${server.url} ${options}`, {})).toMatchObject({
      code: 0,
      out: '{"status":"ok"}\n',
    })
    const env = { PORTCULLIS_CA: ca, PORTCULLIS_CLIENT_CERT: cert, PORTCULLIS_CLIENT_KEY: key }
    expect((await run(`call GetHealth --url ${server.url}`, env)).code).toBe(0)
    expect((await run(`call GetHealth --url ${server.url}`, { PORTCULLIS_CA: ca })).code).toBe(0)
    expect(server.seen).toEqual(['CN=researcher', 'CN=researcher', 'nobody'])
  })

  it('G17: believes no server that its authorities did not sign', async () => {
    await using server = await serve()
    const other = put('other.pem', makeAuthority('Other').cert)
    const { code, err } = await run(`call GetHealth --url ${server.url} --ca ${other}`, {})
    expect(code).toBe(3)
    expect(err).toContain('PORTCULLIS_CA')
    expect(server.seen).toEqual([])
  })

  it.each([
    [`--client-cert ${cert}`, 'go together'],
    [`--client-cert ${cert} --client-key ${key} --url http://127.0.0.1:1`, 'the URL is http'],
    [`--ca ${key}`, 'holds no certificate'],
  ])('G17: `%s` ends with 2', async (options, why) => {
    const { code, err } = await run(`call GetHealth --url https://127.0.0.1:1 ${options}`, {})
    expect(code).toBe(2)
    expect(err).toContain(why)
    expect(err).not.toContain('PRIVATE KEY')
  })
})
