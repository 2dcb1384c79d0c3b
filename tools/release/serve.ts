import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join, normalize } from 'node:path'

/** Serves the files of a folder on a free port of loopback, for the rehearsal of a release; prints its address. */
const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node tools/release/serve.ts FOLDER')
  process.exit(2)
}
const server = createServer((request, response) => {
  const path = join(folder, normalize(new URL(request.url ?? '/', 'http://localhost').pathname))
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    response.writeHead(404).end()
    return
  }
  response.writeHead(200, { 'content-length': statSync(path).size })
  createReadStream(path).pipe(response)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`)
})
