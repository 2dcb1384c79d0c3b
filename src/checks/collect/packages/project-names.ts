import type { Collector } from '../collector.ts'
import { isReadable } from '../source-file.ts'

/** Packages that the manifests of the repository name, and the programs that its lock files bring. */
export const projectNames: Collector<'repo', ReadonlySet<string>> = async (tree) => {
  const names = new Set<string>()
  const files = await tree.readAll(tree.matching(/(?:^|\/)(?:package|package-lock|npm-shrinkwrap)\.json$/))
  for (const parsed of files) {
    if (!isReadable(parsed)) continue
    const value = json(parsed.value.text)
    // Scripts and programs of the package itself count as well.
    for (const key of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'])
      for (const name of Object.keys(record(value[key]))) addPackage(names, name)
    addPrograms(names, value)
    for (const [path, locked] of Object.entries(record(value['packages']))) {
      const at = path.lastIndexOf('node_modules/')
      if (at !== -1) names.add(path.slice(at + 'node_modules/'.length))
      addPrograms(names, record(locked))
    }
  }
  return names
}

// What a package of another name brings, where no lock file says so.
const programs: Readonly<Record<string, readonly string[]>> = {
  typescript: ['tsc', 'tsserver'],
  '@angular/cli': ['ng'],
  '@playwright/test': ['playwright'],
  '@biomejs/biome': ['biome'],
  '@changesets/cli': ['changeset'],
  '@commitlint/cli': ['commitlint'],
  '@babel/cli': ['babel'],
  '@vue/cli-service': ['vue-cli-service'],
  '@sveltejs/kit': ['svelte-kit'],
  '@redocly/cli': ['redocly'],
  '@stoplight/spectral-cli': ['spectral'],
  '@vscode/vsce': ['vsce'],
  'markdownlint-cli': ['markdownlint'],
  'webpack-cli': ['webpack'],
}

function addPackage(names: Set<string>, name: string): void {
  names.add(name)
  for (const program of Object.hasOwn(programs, name) ? (programs[name] ?? []) : []) names.add(program)
}

function addPrograms(names: Set<string>, manifest: Readonly<Record<string, unknown>>): void {
  const { bin, name } = manifest
  if (typeof bin === 'string' && typeof name === 'string') names.add(name.slice(name.lastIndexOf('/') + 1))
  else for (const program of Object.keys(record(bin))) names.add(program)
}

// Who needs to know whether a manifest is whole reads it with its places; here nothing is said of what cannot be read.
function json(text: string): Readonly<Record<string, unknown>> {
  try {
    return record(JSON.parse(text))
  } catch {
    return {}
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
