import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const Report = z.object({
  endpoints: z.array(z.string()),
  scenarios: z.array(z.string()),
  results: z.array(
    z.object({
      initiator: z.string(),
      responder: z.string(),
      scenario: z.string(),
      verdict: z.enum(['pass', 'fail', 'unsupported']),
      reason: z.string(),
      log: z.string(),
    }),
  ),
});

const folder = mkdtempSync(join(tmpdir(), 'loci-interop-e2e-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** `npm run --silent interop -- … --json`: its document and exit status. */
function interop(...args: readonly string[]): Promise<{ report: z.infer<typeof Report>; status: number }> {
  const command = ['run', '--silent', 'interop', '--', ...args, '--logs', join(folder, 'logs'), '--json'];
  return new Promise((resolve, reject) => {
    const child = execFile('npm', command, { cwd: ROOT }, (error, stdout, stderr) => {
      try {
        resolve({ report: Report.parse(JSON.parse(stdout)), status: child.exitCode ?? -1 });
      } catch (cause) {
        reject(new Error(`no document: ${stdout}${stderr}`, { cause: error ?? cause }));
      }
    });
  });
}

function endpoint(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return `${name}=${file}`;
}

it('two daemons of different profiles meet in two scenarios, and both pass', { timeout: 240_000 }, async () => {
  const { report, status } = await interop(
    ...['--initiator', 'loci-fast', '--responder', 'loci-balanced'],
    ...['--scenario', 'establishment,context-lost'],
  );
  expect(report.results.map(({ scenario, verdict, reason }) => [scenario, verdict, reason])).toEqual([
    ['establishment', 'pass', ''],
    ['context-lost', 'pass', ''],
  ]);
  expect(status).toBe(0);
  for (const { log } of report.results) expect(existsSync(join(log, 'client-provider1.pcapng'))).toBe(true);
});

it(
  'foreign endpoints: what one cannot do is unsupported, what is broken fails with its words',
  { timeout: 240_000 },
  async () => {
    const ready = `echo '{"ulid":"2001:db8:2:b::1"}'`;
    const { report, status } = await interop(
      ...['--endpoint', endpoint('absent', 'echo "no kernel for me" >&2; exit 127')],
      ...['--endpoint', endpoint('broken', 'echo "$INTEROP_ROLE of $INTEROP_INTERFACES" >&2; exit 3')],
      ...[
        '--endpoint',
        endpoint('shy', `${ready}; while read -r line; do echo '{"unsupported":"nothing at all"}'; done`),
      ],
      ...['--endpoint', endpoint('babbling', `${ready}; while read -r line; do echo hello; done`)],
      ...['--initiator', 'loci-fast', '--responder', 'absent,broken,shy,babbling', '--scenario', 'establishment'],
    );
    expect(report.results.map(({ responder, verdict }) => [responder, verdict])).toEqual([
      ['absent', 'unsupported'],
      ['broken', 'fail'],
      ['shy', 'unsupported'],
      ['babbling', 'fail'],
    ]);
    const [absent, broken, shy, babbling] = report.results.map(({ reason }) => reason);
    expect(absent).toContain('no kernel for me');
    expect(broken).toMatch(/endpoint broken does not start: .* 3: responder of s1 s2/);
    expect(shy).toBe('shy: nothing at all');
    expect(babbling).toContain('not JSON: hello');
    expect(status).toBe(1);
  },
);
