import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { LociError, systemCode } from './error.ts';

const DEVICE = '/dev/net/tun';
/** Bits of the effective capability set, capabilities(7). */
const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;
const CAP_SYS_ADMIN = 21n;

/** Set inside the namespaces, so that a process that still lacks something does not try again for ever. */
const INSIDE = 'LOCI_INSIDE_NAMESPACES';
const OUTER_PID = 'LOCI_OUTER_PID';

const UNSHARE = ['--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child'];
/** Notes by which process id the outside can enter. `/proc` of the new namespace where that is allowed; nothing of Loci needs it. */
const PREPARE = [
  `read -r ${OUTER_PID} _ < /proc/self/stat; export ${OUTER_PID}`,
  'mount -t tmpfs tmpfs /run || exit 125',
  'mount -t proc proc /proc 2>/dev/null',
  'exec "$@"',
].join('\n');

/** How a shell outside gets to where this process builds its namespaces; `undefined` when nothing is needed for that. */
export function entrance(): string | undefined {
  const pid = process.env[OUTER_PID];
  return pid === undefined ? undefined : `nsenter --target ${pid} --user --net --mount --pid --preserve-credentials`;
}

/** Whether this process may make network namespaces and devices in them. */
export function isPrivileged(): boolean {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const effective = BigInt(`0x${line?.[1] ?? '0'}`);
  return [CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN].every((capability) => (effective >> capability) & 1n);
}

/**
 * Goes on only in a process that may build namespaces. Without root, runs the same command again inside a user namespace where it is
 * root, ends with its status, and never resolves. Throws a `LociError` with the remedy where the system refuses.
 */
export async function ensurePrivilege(): Promise<void> {
  requireTun();
  if (isPrivileged()) return;
  if (process.env[INSIDE] !== undefined) throw refused('the capabilities of the user namespace are incomplete');
  const probe = spawnSync('unshare', [...UNSHARE, '--', 'sh', '-c', PREPARE, 'sh', 'true'], { encoding: 'utf8' });
  if (probe.status !== 0) throw refused(probe.error?.message ?? probe.stderr.trim());
  process.exitCode = await again();
  process.exit();
}

function refused(why: string): LociError {
  return new LociError(
    'privilege',
    `user namespaces are refused here (${why}): run this as root, or allow them with \`sysctl kernel.unprivileged_userns_clone=1\``,
  );
}

function requireTun(): void {
  try {
    accessSync(DEVICE, constants.R_OK | constants.W_OK);
  } catch (cause) {
    const remedy =
      systemCode(cause) === 'ENOENT'
        ? '`modprobe tun` as root (in a container: start it with `--device /dev/net/tun`)'
        : '`chmod 666 /dev/net/tun` as root, or run this as root';
    throw new LociError('device', `${DEVICE} cannot be used: ${remedy}`, { cause });
  }
}

/** Runs this command inside the namespaces. `unshare` ignores signals, so they travel over the channel to the child. */
function again(): Promise<number> {
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', [...UNSHARE, '--', 'sh', '-c', PREPARE, 'sh', ...command], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [INSIDE]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (child.connected) child.send(signal);
    });
  }
  return new Promise((resolve) => {
    child.once('close', (status) => {
      resolve(status ?? 1);
    });
  });
}

/** In the child: takes the signals that the parent passes on, and leaves when the parent has gone. */
export function obeyParent(): void {
  if (process.env[INSIDE] === undefined || process.channel === undefined || process.channel === null) return;
  process.on('message', (message) => {
    if (message === 'SIGINT' || message === 'SIGTERM' || message === 'SIGHUP') process.emit(message);
  });
  process.on('disconnect', () => process.emit('SIGTERM'));
  process.channel.unref();
}
