import type { Config } from '#config'
import { sinkClasses, type Sink, type SinkNotice } from '#ledger'

export interface SinkParts {
  readonly notice: (notice: SinkNotice) => void
}

type Setting = Config['audit']['sinks'][number]
type Settings = { readonly [Kind in Setting['kind']]: Extract<Setting, { readonly kind: Kind }> }
type Makers = { readonly [Kind in Setting['kind']]: (setting: Settings[Kind], parts: SinkParts) => Sink }

/** What is made of each kind of sink in the settings. That its files can be read was checked with the settings. */
const makers: Makers = {
  cloudtrail: (setting) => new sinkClasses.cloudtrail(setting),
  file: (setting, { notice }) => new sinkClasses.file({ ...setting, notice }),
  http: (setting) => new sinkClasses.http(setting),
  nats: (setting) => new sinkClasses.nats(setting),
  otlp: (setting) => new sinkClasses.otlp(setting),
  s3: (setting) => new sinkClasses.s3(setting),
  splunk: (setting) => new sinkClasses.splunk(setting),
  syslog: (setting) => new sinkClasses.syslog(setting),
}

export function makeSink<Kind extends Setting['kind']>(
  setting: Settings[Kind] & { readonly kind: Kind },
  parts: SinkParts,
): Sink {
  const make: Makers[Kind] = makers[setting.kind]
  return make(setting, parts)
}
