import { spawnSync } from 'node:child_process';
import { LociError, systemCode } from '../../node/error.ts';

/** Programs that some rows need, by the Debian package that has them. */
const PACKAGES = { iperf3: 'iperf3', ping: 'iputils-ping', ethtool: 'ethtool' } as const;
export type Tool = keyof typeof PACKAGES;

/** Whether a program is installed. */
export function hasTool(tool: Tool): boolean {
  const { error } = spawnSync(tool, [tool === 'ping' ? '-V' : '--version'], { stdio: 'ignore' });
  return systemCode(error) !== 'ENOENT';
}

/** Throws the sentence that says how to install a program that is not there. */
export function requireTool(tool: Tool): void {
  if (hasTool(tool)) return;
  throw new LociError(
    'missing-tool',
    `the program ${tool} is missing: install it with \`apt-get install ${PACKAGES[tool]}\``,
  );
}
