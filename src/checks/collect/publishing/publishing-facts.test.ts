import { describe, expect, it } from 'vitest'
import { publishingPrograms, type Registry } from './publishing-facts.ts'

const published = (text: string): string => {
  const [name = '', ...args] = text.split(' ')
  const found = publishingPrograms.get(name)?.(args)
  if (found === undefined) return 'nothing'
  return [found.kind, found.registry, found.target].filter((part) => part !== undefined).join(' ')
}

const registries: readonly (readonly [Registry, readonly string[]])[] = [
  [
    'npm',
    [
      'npm publish',
      'pnpm -C a publish',
      'pnpm recursive publish',
      'yarn npm publish',
      'yarn publish',
      'bun publish',
      'changeset publish',
      'np',
    ],
  ],
  [
    'PyPI',
    [
      'twine upload dist/a',
      'uv publish',
      'poetry publish',
      'flit publish',
      'hatch publish',
      'pdm publish',
      'maturin upload x',
    ],
  ],
  ['crates.io', ['cargo publish', 'cargo +nightly publish', 'cargo workspaces publish', 'cargo release --execute']],
  ['RubyGems', ['gem push a.gem', 'rake release']],
  ['NuGet', ['dotnet nuget push a', 'nuget push a']],
  ['JSR', ['jsr publish', 'deno publish']],
]

describe('what publishes', () => {
  it.each(registries.flatMap(([registry, all]) => all.map((text) => [text, registry] as const)))(
    'R32: `%s` goes to %s',
    (text, registry) => {
      expect(published(text)).toBe(`package ${registry}`)
    },
  )

  it.each([
    ['npm publish --registry https://npm.example', 'package npm https://npm.example'],
    ['twine upload -r testpypi dist/a', 'package PyPI testpypi'],
    ['uv publish --publish-url=https://a.example', 'package PyPI https://a.example'],
    ['cargo publish --registry own', 'package crates.io own'],
    ['semantic-release', 'release npm'],
    ['nx release', 'release npm'],
    ['gh release create v1', 'release'],
    ['goreleaser release --clean', 'release'],
    ['mvn -B deploy', 'package'],
    ['gradlew :a:publishToSonatype', 'package'],
    ['sbt ci-release', 'package'],
    ['mix hex.publish', 'package'],
    ['dart pub publish', 'package'],
    ['pod trunk push', 'package'],
    ['docker --context x push ghcr.io/a/b', 'image'],
    ['docker buildx build --push .', 'image'],
    ['docker buildx build -o type=registry .', 'image'],
    ['docker buildx imagetools create -t ghcr.io/a/b c', 'image'],
    ['skopeo copy oci:a docker://ghcr.io/a/b', 'image'],
    ['crane copy a ghcr.io/b', 'image'],
    ['helm push a.tgz oci://ghcr.io/a', 'image'],
    ['ko build ./cmd', 'image'],
  ])('R02: `%s` publishes: %s', (text, expected) => {
    expect(published(text)).toBe(expected)
  })

  it.each([
    'npm publish --dry-run',
    'npm publish --registry http://localhost:4873',
    'npm run publish',
    'yarn run publish',
    'cargo publish --dry-run',
    'cargo release',
    'semantic-release --dry-run',
    'goreleaser release --snapshot',
    'goreleaser release --skip=publish',
    'gradle publishToMavenLocal',
    'gh release view v1',
    'docker build .',
    'docker push localhost:5000/a',
    'skopeo copy docker://a oci:b',
    'ko build --local ./cmd',
    'dotnet pack',
    'gem build a',
  ])('R02: `%s` publishes nothing', (text) => {
    expect(published(text)).toBe('nothing')
  })
})
