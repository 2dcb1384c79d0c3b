import {
  create,
  createFileRegistry,
  createRegistry,
  fromBinary,
  toBinary,
  type DescMethod,
  type DescService,
  type FileRegistry,
} from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type MethodOptionsSchema,
  type FileDescriptorProto,
  type MethodDescriptorProto,
} from '@bufbuild/protobuf/wkt'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as contract from './index.ts'
import { accessOf, HubService, methodOf, methods, ServerReflection } from './index.ts'

const exported: readonly unknown[] = Object.values(contract)
const services = exported.filter(
  (value): value is DescService =>
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'service',
)
const ours = services.filter(({ typeName }) => typeName.startsWith('portcullis.v1.'))

describe('the methods of the contract', () => {
  it('C1: every service of every .proto file is served', () => {
    const written = globSync('proto/portcullis/v1/*.proto', { cwd: import.meta.dirname }).flatMap((file) =>
      [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(/^service (\w+)/gm)].map(
        ([, name]) => `portcullis.v1.${name}`,
      ),
    )
    expect(ours.map(({ typeName }) => typeName).toSorted()).toEqual(written.toSorted())
    const paths = ours.flatMap((service) => service.methods.map(({ name }) => `/${service.typeName}/${name}`))
    expect([...methods.keys()].toSorted()).toEqual(paths.toSorted())
  })

  it('C1: each declares class, scope and risk, and all are unary but what is watched', () => {
    for (const service of ours) {
      for (const method of service.methods) {
        const kind = method.name === 'Watch' ? 'server_streaming' : 'unary'
        expect([method.name, method.methodKind]).toEqual([method.name, kind])
        expect(methodOf(method).streaming).toBe(kind === 'server_streaming')
        expect(methodOf(method)).toEqual(accessOf(method))
      }
    }
  })

  it('C1: a method that is not of the contract is not found', () => {
    expect(() => methodOf(ServerReflection.method.serverReflectionInfo)).toThrow('not a method of the contract')
  })

  it('C1: messages are typed: none holds a Struct, a Value or an Any', () => {
    const loose = [...methods.values()].flatMap(({ path, input, output }) =>
      [...typesIn(input), ...typesIn(output)]
        .filter((name) => /^google\.protobuf\.(Struct|Value|ListValue|Any)$/.test(name))
        .map((name) => `${path} ${name}`),
    )
    expect(loose).toEqual([])
  })

  it('C4: every list is paged and answers with the next page', () => {
    // No lists: one answer for each item asked or each budget met, a few totals, proofs, one log for each retention class, and exports
    // and events in pages of their own size, which go forward.
    const bounded =
      /\/(Check|CheckBatch|RecordBatch|RecordSpans|Reserve|Settle|Extend|ImportUsage|GetTelemetrySummary|GetLeaderboard|ExportState|ExportCharges|GetCheckpoint|GetInclusionProof|GetConsistencyProof|GetPseudonyms|GetLogs|GetTokenEvents)$/
    for (const { path, input, output } of methods.values()) {
      if (bounded.test(path)) continue
      const lists = output.fields.some(({ fieldKind }) => fieldKind === 'list')
      const paged = ['page_size', 'page_token'].every((name) => input.fields.some((field) => field.name === name))
      expect([path, paged, output.fields.some(({ name }) => name === 'next_page_token')]).toEqual([path, lists, lists])
    }
  })

  it('C5: money is int64 nano-USD, durations and sizes name their unit', () => {
    for (const field of allFields()) {
      if (/usd|cost/.test(field.name))
        expect([field.name, field.fieldKind === 'scalar' && field.scalar]).toEqual([
          expect.stringMatching(/_nano_usd$/),
          3,
        ])
      // The window of a budget is written as people say it: `month`, `24h`.
      const written = field.parent?.name === 'BudgetWindow'
      if (!written && /(^|_)(latency|duration|timeout|ttl)(_|$)/.test(field.name))
        expect(field.name).toMatch(/_(ms|seconds)$/)
      if (/_at$|_before$|_after$|^(before|after|ts)$/.test(field.name))
        expect([field.name, field.message?.typeName]).toEqual([field.name, 'google.protobuf.Timestamp'])
    }
  })

  it('G6: public reads take no scope, all others one', () => {
    for (const { path, access, scope } of methods.values())
      expect([path, scope === '']).toEqual([path, access === 'public_read'])
  })

  it('G15: writes, and only writes, take an idempotency key', () => {
    for (const { path, access, idempotent, input } of methods.values()) {
      expect([path, idempotent, input.fields.some(({ name }) => name === 'idempotency_key')]).toEqual([
        path,
        access === 'write',
        access === 'write',
      ])
    }
  })

  it('L7: what gives power waits for the outside, what takes it away does not; checks for other services are answered first', () => {
    const of = (mode: string) => [...methods.values()].filter(({ audit }) => audit === mode)
    // Names and no descriptors: those refer to each other without end.
    expect(of('required_offbox').map(({ path }) => path.split('.v1.')[1])).toEqual([
      'BudgetService/UpsertBudget',
      'BudgetService/DeleteBudget',
      'IdentityService/CreateAgent',
      'IdentityService/CreateKey',
      'IdentityService/RotateKey',
      'IdentityService/CreateApp',
      'IdentityService/RotateAppSecret',
      'IdentityService/CreateOperator',
      'IdentityService/BindCertificate',
      'IdentityService/CreateSigningKey',
      'LedgerService/DestroyPseudonymKey',
      'OpsService/RecordIntentOffbox',
      'PolicyService/SetPolicy',
      'PolicyService/UpsertPolicyCap',
      'PolicyService/DeletePolicyCap',
      'TenantService/Create',
    ])
    expect(of('required_offbox').every(({ access }) => access === 'write')).toBe(true)
    expect(
      of('best_effort')
        .filter(({ access }) => access !== 'public_read')
        .map(({ path }) => path.split('/').at(-1)),
    ).toEqual(['Check', 'CheckBatch'])
  })

  it('G23: only health writes no entry', () => {
    expect([...methods.values()].filter(({ unrecorded }) => unrecorded).map(({ path }) => path)).toEqual([
      '/portcullis.v1.HubService/GetHealth',
    ])
  })
})

describe('a method that contradicts itself', () => {
  // StartRun with its options taken out, or replaced by those of another method of the file.
  const write = 'StartRun'
  const cases: readonly (readonly [
    string,
    (method: MethodDescriptorProto, optionsOf: (name: string) => MethodDescriptorProto['options']) => void,
    RegExp,
  ])[] = [
    ['has no option', (method) => delete method.options, /no \(access\) option/],
    [
      'is declared a read and takes an idempotency key',
      (method, optionsOf) => (method.options = optionsOf('GetRun')),
      /idempotency_key/,
    ],
    [
      'is declared public and takes an idempotency key',
      (method, optionsOf) => (method.options = optionsOf('GetHealth')),
      /idempotency_key/,
    ],
    [
      'is declared a write and takes no idempotency key',
      (method) => (method.inputType = '.portcullis.v1.GetRunRequest'),
      /idempotency_key/,
    ],
  ]
  it.each(cases)('C1: stops the start where it %s', (_name, change, error) => {
    expect(() => accessOf(changed(write, change))).toThrow(error)
  })

  it.each([
    ['class', { risk: contract.Risk.NORMAL }, /no access class/],
    ['risk', { class: contract.AccessClass.PUBLIC_READ }, /no risk/],
    ['scope', { class: contract.AccessClass.WRITE, risk: contract.Risk.NORMAL, idempotent: true }, /scope is required/],
  ])('C1: stops the start where it declares no %s', (_name, access, error) => {
    const file = structuredFile()
    const method = methodIn(file, write)
    // The bytes of an option are those of an unknown field with its number.
    const bytes = toBinary(contract.MethodAccessSchema, create(contract.MethodAccessSchema, access))
    method.options = fromBinary(
      optionsSchema(),
      Buffer.concat([varint((contract.access.number << 3) | 2), varint(bytes.length), bytes]),
    )
    expect(() => accessOf(methodOfFile(file, write))).toThrow(error)
  })
})

function allFields() {
  return [
    ...new Set(
      [...methods.values()].flatMap(({ input, output }) => [input, output, ...input.fields, ...output.fields]),
    ),
  ].flatMap((one) => {
    if (one.kind === 'message') return one.fields
    return one.message?.fields ?? []
  })
}

function typesIn(message: DescMethod['input'], seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(message.typeName)) return seen
  seen.add(message.typeName)
  for (const field of message.fields) if (field.message !== undefined) typesIn(field.message, seen)
  return seen
}

function structuredFile(): FileDescriptorProto {
  return fromBinary(FileDescriptorProtoSchema, toBinary(FileDescriptorProtoSchema, HubService.file.proto))
}

function methodIn(file: FileDescriptorProto, name: string): MethodDescriptorProto {
  const method = file.service[0]?.method.find((one) => one.name === name)
  if (method === undefined) throw new Error(`no ${name} in ${file.name}`)
  return method
}

function changed(
  name: string,
  change: (method: MethodDescriptorProto, optionsOf: (other: string) => MethodDescriptorProto['options']) => void,
): DescMethod {
  const file = structuredFile()
  change(methodIn(file, name), (other) => methodIn(file, other).options)
  return methodOfFile(file, name)
}

function methodOfFile(file: FileDescriptorProto, name: string): DescMethod {
  const dependencies = [...new Set(filesBelow(HubService.file))].map((one) => one.proto)
  const registry: FileRegistry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...dependencies, file] }))
  const method = registry.getService(HubService.typeName)?.methods.find((one) => one.name === name)
  if (method === undefined) throw new Error(`no ${name}`)
  return method
}

function filesBelow(file: DescService['file']): readonly DescService['file'][] {
  return file.dependencies.flatMap((one) => [...filesBelow(one), one])
}

function optionsSchema() {
  const schema = createRegistry(contract.access).getExtension('portcullis.v1.access')?.extendee
  if (schema === undefined) throw new Error('the extension has no extendee')
  return schema as typeof MethodOptionsSchema
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}
