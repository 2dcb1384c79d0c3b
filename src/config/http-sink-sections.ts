import * as z from 'zod'
import { sinkFile, sinkShape } from './sink-fields.ts'

/** The way there; what a URL may be depends on `allowPrivate`, so the rules look at it. */
const way = { allowPrivate: z.boolean().default(false), caFile: sinkFile }
const url = z.string().min(1)
const awsKeyFiles = { accessKeyIdFile: sinkFile, secretAccessKeyFile: sinkFile, sessionTokenFile: sinkFile }

const http = z.strictObject({ ...sinkShape('http'), url, tokenFile: sinkFile, ...way })

const otlp = z.strictObject({ ...sinkShape('otlp'), endpoint: url, headersFile: sinkFile, ...way })

const splunk = z.strictObject({
  ...sinkShape('splunk'),
  url,
  tokenFile: z.string().min(1),
  index: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,79}$/, 'An index is named with lower-case letters, digits, - and _.')
    .optional(),
  acknowledge: z.enum(['indexed', 'accepted']).default('indexed'),
  ...way,
})

const s3 = z.strictObject({
  ...sinkShape('s3'),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'This is not the name of a bucket.'),
  region: z.string().regex(/^[a-z0-9-]{2,32}$/, 'This is not a region such as eu-central-1.'),
  prefix: z
    .string()
    .max(256)
    .regex(
      /^[A-Za-z0-9_-]+(?:[/.][A-Za-z0-9_-]+)*\/?$/,
      'A prefix is words of letters, digits, - and _, joined by / or dots.',
    )
    .optional(),
  endpoint: url.optional(),
  forcePathStyle: z.boolean().default(false),
  lockMode: z.enum(['governance', 'compliance']).optional(),
  retainDays: z.int().min(1).max(36_500).optional(),
  ...awsKeyFiles,
  ...way,
})

const cloudtrail = z.strictObject({
  ...sinkShape('cloudtrail'),
  channelArn: z
    .string()
    .regex(
      /^arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:\d{12}:channel\/[A-Za-z0-9-]+$/,
      'This is not an ARN such as arn:aws:cloudtrail:eu-central-1:123456789012:channel/ID.',
    ),
  externalIdFile: sinkFile,
  endpoint: url.optional(),
  ...awsKeyFiles,
  ...way,
})

/** The kinds of sinks that are reached over HTTP. */
export const httpSinks = [http, otlp, splunk, s3, cloudtrail] as const
