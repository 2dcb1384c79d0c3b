import { choice, filePath, flag, requiredText, section } from './fields.ts'

export const tls = section(
  'The listeners for agents, which ask for a client certificate: `listen.agentsGrpc` and `listen.agentsHttp`. The files are read again when they change.',
  {
    certFile: filePath('The certificate of the server in PEM, followed by its chain.'),
    keyFile: filePath('Its private key in PEM, without a passphrase; mode 0600 or stricter in production.'),
    clientCaFile: filePath(
      'The authorities that sign client certificates, in PEM. Nobody else gets through the handshake.',
    ),
    minVersion: choice(['1.2', '1.3'], '1.2', 'The oldest version of TLS that is spoken.'),
    origin: requiredText('Where agents reach `listen.agentsHttp`; the metadata of the authorization server name it.', {
      form: 'an https origin such as https://agents.example.com:8443',
      defaultText: 'the address of `listen.agentsHttp`',
    }).optional(),
    acceptSelfSigned: flag(
      false,
      'Let certificates through that signed themselves, too. They open nothing unless that very certificate is bound to an agent, or to an app.',
    ),
  },
)
