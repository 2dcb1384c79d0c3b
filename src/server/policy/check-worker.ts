import { parentPort, workerData } from 'node:worker_threads'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { CheckInput } from './check-apart.ts'
import { checkSet } from './check-set.ts'

// A thread that lives for one set of policies: whatever they do to Cedar, the one that decides is not touched.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made by check-apart.ts
const { files, schema } = workerData as CheckInput
const checked = checkSet(cedar, files, schema)
if (checked.ok) cedar.preparsePolicySet('trial', { staticPolicies: { ...checked.set.policies } })
parentPort?.postMessage(checked, [])
