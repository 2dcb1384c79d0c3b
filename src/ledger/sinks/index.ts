import { CloudtrailSink } from './cloudtrail.ts'
import { FileSink } from './file.ts'
import { HttpSink } from './http.ts'
import { NatsSink } from './nats.ts'
import { OtlpSink } from './otlp.ts'
import { S3Sink } from './s3.ts'
import { SplunkSink } from './splunk.ts'
import { SyslogSink } from './syslog.ts'

/** Every sink by its kind. A library that one needs is loaded when it connects, not with this file. */
export const sinkClasses = {
  cloudtrail: CloudtrailSink,
  file: FileSink,
  http: HttpSink,
  nats: NatsSink,
  otlp: OtlpSink,
  s3: S3Sink,
  splunk: SplunkSink,
  syslog: SyslogSink,
} as const
