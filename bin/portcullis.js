#!/usr/bin/env -S node --max-semi-space-size=32 --max-old-space-size=1920
// The entry of every command. Plain JavaScript, so that an old Node prints advice and not a syntax error. The flags keep the
// memory of a server flat (docs/performance.md, P8); with more keys than fit, start `node --max-old-space-size=… bin/portcullis.js`.
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `portcullis needs Node 24 and was started with ${process.version}.\n` +
      'From a checkout run it through npm (`npm start`, `npx portcullis ...`): `npm ci` brings its own Node 24.\n',
  )
  process.exit(2)
}
const { enableCompileCache, registerHooks } = await import('node:module')
enableCompileCache()
// A relative import names its file, in our sources and in those of libraries. Node would look for links, packages and the kind of
// module anew at each of the hundreds of imports of a start: a fourth of it. What is not there fails all the same, when it is read.
registerHooks({
  resolve: (specifier, context, next) => {
    if (!specifier.startsWith('.') || context.parentURL === undefined) return next(specifier, context)
    const url = new URL(specifier, context.parentURL).href
    if (url.endsWith('.ts')) return { url, format: 'module-typescript', shortCircuit: true }
    return url.endsWith('.js') ? { url, shortCircuit: true } : next(specifier, context)
  },
})
const { main } = await import('../src/cli/main.ts')
await main(process.argv.slice(2))
