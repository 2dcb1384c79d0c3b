export { embeddedBinaries, type EmbeddedBinaries } from './binaries.ts'
export { embeddedHome, type EmbeddedHome } from './home.ts'
export { startEmbedded, type EmbeddedOptions, type EmbeddedPostgres } from './start.ts'
export { stopEmbedded } from './stop.ts'
