import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const path = 'proto/tasks.proto'
const head = 'syntax = "proto3";\npackage acme.v1;\nimport "google/protobuf/struct.proto";\n'
const service = (method: string): string => `service Tasks {\n  ${method}\n}\n`
const create = service('rpc CreateTask(CreateTaskRequest) returns (Task);')

async function found(text: string, more: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  return places(await judged('R34', { [path]: head + text, ...more }))
}

describe('R34', () => {
  it.each([
    ['typed fields', `${create}message CreateTaskRequest { string title = 1; repeated int32 n = 2 [packed = true]; }`],
    ['a method that reads', service('rpc ListTasks(google.protobuf.Struct) returns (stream Task) {}')],
    [
      'a method that says that it reads',
      service('rpc Evaluate(google.protobuf.Any) returns (T) { option idempotency_level = NO_SIDE_EFFECTS; }'),
    ],
    [
      'a GET',
      service('rpc Render(google.protobuf.Any) returns (T) { option (google.api.http) = { get: "/v1/{name=x/*}" }; }'),
    ],
    [
      'a method with our option for reads',
      service(
        'rpc Summarise(google.protobuf.Struct) returns (T) { option (access) = {class: ACCESS_CLASS_PRIVATE_READ, scope: "a;b"}; }',
      ),
    ],
    ['an untyped answer', service('rpc CreateTask(R) returns (google.protobuf.Struct);') + 'message R {}'],
    [
      'an untyped message that nobody takes',
      `${create}message CreateTaskRequest {} message Other { google.protobuf.Struct s = 1; }`,
    ],
    [
      'names that look alike',
      `${create}message Struct { string a = 1; } message CreateTaskRequest { Struct s = 1; map<string, Any> m = 2; } message Any {}`,
    ],
    [
      'typed standard messages',
      `${create}message CreateTaskRequest { google.protobuf.Timestamp at = 1; google.protobuf.StringValue s = 2; Kind k = 3; } enum Kind { A = 0; }`,
    ],
    [
      'messages that hold themselves',
      `${create}message CreateTaskRequest { CreateTaskRequest again = 1; B b = 2; } message B { CreateTaskRequest a = 1; }`,
    ],
    [
      'untyped fields in comments',
      `${create}/* google.protobuf.Struct x = 1; */ message CreateTaskRequest { // google.protobuf.Any\n }`,
    ],
  ])('R34: holds with %s', async (_, text) => {
    expect(await found(text)).toEqual([])
  })

  it.each([
    ['a field', `${create}message CreateTaskRequest {\n  google.protobuf.Struct details = 1;\n}`, '8:3'],
    [
      'a field with its name from the root',
      `${create}message CreateTaskRequest {\n  .google.protobuf.Value v = 1;\n}`,
      '8:3',
    ],
    ['a list', `${create}message CreateTaskRequest {\n  repeated google.protobuf.ListValue l = 1;\n}`, '8:12'],
    [
      'the value of a map',
      `${create}message CreateTaskRequest {\n  map<string, google.protobuf.Any> m = 1;\n}`,
      '8:15',
    ],
    [
      'one of several',
      `${create}message CreateTaskRequest {\n  oneof body { string text = 1; google.protobuf.Struct json = 2; }\n}`,
      '8:33',
    ],
    [
      'a message inside',
      `${create}message CreateTaskRequest { message In { google.protobuf.Any a = 1; }\n repeated In ins = 1; }`,
      '7:42',
    ],
    [
      'a message behind a message',
      `${create}message CreateTaskRequest { Task task = 1; }\nmessage Task { Extra extra = 1; }\nmessage Extra { google.protobuf.Struct s = 1; }`,
      '9:17',
    ],
    ['the request itself', service('rpc Apply(stream google.protobuf.Struct) returns (T);'), '5:20'],
    [
      'a POST',
      service('rpc Apply(google.protobuf.Any) returns (T) { option (google.api.http) = { post: "/v1/x" body: "*" }; }'),
      '5:13',
    ],
    [
      'CRLF',
      `${create}message CreateTaskRequest {\n  google.protobuf.Struct details = 1;\n}`.replaceAll('\n', '\r\n'),
      '8:3',
    ],
  ])('R34: is broken by %s', async (_, text, place) => {
    expect(await found(text)).toEqual([`${path}:${place} FAIL`])
  })

  it('R34: is broken by a message of another file', async () => {
    const other = 'syntax = "proto3"; package acme.common; message Extra { google.protobuf.Any any = 1; }'
    const text = `${create}message CreateTaskRequest { common.Extra extra = 1; }`
    expect(await found(text, { 'proto/common.proto': other })).toEqual(['proto/common.proto:1:57 FAIL'])
  })

  it('R34: cannot be told behind an import that is elsewhere', async () => {
    const text = `${create}message CreateTaskRequest { other.v1.Thing thing = 1; google.type.Money money = 2; }`
    expect(await found(text)).toEqual([`${path}:7:29 WARN`])
  })

  it('R34: contracts of others are read for their messages alone', async () => {
    const files = { 'third_party/google/x.proto': `${head}${service('rpc Put(google.protobuf.Any) returns (T);')}` }
    expect((await judged('R34', files)).outcome).toBe('NOT_APPLICABLE')
  })

  it.each([
    ['text that is none', 'hello world', '1:1'],
    ['a string that is not closed', 'syntax = "proto3;\n', '1:10'],
    ['a comment that is not closed', '/* ', '1:1'],
    ['a message that is not closed', 'message A { string a = 1;', '1:26'],
    ['nesting without end', 'message A {'.repeat(5000), '1:727'],
  ])('R34: %s is an error at its place', async (_, text, place) => {
    expect(places(await judged('R34', { [path]: text }))).toEqual([`${path}:${place} ERROR`])
  })

  it('R34: reads the old syntax', async () => {
    const text = `syntax = "proto2"; package a; extend google.protobuf.MethodOptions { optional string x = 50001; }
      message M { required string message = 1; optional group Result = 2 [deprecated = true] { optional string option = 1; }
      extensions 100 to 199; reserved 5, 7 to max; reserved "old"; extend M { optional int32 y = 100; } enum E { option allow_alias = true; A = 0; } }
      service S { option deprecated = true; rpc Put(M) returns (M); }`
    expect(places(await judged('R34', { [path]: text }))).toEqual([])
  })

  it('R34: messages that all hold each other are unknown, in bounded time', async () => {
    const count = 70
    const names = Array.from({ length: count }, (_, at) => at)
    const messages = names.map(
      (at) => `message M${at} { ${names.map((to) => `M${to} f${to} = ${to + 1};`).join(' ')} }`,
    )
    const methods = names.map((at) => `rpc Create${at}(M${at}) returns (M0);`)
    const text = `syntax = "proto3";\n${messages.join('\n')}\nservice S { ${methods.join(' ')} }\n`
    expect((await judged('R34', { 'a.proto': text })).outcome).toBe('UNKNOWN')
  })
})
