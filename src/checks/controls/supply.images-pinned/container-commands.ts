import { skipOptions } from '../../collect/shell/wrappers.ts'
import type { ToolCommand, ToolWord } from '../../collect/shell/tool-commands.ts'

/** What a command of Docker, Podman or nerdctl does with an image. */
export type ImageUse =
  | { readonly kind: 'pull' | 'run'; readonly image: ToolWord }
  | { readonly kind: 'build'; readonly name: string }
  /** Images get names that are not written here. */
  | { readonly kind: 'load' }
  /** An option that is not known here: the word behind it may be its value or the image. */
  | { readonly kind: 'unclear'; readonly option: ToolWord }

/** The images of a command; none where it is of Compose, or of another program. */
export function imageUses({ name, words }: ToolCommand): readonly ImageUse[] {
  // Its `run` is about containers that are there.
  if (name === 'buildah') return /^(?:bud|build)$/.test(words[1]?.text ?? '') ? builds(words) : []
  if (!/^(?:docker|podman|nerdctl)$/.test(name)) return []
  let at = behindOptions(words, 1)
  const first = words[at]?.text ?? ''
  if (Object.hasOwn(readers, first)) return readers[first]?.(words.slice(at + 1)) ?? []
  at = behindOptions(words, at + 1)
  const both = `${first} ${words[at]?.text ?? ''}`
  return Object.hasOwn(readers, both) ? (readers[both]?.(words.slice(at + 1)) ?? []) : []
}

type Reader = (args: readonly ToolWord[]) => readonly ImageUse[]

const pull: Reader = (args) => taken('pull', args)
const run: Reader = (args) => taken('run', args)
const load: Reader = () => [{ kind: 'load' }]
const readers: Readonly<Record<string, Reader>> = {
  pull,
  'image pull': pull,
  run,
  create: run,
  'container run': run,
  'container create': run,
  build: builds,
  'image build': builds,
  'builder build': builds,
  'buildx build': builds,
  'buildx b': builds,
  'buildx bake': load,
  load,
  'image load': load,
  tag: named,
  'image tag': named,
  commit: named,
  'container commit': named,
  import: named,
  'image import': named,
}

function behindOptions(words: readonly ToolWord[], from: number): number {
  const texts = words.slice(from).map(({ text }) => text)
  return from + skipOptions(texts, globalValued)
}

const globalValued = list(
  '-H --host -c --context --config -l --log-level --tlscacert --tlscert --tlskey --builder --connection --url --identity --root ' +
    '--runroot --runtime --storage-driver --storage-opt --tmpdir --cgroup-manager --events-backend --module -n --namespace -a --address',
)

function taken(kind: 'pull' | 'run', args: readonly ToolWord[]): readonly ImageUse[] {
  const shorts = shortOptions[kind]
  for (let at = 0; at < args.length; at += 1) {
    const option = args[at]
    if (option === undefined) break
    const { text } = option
    // What is never fetched, and a folder in the place of an image.
    if (/^--(?:help|rootfs|pull=never)$/.test(text) || (text === '--pull' && args[at + 1]?.text === 'never')) return []
    if (!text.startsWith('-') || text === '-') return [{ kind, image: option }]
    if (text === '--') return args.slice(at + 1, at + 2).map((image) => ({ kind, image }))
    const takes = text.startsWith('--') ? longTakes(text.slice(2)) : shortTakes(text.slice(1), shorts)
    if (takes === undefined) return [{ kind: 'unclear', option }]
    at += takes
  }
  return []
}

/** How many of the words behind it an option takes; undefined where it is not known. */
function longTakes(name: string): number | undefined {
  if (name.includes('=') || flags.includes(name)) return 0
  return valued.includes(name) ? 1 : undefined
}

// `-it`, `-itp 80:80`, `-p80:80`.
function shortTakes(
  letters: string,
  { noFlag, value }: { readonly noFlag: RegExp; readonly value: RegExp },
): number | undefined {
  const at = letters.search(noFlag)
  if (at === -1) return 0
  if (!value.test(letters[at] ?? '')) return undefined
  return at === letters.length - 1 ? 1 : 0
}

function builds(args: readonly ToolWord[]): readonly ImageUse[] {
  return args.flatMap(({ text }, at) => {
    const name = /^(?:-t|--tag)$/.test(text) ? args[at + 1]?.text : /^(?:-t=?|--tag=)(.+)$/.exec(text)?.[1]
    return name === undefined ? [] : [{ kind: 'build' as const, name }]
  })
}

function named(args: readonly ToolWord[]): readonly ImageUse[] {
  const last = args.at(-1)
  return last === undefined ? [] : [{ kind: 'build', name: last.text }]
}

function list(text: string): readonly string[] {
  return text.split(' ')
}

const shortOptions = {
  pull: { noFlag: /[^aq]/, value: /(?!)/ },
  run: { noFlag: /[^ditPq]/, value: /[acehlmpuvw]/ },
}

// Of the manuals of docker, podman and nerdctl: pull, run and create.
const flags = list(
  'all-platforms all-tags detach disable-content-trust env-host http-proxy init interactive no-healthcheck no-hostname no-hosts ' +
    'oom-kill-disable passwd privileged publish-all quiet read-only read-only-tmpfs replace rm rmi sig-proxy tls-verify tty unsetenv-all ' +
    'use-api-socket',
)
const valued = list(
  'add-host annotation arch attach authfile blkio-weight blkio-weight-device cap-add cap-drop cert-dir cgroup-conf cgroup-parent cgroupns ' +
    'cgroups chrootdirs cidfile conmon-pidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus ' +
    'cpuset-cpus cpuset-mems creds decryption-key detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps ' +
    'device-write-iops dns dns-opt dns-option dns-search domainname entrypoint env env-file env-merge expose gidmap gpus group-add ' +
    'group-entry health-cmd health-interval health-log-destination health-max-log-count health-max-log-size health-on-failure ' +
    'health-retries health-start-interval health-start-period health-startup-cmd health-startup-interval health-startup-retries ' +
    'health-startup-success health-startup-timeout health-timeout hostname hosts-file hostuser image-volume init-ctr init-path ' +
    'io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address ' +
    'memory memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias oom-score-adj os ' +
    'passwd-entry personality pid pidfile pids-limit platform pod pod-id-file policy preserve-fd preserve-fds publish pull rdt-class ' +
    'requires restart retry retry-delay runtime sdnotify seccomp-policy secret security-opt shm-size shm-size-systemd snapshotter ' +
    'stop-signal stop-timeout storage-opt subgidname subuidname sysctl systemd timeout tmpfs tz uidmap ulimit umask unpack unsetenv ' +
    'user userns uts variant verify volume volume-driver volumes-from workdir',
)
