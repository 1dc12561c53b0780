import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Whether tests that build namespaces run. Under CI they always do, and fail where they cannot. */
export const CAN_BUILD_NETWORKS: boolean = process.getuid?.() === 0 || process.env['CI'] !== undefined;

let serial = 0;
let indexes = 100;

/** A network namespace with a loopback, removed with everything in it. */
export class Namespace {
  readonly name: string;
  readonly #programs: Inside[] = [];

  constructor(label: string) {
    this.name = `il-${String(process.pid)}-${String(++serial)}-${label}`;
    execFileSync('ip', ['netns', 'add', this.name]);
    this.run('ip link set lo up');
  }

  /** Run a command, its words separated by spaces, and return what it prints. */
  run(command: string): string {
    const words = command.split(' ');
    return execFileSync('ip', ['netns', 'exec', this.name, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Run a script of the shell. */
  shell(script: string): string {
    return execFileSync('ip', ['netns', 'exec', this.name, 'sh', '-ec', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** What an outsider sees of rules, routes, addresses and the packet filter; without timers and counters. */
  snapshot(): string {
    const text = ['ip -6 rule', 'ip -6 route show table all', 'ip -6 addr', 'ip addrlabel', 'nft list ruleset'].map(
      (c) => this.run(c),
    );
    return text.join('\n--\n').replace(/(valid_lft|preferred_lft|expires) \d+sec/g, '$1 N');
  }

  /** A snapshot once every interface has its link-local address, and no address is tentative any more. */
  settled(): Promise<string> {
    const interfaces = this.run('ip -o link show type veth').trim().split('\n').length;
    return eventually(
      'settled',
      () => this.snapshot(),
      (text) => !text.includes('tentative') && text.split('local fe80').length > interfaces,
    );
  }

  /** Start the program `inside.ts` in here. */
  start(): Inside {
    const program = new Inside(this.name);
    this.#programs.push(program);
    return program;
  }

  remove(): void {
    for (const program of this.#programs) program.kill();
    execFileSync('ip', ['netns', 'del', this.name]);
  }
}

/**
 * A pair of connected interfaces with the same name in two namespaces, and two indexes: where they were the same, the
 * kernel would take the interface for a physical one, and report its carrier once a second at most.
 */
export function connect(a: Namespace, b: Namespace, name: string): void {
  const end = (namespace: Namespace): string[] => [name, 'index', String(++indexes), 'netns', namespace.name];
  execFileSync('ip', ['link', 'add', ...end(a), 'type', 'veth', 'peer', 'name', ...end(b)]);
  for (const side of [a, b]) side.run(`ip link set ${name} up`);
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** The program `inside.ts`, running in a namespace: its commands are called from here. */
export class Inside {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;

  constructor(namespace: string) {
    const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
    const node = [process.execPath, '--import', file('typescript.mjs'), file('inside.ts')];
    this.#child = spawn('ip', ['netns', 'exec', namespace, ...node], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    this.#child.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.value);
      else waiting?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
    });
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the program in the namespace has ended'));
    });
  }

  /** Call a command of `inside.ts`. */
  call<T>(command: string, ...parameters: readonly unknown[]): Promise<T> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        resolve: (value) => {
          resolve(value as T);
        },
        reject,
      });
      this.#child.send({ id, command, parameters });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** End it without a chance to tidy up. */
  kill(): void {
    this.signal('SIGKILL');
  }

  /** End it so, and wait until it has ended. */
  killed(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('exit', () => {
        resolve();
      });
      this.kill();
    });
  }
}

/** Poll until `holds`, or fail with `what`. */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  holds: (value: T) => boolean,
  withinMs = 5000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (holds(value)) return value;
    if (performance.now() > end)
      throw new Error(`not within ${String(withinMs)} ms: ${what}; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
