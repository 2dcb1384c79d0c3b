import { choice, integer, section } from './fields.ts'

const kib = 1024
const mib = 1024 * kib
const day = 86_400

const grpc = section('Bounds of the gRPC listener.', {
  recvBytes: integer(mib, kib, 64 * mib, 'Largest message accepted.'),
  sendBytes: integer(2 * mib, kib, 64 * mib, 'Largest message sent.'),
  streams: integer(256, 1, 10_000, 'Concurrent calls on one connection.'),
  headerPairs: integer(100, 16, 1_000, 'Header fields of one call.'),
  headerBytes: integer(16 * kib, kib, mib, 'Size of all header fields of one call.'),
  resetBurst: integer(250, 1, 100_000, 'Streams that a connection may reset at once before it is closed.'),
  resetPerSecond: integer(33, 1, 100_000, 'Streams that a connection may reset per second after that.'),
  requestTimeoutMs: integer(30_000, 100, 3_600_000, 'Time for the message of a call to arrive.'),
  connectionIdleSeconds: integer(300, 1, day, 'A connection without calls is closed after this time.'),
})

const http = section('Bounds of the HTTP and management listeners.', {
  bodyBytes: integer(mib, kib, 64 * mib, 'Largest body accepted, declared or not.'),
  inflatedBytes: integer(4 * mib, kib, 64 * mib, 'Largest body of compressed spans once it is inflated.'),
  replyBytes: integer(16 * mib, kib, 256 * mib, 'Largest reply sent; ask for smaller pages.'),
  headerBytes: integer(16 * kib, kib, mib, 'Size of all header fields of one request.'),
  headerCount: integer(100, 16, 1_000, 'Header fields of one request.'),
  requestTimeoutMs: integer(30_000, 100, 3_600_000, 'Time for a whole request to arrive.'),
  headersTimeoutMs: integer(10_000, 100, 3_600_000, 'Time for the headers of a request to arrive.'),
  idleTimeoutMs: integer(60_000, 100, 3_600_000, 'A kept-alive connection without requests is closed after this time.'),
})

const rate = section('Token buckets: a burst, then a steady rate.', {
  store: choice(['memory', 'redis'], 'memory', 'Each process counts for itself, or all share `replicas.redis`.'),
  key: bucket('Calls of one API key, unless the key has limits of its own.', 1_000, 2_000),
  address: bucket('Public reads from one address.', 50, 200),
  failures: bucket('Missing or failed credentials from one address.', 10, 300),
})

export const limits = section('Bounds on what callers can ask for. Sizes are bytes.', {
  grpc,
  http,
  rate,
  freeBytesMin: integer(
    256 * mib,
    0,
    1024 * 1024 * mib,
    'Free space under the embedded PostgreSQL below which writes are refused as `store.full`; 0 switches it off.',
  ),
  queue: section('Calls that wait for the store.', {
    max: integer(
      4_096,
      1,
      1_000_000,
      'Calls beyond this are refused as `store.busy`; the last quarter is for what ends, extends or revokes something.',
    ),
    waitMs: integer(5_000, 100, 600_000, 'A call that waited longer is refused as `store.busy`; nothing was done.'),
  }),
})

function bucket(description: string, perSecond: number, burst: number) {
  return section(description, {
    perSecond: integer(perSecond, 1, 1_000_000, 'Steady rate.', { reload: true }),
    burst: integer(burst, 1, 10_000_000, 'Calls at once after a pause.', { reload: true }),
  })
}
