import { create } from '@bufbuild/protobuf'
import { RecordSpansRequestSchema, type RecordSpansRequest, type ResourceSpans } from '@portcullis/contract'
import { spansMax } from '#hub'
import { TooMany } from '../message-counts.ts'

// Each span may have a resource and a scope of its own.
const groupsMax = 2 * spansMax

/** What came out of an export before the method sees it: the spans that could be read, and what was wrong with the others. */
export class Decoded {
  readonly #resourceSpans: ResourceSpans[] = []
  #rejected = 0
  #first = ''
  #spans = 0
  #groups = 0

  get rejected(): number {
    return this.#rejected
  }

  /** About the first that was rejected here; empty where none was. */
  get errorMessage(): string {
    return this.#first
  }

  /** How many there are, read or not. */
  get spans(): number {
    return this.#spans
  }

  /** Counts one span more, and says whether it is worth reading: beyond the bound the call is refused. */
  room(): boolean {
    this.#spans += 1
    return this.#spans <= spansMax
  }

  /** Counts one item of resourceSpans or scopeSpans. Throws TooMany. */
  group(): void {
    this.#groups += 1
    if (this.#groups > groupsMax) throw new TooMany('resourceSpans and scopeSpans', groupsMax)
  }

  add(resourceSpans: ResourceSpans): void {
    this.#resourceSpans.push(resourceSpans)
  }

  reject(spanId: string, reason: string): undefined {
    this.#rejected += 1
    if (this.#first === '') this.#first = `span ${spanId || '(no id)'} ${reason.slice(0, 300).toWellFormed()}`
    return undefined
  }

  message(): RecordSpansRequest {
    return create(RecordSpansRequestSchema, { resourceSpans: this.#resourceSpans })
  }
}
