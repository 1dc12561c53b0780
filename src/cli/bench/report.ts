import { availableParallelism, cpus, release } from 'node:os';
import { commit } from '../demo/report.ts';
import type { BenchName, Choice } from './rows.ts';

/** One row; its figures depend on the bench. */
export interface Row {
  readonly name: string;
  readonly [figure: string]: unknown;
}

/** The one document of `npm run --silent bench -- … --json`. */
export interface BenchReport {
  readonly bench: BenchName;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly commit: string;
  readonly cpuMethod?: string;
  readonly rows: readonly Row[];
  readonly missing: readonly string[];
}

/** Puts a report together. */
export function reportOf(
  bench: BenchName,
  rows: readonly Row[],
  missing: readonly string[],
  cpuMethod: string | undefined,
): BenchReport {
  return {
    bench,
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      kernel: release(),
      node: process.versions.node,
    },
    commit: commit(),
    ...(cpuMethod === undefined ? {} : { cpuMethod }),
    rows,
    missing,
  };
}

/** 1 when nothing of what was named could be measured, or a run failed. */
export function statusOf({ measured }: Choice, rows: readonly Row[]): 0 | 1 {
  const failed = rows.some((row) => typeof row['failed'] === 'number' && row['failed'] > 0);
  return measured.length === 0 || failed ? 1 : 0;
}

/** The rows for people: names to the left, figures as they are in the document. */
export function linesOf({ rows, missing }: BenchReport): readonly string[] {
  const figures = (row: Row): string =>
    Object.entries(row)
      .filter(([name]) => name !== 'name')
      .map(([name, value]) => `${name} ${shown(value)}`)
      .join('  ');
  return [
    ...rows.map((row) => `${row.name.padEnd(22)}${figures(row)}`),
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]),
  ];
}

function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? '-' : String(value);
  return Object.entries(value)
    .map(([name, figure]) => (name === 'median' ? String(figure) : `${name} ${String(figure)}`))
    .join('/');
}
