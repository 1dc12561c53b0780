import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { beforeExit } from './cleanup.ts';
import { inside } from './namespaces.ts';

/** One line of a program's standard output: an object with a `type`. */
export interface Report {
  readonly type: string;
  readonly [field: string]: unknown;
}

const Line: z.ZodType<Report> = z.looseObject({ type: z.string() });

/** A child process that is told things, and tells things, as lines of JSON. */
export interface Program {
  readonly pid: number;
  tell(message: object): void;
  /** The next report of that type that has not been taken yet. Rejects when the program ends, or takes too long. */
  next(type: string, withinMs?: number): Promise<Report>;
  /** Resolves when the process has ended, with how it did. */
  readonly ended: Promise<Error>;
  kill(signal?: NodeJS.Signals): void;
}

export interface Placement {
  readonly namespace: string;
  readonly name: string; // for messages
  readonly onReport?: (report: Report) => void;
}

/** Where a compiled program of this package is, whether this file runs compiled or straight from the sources. */
export function compiled(path: string): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  return `${here.replace(/\/src\/cli\/demo\/$/, '/dist/cli/demo/')}../../${path}.js`;
}

/** Starts one of the demonstration's own programs inside a namespace. */
export function startProgram(name: string, args: readonly string[], placement: Placement): Program {
  return start([process.execPath, compiled(`cli/demo/${name}`), ...args], placement);
}

/** Starts any command that reports in lines of JSON. Lines without a `type` get the type `line`. */
export function start(command: readonly string[], { namespace, name, onReport }: Placement): Program {
  const child = spawn(...inside(namespace, command), { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting: { type: string; resolve: (report: Report) => void; reject: (error: Error) => void }[] = [];
  const reports: Report[] = [];
  let complaint = '';
  let over: Error | undefined;

  createInterface({ input: child.stdout }).on('line', (text) => {
    const report = parseLine(text);
    if (onReport !== undefined) {
      onReport(report);
      return;
    }
    const at = waiting.findIndex(({ type }) => type === report.type);
    if (at < 0) reports.push(report);
    else waiting.splice(at, 1)[0]?.resolve(report);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  child.stdin.on('error', () => undefined); // the end of the process is reported below
  const killNow = beforeExit(() => {
    kill(child, 'SIGKILL');
  });
  const ended = new Promise<Error>((resolve) => {
    const finish = (how: string): void => {
      over ??= new Error(`${name} ${how}${complaint === '' ? '' : `: ${complaint.trim()}`}`);
      for (const { reject } of waiting.splice(0)) reject(over);
      killNow();
      resolve(over);
    };
    child.once('error', (error) => {
      finish(error.message);
    });
    child.once('close', (code, signal) => {
      finish(`ended with ${String(signal ?? code)}`);
    });
  });

  return {
    pid: child.pid ?? -1,
    ended,
    tell: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    next: (type, withinMs = 10_000) => {
      const at = reports.findIndex((report) => report.type === type);
      const [report] = at < 0 ? [] : reports.splice(at, 1);
      if (report !== undefined) return Promise.resolve(report);
      if (over !== undefined) return Promise.reject(over);
      return new Promise((resolve, reject) => {
        const settle =
          <T>(how: (value: T) => void) =>
          (value: T): void => {
            clearTimeout(timer);
            how(value);
          };
        const waiter = { type, resolve: settle(resolve), reject: settle(reject) };
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(waiter), 1);
          reject(new Error(`${name} said nothing of type ${type} within ${String(withinMs)} ms`));
        }, withinMs);
        waiting.push(waiter);
      });
    },
    kill: (signal = 'SIGKILL') => {
      kill(child, signal);
    },
  };
}

function parseLine(text: string): Report {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { type: 'bad-line', text, why: String(error) };
  }
  const line = Line.safeParse(value);
  return line.success ? line.data : { type: 'line', value };
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}
