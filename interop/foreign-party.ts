import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { beforeExit } from '../src/cli/demo/cleanup.ts';
import { pause } from '../src/cli/demo/daemons.ts';
import { inside } from '../src/cli/demo/namespaces.ts';
import { LINKS, linkOf, prefixOn } from '../src/cli/demo/topology.ts';
import { messageOf } from '../src/node/error.ts';
import { Standings, Unsupported } from './endpoint.ts';
import type { Circumstances, Party } from './endpoint.ts';

const ANSWER_WITHIN_MS = 15_000;
const QUIT_WITHIN_MS = 2_000;
/** Exit status that says "not with me", as shells say of a command that does not exist. */
const UNSUPPORTED = 127;

const Answer = z.looseObject({
  unsupported: z.string().optional(),
  error: z.string().optional(),
});
const Ready = z.object({ ulid: z.string(), payload: z.boolean().default(false) });
const Status = z.object({ contexts: Standings });

/** Another implementation behind the program of `--endpoint`; `interop/README.md` is its side of this file. */
export async function startForeign(name: string, path: string, circumstances: Circumstances): Promise<Party> {
  const { topology, host, initiates } = circumstances;
  const own = LINKS.filter((link) => link.host === host);
  const [file, args] = inside(topology.namespace(host), [path]);
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      INTEROP_ROLE: initiates ? 'initiator' : 'responder',
      INTEROP_INTERFACES: own.map(({ hostEnd }) => hostEnd.name).join(' '),
      INTEROP_PREFIXES: own.map((link) => `${prefixOn(link)}/64`).join(' '),
      INTEROP_PEER_PREFIXES: ([1, 2] as const)
        .map((provider) => `${prefixOn(linkOf(host === 'client' ? 'server' : 'client', provider))}/64`)
        .join(' '),
    },
  });
  const waiting: ((line: string | Error) => void)[] = [];
  const unread: string[] = [];
  let complaint = '';
  let over: Error | undefined;
  const end = (error: Error): void => {
    over ??= error;
    for (const settle of waiting.splice(0)) settle(over);
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    const settle = waiting.shift();
    if (settle === undefined) unread.push(line);
    else settle(line);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  child.stdin.on('error', () => undefined); // told by 'close'
  child.on('error', end);
  const kill = beforeExit(() => void child.kill('SIGKILL'));
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code, signal) => {
      const how = `${name} ended with ${String(signal ?? code)}${complaint === '' ? '' : `: ${complaint.trim()}`}`;
      end(code === UNSUPPORTED ? new Unsupported(how) : new Error(how));
      resolve();
    });
  });
  const answer = async (what: string): Promise<unknown> => {
    const line = unread.shift() ?? (await next());
    if (line instanceof Error) throw line;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new Error(`${name} answered ${what} with what is not JSON: ${line.slice(0, 100)}`, { cause });
    }
    const checked = Answer.safeParse(value);
    if (!checked.success) throw new Error(`${name} answered ${what} with ${line.slice(0, 100)}, not an object`);
    if (checked.data.unsupported !== undefined) throw new Unsupported(`${name}: ${checked.data.unsupported}`);
    if (checked.data.error !== undefined) throw new Error(`${name}, asked to ${what}: ${checked.data.error}`);
    return value;
  };
  const next = (): Promise<string | Error> => {
    if (over !== undefined) return Promise.resolve(over);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(settle), 1);
        resolve(new Error(`${name} does not answer within ${String(ANSWER_WITHIN_MS)} ms`));
      }, ANSWER_WITHIN_MS);
      const settle = (line: string | Error): void => {
        clearTimeout(timer);
        resolve(line);
      };
      waiting.push(settle);
    });
  };
  const ask = async (command: string): Promise<unknown> => {
    if (over !== undefined) throw over;
    child.stdin.write(`${command}\n`);
    return answer(command);
  };
  const parsed = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
    const checked = schema.safeParse(value);
    if (checked.success) return checked.data;
    throw new Error(`${name}, ${what}: ${z.prettifyError(checked.error)}`);
  };
  try {
    const { ulid, payload } = parsed(Ready, await answer('its start'), 'the line that says it is ready');
    return {
      ulid,
      carriesPayload: payload,
      contexts: async () => parsed(Status, await ask('status'), 'status').contexts,
      open: async (peer) => void (await ask(`open ${peer}`)),
      quiet: () => undefined,
      close: async (peer) => void (await ask(`close ${peer}`)),
      restart: async () => void (await ask('restart')),
      stop: async () => {
        child.stdin.end('quit\n');
        await Promise.race([ended, pause(QUIT_WITHIN_MS)]);
        kill();
      },
    };
  } catch (error) {
    kill();
    if (error instanceof Unsupported) throw error;
    throw new Error(`the endpoint ${name} does not start: ${messageOf(error)}`, { cause: error });
  }
}
