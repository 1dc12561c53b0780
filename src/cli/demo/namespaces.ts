import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { LociError, systemCode } from '../../node/error.ts';

const run = promisify(execFile);

const NAMESPACES = '/run/netns';
const RUNTIME = '/run';
const OWN_NAME = /^loci-(\d+)-\d+(-|$)/;

let labs = 0;

/** A tag that no other run on this machine uses: the process id says who may still be using its namespaces. */
export function freshTag(): string {
  return `loci-${String(process.pid)}-${String(labs++)}`;
}

/** Command and arguments that run a program inside a network namespace; it keeps the process id of the spawned child. */
export function inside(namespace: string, command: readonly string[]): readonly [file: string, args: string[]] {
  return ['nsenter', [`--net=${NAMESPACES}/${namespace}`, '--', ...command]];
}

/** Runs `ip` with `args`, in a namespace when one is named, and returns what it prints. */
export async function ip(namespace: string | undefined, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run('ip', [...(namespace === undefined ? [] : ['-n', namespace]), ...args]);
  return stdout;
}

/** Runs several `ip` commands as one process; the first that fails rejects. */
export async function ipBatch(namespace: string | undefined, lines: readonly string[]): Promise<void> {
  const running = run('ip', [...(namespace === undefined ? [] : ['-n', namespace]), '-batch', '-']);
  running.child.stdin?.on('error', () => undefined).end(`${lines.join('\n')}\n`); // told by the exit status
  try {
    await running;
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    throw new LociError('missing-tool', 'the program ip is missing: install it with `apt-get install iproute2`', {
      cause,
    });
  }
}

/** Writes kernel settings below `/proc/sys/net/ipv6` inside a namespace. */
export async function settings(namespace: string, values: Readonly<Record<string, string | number>>): Promise<void> {
  const script = Object.entries(values).map(([path, value]) => `echo ${String(value)} > /proc/sys/net/ipv6/${path}`);
  const [file, args] = inside(namespace, ['sh', '-ec', script.join('\n')]);
  await run(file, args);
}

/** Where the daemons of a tag keep their files. */
export function runtimeDirectory(tag: string): string {
  return `${RUNTIME}/${tag}`;
}

/** Removes the namespaces and files of one tag; synchronous, so that it also works while the process is on its way out. */
export function removeTag(tag: string): void {
  remove((name) => name === tag || name.startsWith(`${tag}-`));
}

/** Removes what runs left behind that were killed before they could clean up. */
export function sweep(): void {
  remove((name) => {
    const pid = OWN_NAME.exec(name)?.[1];
    return pid !== undefined && !isAlive(Number(pid));
  });
}

function remove(matches: (name: string) => boolean): void {
  const namespaces = existsSync(NAMESPACES) ? readdirSync(NAMESPACES).filter(matches) : [];
  if (namespaces.length > 0) {
    const lines = namespaces.map((name) => `netns del ${name}\n`);
    spawnSync('ip', ['-force', '-batch', '-'], { input: lines.join('') });
  }
  for (const name of readdirSync(RUNTIME).filter(matches)) {
    rmSync(`${RUNTIME}/${name}`, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
