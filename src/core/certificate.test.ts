import { createHash, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { certificateFacts, clientCertificate } from './certificate.ts'

const nowMs = Date.UTC(2027, 0, 1)
const pem = (base64: string): string => {
  const lines = base64.replaceAll(/\s/g, '').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

// Made with `openssl req -x509 -newkey …`; what is said of each comes from `openssl x509 -nameopt RFC2253`.
const plain = pem(`
  MIIBtjCCAVugAwIBAgIUOJ8b0+YxJg4MKQ2WoLaH8HPLzkYwCgYIKoZIzj0EAwIwQTELMAkGA1UEBhMCREUxEDAOBgNVBAoMB0V4YW1wbGUxDj
  AMBgNVBAsMBUZsZWV0MRAwDgYDVQQDDAdhZ2VudC0xMCAXDTI2MTEyMjAxMzM1N1oYDzIxMjYxMDI5MDEzMzU3WjBBMQswCQYDVQQGEwJERTEQ
  MA4GA1UECgwHRXhhbXBsZTEOMAwGA1UECwwFRmxlZXQxEDAOBgNVBAMMB2FnZW50LTEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARZWEjdfk
  KXcu3yG9u+BdTLMZS6vA1gibW99tbJxslJSmy4Mj3k2vxmHuUgNd49C5onfXp6nwxCnRgji6JP6uU3oy8wLTAMBgNVHRMBAf8EAjAAMB0GA1Ud
  DgQWBBTc/XAKJhSmyx8x0pabmv9A5KXhijAKBggqhkjOPQQDAgNJADBGAiEAuIWO9R4I9PPEUzvwTPSvr1/HQMcBz4Lv7LpQVBYGZqoCIQCKeF
  mdVSGFrA3HMuL81MMl1/vgqMRoewsXk0S5w9mapg==`)
const odd = pem(`
  MIICGjCCAb+gAwIBAgIUd/X/hzQbY8bKiBONLlv7DhDPopgwCgYIKoZIzj0EAwIwYTELMAkGA1UEBhMCREUxFzAVBgNVBAoMDiNFdmlsLCBJbm
  MuPXg7MRswGQYDVQQDDBJHcsO8w59lK0NOPWFkbWluICAxHDAIBgNVBAsMAWEwEAYKCZImiZPyLGQBAQwCdTcwIBcNMjYxMTIyMDEzMzU4WhgP
  MjEyNjEwMjkwMTMzNThaMGExCzAJBgNVBAYTAkRFMRcwFQYDVQQKDA4jRXZpbCwgSW5jLj14OzEbMBkGA1UEAwwSR3LDvMOfZStDTj1hZG1pbi
  AgMRwwCAYDVQQLDAFhMBAGCgmSJomT8ixkAQEMAnU3MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEr4iE6woOoNUVXqzU6Ooapj7xrWR3NtCc
  CTC30tqM5d7g//la6UtiYrRWYya8RMMNxNzUzDukNKTSLmkY7qYPiKNTMFEwHQYDVR0OBBYEFLSao7MJKT1I3tIWfDmuamoVnaQnMB8GA1UdIw
  QYMBaAFLSao7MJKT1I3tIWfDmuamoVnaQnMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAIRYrLfxAWT0ay8lwtbG1UZ2XNEL
  OPp1UYxNQN3P26W8AiEAlXT+kffFrt7hUMCV1IiMU6As2o/usZRfwRVsqEgtEY8=`)
const authority = pem(`
  MIIBuDCCAV6gAwIBAgIUXSLW+O0A/AUfhlQdbtaRUiJo894wCgYIKoZIzj0EAwIwQTELMAkGA1UEBhMCREUxEDAOBgNVBAoMB0V4YW1wbGUxDj
  AMBgNVBAsMBUZsZWV0MRAwDgYDVQQDDAdhZ2VudC0xMCAXDTI2MTEyMjAxMzM1OFoYDzIxMjYxMDI5MDEzMzU4WjBBMQswCQYDVQQGEwJERTEQ
  MA4GA1UECgwHRXhhbXBsZTEOMAwGA1UECwwFRmxlZXQxEDAOBgNVBAMMB2FnZW50LTEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATtcfQxLB
  KMerK+xd6yD089BYe1D6vWUNtKZmo0uh69JmfLeEe3m5jiSG9hjxTp9A1twnhQozTIxzU5vDaoCm8AozIwMDAPBgNVHRMBAf8EBTADAQH/MB0G
  A1UdDgQWBBQVErI3cUe64i5YBNQ/mMR3KcrMGTAKBggqhkjOPQQDAgNIADBFAiEA2/c8rb0Yq5+dmmaX/CNP6Fz39lrvbhAUD9lrogCyDu8CIA
  rE+P5+4JPojFXLTgl7QmZ7+IHmFkxhczq62RlNZng/`)
const weak = pem(`
  MIICPDCCAaWgAwIBAgIUJEa6W1TI2cvzFiBbNmYUMjvzrpUwDQYJKoZIhvcNAQELBQAwQTELMAkGA1UEBhMCREUxEDAOBgNVBAoMB0V4YW1wbG
  UxDjAMBgNVBAsMBUZsZWV0MRAwDgYDVQQDDAdhZ2VudC0xMCAXDTI2MTEyMjAxMzM1OFoYDzIxMjYxMDI5MDEzMzU4WjBBMQswCQYDVQQGEwJE
  RTEQMA4GA1UECgwHRXhhbXBsZTEOMAwGA1UECwwFRmxlZXQxEDAOBgNVBAMMB2FnZW50LTEwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBAL
  pu0HN/z1SAYz7voGU1AWQAgkZyzsU2JvrVNssfYFuGtA6UN+TOVvggCEyPII4gTg+bZaq9ovzT1q/h5aWZbYRivnP482wyezKKqXJTMNDVEplQ
  EhjStxfckI0Ywc6Zgdb1XKqEuMgsFFvwJxs1uAucYfT5ks6fBWDK4WqxMl7VAgMBAAGjLzAtMAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFO+Eyf
  Ry6N3RZs+HzcElaUA7HHDNMA0GCSqGSIb3DQEBCwUAA4GBAI7kUnXoEQZUEsEUhp+cuAw3lkh9W7grMcK+DU+Zrlc65IAxHny+yjhGEE66rXea
  KloifXU0IQc19Xlsgwb/jlO30inaMPrToM3AG+vwN0tkEoSYxPLM8HfIVckxtxCGGV7qG66KNGZqwwZAvRcuhy0mfJwlTaCv34XMm8kwQti7`)

describe('certificateFacts', () => {
  it('G17: names the subject as RFC 4514 does, and the SHA-256 of the DER', () => {
    const facts = certificateFacts(new X509Certificate(plain))
    expect(facts.subject).toBe('CN=agent-1,OU=Fleet,O=Example,C=DE')
    const der = new X509Certificate(plain).raw
    expect(facts.thumbprint).toBe(createHash('sha256').update(der).digest('base64url'))
    expect(facts.validToMs).toBeGreaterThan(facts.validFromMs)
  })

  it('G17: a subject cannot pass for another one: what has a meaning in a name is escaped', () => {
    expect(certificateFacts(new X509Certificate(odd)).subject).toBe(
      String.raw`OU=a+UID=u7,CN=Grüße\+CN=admin \ ,O=\#Evil\, Inc.=x\;,C=DE`,
    )
  })
})

describe('clientCertificate', () => {
  it('G17: is one certificate of one client', () => {
    expect(clientCertificate(plain, nowMs)).toMatchObject({ subject: 'CN=agent-1,OU=Fleet,O=Example,C=DE' })
    expect(clientCertificate(plain.replaceAll('\n', '\r\n'), nowMs)).toHaveProperty('thumbprint')
  })

  const { validFromMs, validToMs } = certificateFacts(new X509Certificate(plain))
  it.each([
    ['nothing', '', /must be one certificate in PEM/],
    ['a text', 'hello', /must be one certificate in PEM/],
    ['a key beside it', `${plain}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`, /private key stays/],
    ['a chain', plain + authority, /one certificate, not 2/],
    ['more than it', `subject=CN\n${plain}`, /nothing else/],
    ['broken DER', pem('MIIBAAAA'), /cannot be read/],
    ['an authority', authority, /CA:TRUE/],
    ['a weak key', weak, /2048 bits or more, not 1024/],
  ])('G17: %s is refused', (_, text, why) => {
    expect(clientCertificate(text, nowMs)).toMatch(why)
  })

  it('G17: it is good from its first moment until before its last', () => {
    expect(clientCertificate(plain, validFromMs - 1)).toMatch(/not valid before/)
    expect(clientCertificate(plain, validFromMs)).toHaveProperty('thumbprint')
    expect(clientCertificate(plain, validToMs)).toMatch(/expired at/)
  })
})
